"""A key explained: its scores over time as the runs have published them, and why it has none."""

import json
import re
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from deltalake import DeltaTable
from pyspark.sql import SparkSession

from sparkscore import ConfigError, ForeignTable, TooManyRejects, explain_key, rollback, score
from sparkscore.cli import main
from sparkscore.pipelines.explanation.key_parsing import fit_key_values
from sparkscore.records import KeyEntry, KeyExplanation
from sparkscore.settings import Settings
from tests.cli.test_verb_session import run_alone, write_config
from tests.world import MODEL, SOURCE, Registry, World, source_rows

FIRST, SECOND, THIRD = "2013-12-30", "2013-12-31", "2014-01-01"
KEPT, BROKEN, GONE, OTHER = 4, 8, 52, 5
"""Keys: in every run; without an input at first; gone from the second source version; of a carrier that is left out."""
JOB: dict[str, Any] = {
    "source": {"where": [{"column": "carrier", "op": "=", "value": "AA"}]},
    "model": {"missing": {"x1": "reject"}},
    "challengers": [{"uri": f"models:/{MODEL}/2"}],
}
STRICT: dict[str, Any] = {"source": JOB["source"] | {"version": 0}, "scoring": {"max_rejects": 0}, "challengers": []}


def without_input(rows: pa.Table, key: int) -> pa.Table:
    values = [
        None if one == key else value for one, value in zip(*(rows[n].to_pylist() for n in ("id", "x1")), strict=True)
    ]
    return rows.set_column(rows.schema.get_field_index("x1"), "x1", pa.array(values, SOURCE.field("x1").type))


@pytest.fixture(scope="module")
def story(spark: SparkSession, registry: Registry, tmp_path_factory: pytest.TempPathFactory) -> World:
    """Two as_ofs by two models over two source versions; the first one replaced and rolled back, a third one failed."""
    world = World(spark, tmp_path_factory.mktemp("story") / "home", registry)
    registry.alias(1)
    world.write_source(without_input(source_rows(60), BROKEN))
    world.begin_with(job(world), as_of=FIRST)
    world.write_source(source_rows(50))
    registry.alias(2)
    try:
        world.begin_with(job(world), as_of=SECOND)
        world.begin_with(job(world), as_of=FIRST, replace=True)
        rollback(spark, job(world), as_of=FIRST)
        with pytest.raises(TooManyRejects):  # of the first source version, whose row without an input is one too many
            score(spark, world.settings(**JOB | STRICT), as_of=THIRD)
    finally:
        registry.alias(1)
    return world


def job(world: World) -> Settings:
    return world.settings(**JOB)


def explain(world: World, key: int, **asked: Any) -> KeyExplanation:
    return explain_key(None, job(world), {"id": key}, **asked)


def told(found: KeyExplanation) -> list[tuple[str, int | None, str, bool]]:
    return [(entry.as_of[:10], entry.revision, entry.status, entry.is_current) for entry in found.entries]


def entry_of(found: KeyExplanation, as_of: str, revision: int) -> KeyEntry:
    (entry,) = [one for one in found.entries if one.as_of.startswith(as_of) and one.revision == revision]
    return entry


class TestScores:
    def test_each_publication_is_told_superseded_ones_too(self, story: World) -> None:
        found = explain(story, KEPT)
        assert found.status == "scored"
        assert told(found) == [
            (FIRST, 1, "scored", False),
            (FIRST, 2, "scored", False),
            (FIRST, 3, "scored", True),
            (SECOND, 1, "scored", True),
            (THIRD, 1, "not_published", True),
        ]

    def test_with_the_model_and_the_source_version_that_made_it(self, story: World) -> None:
        found = explain(story, KEPT)
        made = [(one.model.version, one.source_version) for one in found.entries[:4] if one.model is not None]
        assert made == [("1", 0), ("2", 1), ("1", 0), ("2", 1)]
        assert all(
            one.model is not None and one.model.name == MODEL and one.model.model_id for one in found.entries[:4]
        )
        assert [one.verb for one in found.entries[:4]] == ["score", "score", "rollback", "score"]

    def test_and_the_value_that_readers_saw(self, story: World) -> None:
        found = explain(story, KEPT)
        by_version = {v: float(story.registry.expected(source_rows(1, first=KEPT), version=v)[0]) for v in (1, 2)}
        values = [one.values["prediction"] for one in found.entries[:4]]
        assert values == pytest.approx([by_version[1], by_version[2], by_version[1], by_version[2]], abs=1e-12)
        assert found.entries[0].values.keys() == {"prediction", "label", "carrier"}

    def test_challengers_are_beside_them(self, story: World) -> None:
        scores = explain(story, KEPT).challengers
        assert [(one.as_of[:10], one.model.version) for one in scores] == [(FIRST, "2")]
        expected = story.registry.expected(source_rows(1, first=KEPT), version=2)
        assert scores[0].values["prediction"] == pytest.approx(float(expected[0]), abs=1e-12)
        first = entry_of(explain(story, KEPT), FIRST, 1)
        assert scores[0].champion_run_id == first.run_id


class TestAbsence:
    def test_a_rejected_row_has_its_code(self, story: World) -> None:
        found = explain(story, BROKEN)
        assert [status for _, _, status, _ in told(found)][:4] == ["rejected", "scored", "rejected", "scored"]
        reject = found.entries[0]
        assert reject.code is not None
        assert "x1" in (reject.reason or "")

    def test_a_filtered_row_names_the_filter(self, story: World) -> None:
        found = explain(story, OTHER)
        assert (found.status, found.entries[0].status) == ("not_scored", "filtered")
        assert "carrier = AA" in (found.entries[0].reason or "")

    def test_a_key_that_the_source_did_not_have_names_its_version(self, story: World) -> None:
        found = explain(story, GONE)
        assert [status for _, _, status, _ in told(found)][:4] == ["scored", "not_in_source", "scored", "not_in_source"]
        assert "version 1 of flights" in (found.entries[3].reason or "")

    def test_a_failed_run_says_why_it_failed(self, story: World) -> None:
        entry = explain(story, KEPT).entries[-1]
        assert (entry.as_of[:10], entry.status, entry.code) == (THIRD, "not_published", "TooManyRejects")
        assert "failed with exit code 3: 1 rows so far could not be scored" in (entry.reason or "")

    @pytest.mark.parametrize(("as_of", "word"), [("2013-01-01", "first run"), ("2015-01-01", "no run of this as_of")])
    def test_an_as_of_without_a_run_names_the_nearest(self, story: World, as_of: str, word: str) -> None:
        (entry,) = explain(story, KEPT, as_of=as_of).entries
        assert (entry.status, entry.is_current) == ("no_run", True)
        assert word in (entry.reason or "")

    def test_one_as_of_alone(self, story: World) -> None:
        assert told(explain(story, KEPT, as_of=SECOND)) == [(SECOND, 1, "scored", True)]

    def test_a_row_that_somebody_removed_is_told_with_its_value(self, story: World, tmp_path: Path) -> None:
        copy = World(story.spark, tmp_path / "home", story.registry)
        shutil.copytree(story.home, copy.home)
        DeltaTable(copy.path("predictions")).delete(f"id = {KEPT} AND as_of_date = '{SECOND}'")
        entry = entry_of(explain(copy, KEPT), SECOND, 1)
        assert (entry.status, entry.is_current, "prediction" in entry.values) == ("removed", True, True)

    def test_a_value_whose_version_was_vacuumed_is_told_as_unreadable(self, story: World, tmp_path: Path) -> None:
        copy = World(story.spark, tmp_path / "home", story.registry)
        shutil.copytree(story.home, copy.home)
        table = DeltaTable(copy.path("predictions"))
        table.vacuum(retention_hours=0, enforce_retention_duration=False, dry_run=False)
        found = explain(copy, KEPT)
        assert [status for _, _, status, _ in told(found)][:4] == ["unreadable", "unreadable", "scored", "scored"]
        assert "VACUUM has removed files" in (found.entries[0].reason or "")


class TestBeforeTheFirstRun:
    def test_the_job_has_no_runs_yet(self, story: World) -> None:
        other = story.settings(output={"table": "never"})
        found = explain_key(None, other, {"id": KEPT})
        assert (found.status, found.entries, found.challengers) == ("no_runs", (), ())

    def test_an_as_of_says_so_too(self, story: World) -> None:
        (entry,) = explain_key(None, story.settings(output={"table": "never"}), {"id": 1}, as_of=FIRST).entries
        assert (entry.status, entry.reason) == ("no_run", "the job has no runs yet")


class TestKeys:
    @pytest.mark.parametrize(
        ("key", "found"),
        [
            (["id=x"], "the key id is 'x'"),
            (["id=4.5"], "the key id is '4.5'"),
            (["id=" + "9" * 30], "the key id is '999"),
            (["id=4 OR 1=1"], "the key id is '4 OR 1=1'"),
            (["id='; DROP TABLE x --"], "the key id is"),
            (["no=4"], "'no' is no key column"),
            (["id=4", "id=5"], "the key column id is given twice"),
            (['{"id": 4, "id": 5}'], "the key column id is given twice"),
            (["{}"], "the key column id is missing"),
            (['{"id": "4"}'], "the key id is '4'"),
            (['{"id": null}'], "the key column id is NULL"),
            (['{"id": [4]}'], "the key id is"),
            (['{"id": 4'], "is no JSON object"),
            (["{" * 5000], "is no JSON object"),
        ],
    )
    def test_what_is_no_key_of_the_job_is_refused_in_words(self, story: World, key: Sequence[str], found: str) -> None:
        with pytest.raises(ConfigError) as refused:
            explain_key(None, job(story), key)
        assert found in refused.value.found
        assert len(refused.value.found) < 300

    @pytest.mark.parametrize("key", [["4"], ["id=4"], ['{"id": 4}'], {"id": 4}])
    def test_a_key_may_be_written_in_these_ways(self, story: World, key: Sequence[str] | Mapping[str, Any]) -> None:
        assert explain_key(None, job(story), key).status == "scored"

    def test_key_columns_that_the_prediction_table_lacks_are_named(self, story: World) -> None:
        other = story.settings(source={"keys": ["carrier_id"]})
        with pytest.raises(ConfigError, match="predictions has no column carrier_id") as refused:
            explain_key(None, other, ["4"])
        assert "id, prediction" in refused.value.expected

    @pytest.mark.parametrize("kind", [pa.binary(), pa.list_(pa.int64()), pa.struct([("a", pa.int64())])])
    def test_a_key_of_a_type_that_nobody_can_write_is_refused_with_where_to_look(self, kind: pa.DataType) -> None:
        with pytest.raises(ConfigError, match=re.escape(f"the key column id is of the type {kind}")) as refused:
            fit_key_values({"id": "x"}, pa.schema([("id", kind)]))
        assert "sparkscore sql history" in refused.value.do

    def test_a_table_of_another_job_is_refused(self, story: World) -> None:
        with pytest.raises(ForeignTable):
            explain_key(None, job(story).model_copy(update={"job": "other"}), ["4"])

    def test_sensitive_values_are_shown_nowhere(self, story: World) -> None:
        hidden = story.settings(**JOB | {"source": JOB["source"] | {"sensitive": ["carrier"]}})
        found = explain_key(None, hidden, {"id": KEPT})
        assert found.entries[0].values["carrier"] == "***"
        assert "AA" not in found.to_json()


class TestVerb:
    def test_it_needs_no_spark_and_says_one_line_of_json_and_a_table(self, story: World) -> None:
        code, line, said = run_alone("explain", f"id={BROKEN}", "--config", write_config(story, **JOB))
        assert (code, line["schema"], line["status"], line["key"]) == (0, 1, "scored", {"id": BROKEN})
        assert [entry["status"] for entry in line["entries"]][:2] == ["rejected", "scored"]
        for text in (
            "scored for 1 of 3 as_ofs",
            "rejected (superseded)",
            "by rollback",
            "not_published",
            "the input x1",
        ):
            assert text in said

    def test_with_spark_it_says_the_same(self, story: World, capfd: pytest.CaptureFixture[str]) -> None:
        words = ["--config", write_config(story, **JOB), f"id={GONE}"]
        alone = run_alone("explain", *words)[1]
        capfd.readouterr()
        assert main.run_verb("explain", words) == 0
        assert json.loads(capfd.readouterr().out) == alone

    @pytest.mark.parametrize("words", [("id=x",), ("--as-of", "soon", "4"), ("--as-of", FIRST), ("id={{ key }}",)])
    def test_what_is_wrong_ends_with_2(self, story: World, words: tuple[str, ...]) -> None:
        assert main.run_verb("explain", ["--config", write_config(story, **JOB), *words]) == 2
