"""Challengers of whole runs: beside the champion's rows, in its pass, and never in its way."""

import re
from typing import Any

import numpy as np
import pandas as pd
import pytest
from deltalake import DeltaTable

from sparkscore import score
from sparkscore.pipelines.scoring.plan_preview import preview_plan
from sparkscore.pipelines.shared import challenger_publication
from sparkscore.settings import Settings
from tests.model.coded import offset, put_coded
from tests.model.shelf import Answers, Shelf, columns, signature, tensor
from tests.world import AS_OF, MODEL, World, assert_published, source_rows


def challenging(world: World, *challengers: dict[str, Any], **groups: Any) -> Settings:
    world.registry.alias(2, alias="challenger")
    given = challengers or ({"uri": f"models:/{MODEL}@challenger"},)
    return world.settings(challengers=list(given), **groups)


def challenger_rows(world: World) -> pd.DataFrame:
    frame: pd.DataFrame = DeltaTable(world.path("predictions_challengers")).to_pyarrow_table().to_pandas()
    return frame.sort_values(["model_version", "id"], ignore_index=True)


def assert_is_challenger(world: World, rows: pd.DataFrame, *, version: int = 2) -> None:
    expected = world.registry.expected(source_rows(), version=version)
    assert rows["id"].tolist() == list(range(60))
    np.testing.assert_allclose(rows["prediction"], expected, rtol=0, atol=1e-12)
    assert rows["label"].tolist() == (rows["prediction"] >= 0.5).astype(int).tolist()
    assert set(rows["model_version"]) == {str(version)}


def test_a_challenger_scores_the_champions_rows_in_its_pass_and_changes_nothing_of_it(world: World) -> None:
    alone = score(world.spark, world.settings(), as_of="2013-12-30")
    report = score(world.spark, challenging(world), as_of=AS_OF)
    assert (report.status, report.exit_code, report.warnings) == ("published", 0, ())
    assert_published(world, report, source_rows())
    (made,) = report.challengers
    assert (made.status, made.rows, made.rejects, made.in_pass) == ("published", 60, 0, True)
    assert made.model is not None
    assert made.model.version == "2"
    assert min(made.loads or 0, made.model_bytes or 0, made.seconds or 0, made.champion_seconds or 0) > 0
    rows = challenger_rows(world)
    assert_is_challenger(world, rows)
    assert set(rows["champion_run_id"]) == {report.run_id}
    assert set(rows["run_id"]) == {made.run_id} != {report.run_id}
    assert rows.columns.tolist() == [*world.predictions().columns, "champion_run_id"]
    assert alone.model == report.model

    again = score(None, challenging(world), as_of=AS_OF)  # nothing to do, and no session to know it
    assert (again.status, again.challengers) == ("already_published", ())
    assert world.events() == ["started", "staged", "published"] * 2 + ["challenged"]


def failing(shelf: Shelf) -> list[dict[str, Any]]:
    """Challengers that fail, each in its own way."""
    signed = signature(columns(x1="double"), tensor("float64"))

    def exit_at_once(frame: Any) -> Any:
        import os

        os._exit(75)

    def hang(frame: Any) -> Any:
        import time

        time.sleep(600)

    wanting = signature(columns(x1="double", unknown="double"), tensor("float64"))
    text = signature(columns(x1="double"), tensor("str"))
    uris = [
        shelf.put("raises", Answers(lambda frame: 1 / 0), signed),
        shelf.put("exits", Answers(exit_at_once), signed),
        shelf.put("hangs", Answers(hang), signed),
        shelf.put("wants", Answers(lambda frame: frame["x1"]), wanting),
        shelf.put("words", Answers(lambda frame: frame["x1"].astype(str)), text),
        "models:/nobody@challenger",
    ]
    return [{"uri": uri, "timeout": 8.0} for uri in uris]


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Shelf:
    """A registry with two versions that bring modules of the same names."""
    folder = tmp_path_factory.mktemp("shelf")
    made = Shelf(folder)
    for version in (1, 2):
        put_coded(made, folder / "code", version, name="coded")
    return made


@pytest.mark.slow
def test_whatever_challengers_do_the_champion_is_published_and_a_sound_one_beside_it(
    world: World, shelf: Shelf
) -> None:
    sound, broken = {"uri": "models:/coded/2"}, failing(shelf)
    settings = world.settings(
        model={"uri": "models:/coded/1", "tracking_uri": shelf.uri},
        output={"threshold": None},
        challengers=[*broken, sound, {"uri": "models:/coded/1"}],
    )
    report = score(world.spark, settings, as_of=AS_OF)
    assert (report.status, report.exit_code) == ("published", 0)
    seen, x1 = world.predictions(), source_rows()["x1"].to_numpy()
    np.testing.assert_array_equal(seen["prediction"], x1[seen["id"]] + offset(1))
    made = {one.uri.removeprefix("models:/"): one for one in report.challengers}
    assert {uri: one.status for uri, one in made.items()} == {
        **{one["uri"].removeprefix("models:/"): "failed" for one in broken},
        "coded/2": "published",
        "coded/1": "skipped",
    }
    reasons = [
        ("raises/1", "rows"),
        ("exits/1", "the model process failed"),
        ("hangs/1", "did not answer within 8 s|took too long to load"),
        ("wants/1", "unknown"),
        ("words/1", "string"),
        ("nobody@challenger", "nobody"),
    ]
    for uri, words in reasons:
        assert re.search(words, str(made[uri].error)), uri
    assert made["coded/2"].in_pass
    rows = challenger_rows(world)
    assert set(rows["model_name"]) == {"coded"}
    np.testing.assert_array_equal(rows["prediction"], x1[rows["id"]] + offset(2))
    assert report.model_loads  # of the champion alone
    events = world.table("predictions_runs").where("event = 'challenged'").collect()
    assert sorted(bool(row["error"]) for row in events) == [False] * 2 + [True] * 6


def test_a_strict_challenger_that_fails_decides_the_exit_code_of_a_published_run(world: World) -> None:
    settings = challenging(world, {"uri": "models:/nobody@challenger", "strict": True}, {"uri": f"models:/{MODEL}/2"})
    _, lines = preview_plan(world.spark, settings, as_of=AS_OF)
    told = [how for what, how in lines if what == "challenger"]
    assert "nobody@challenger: would fail: the registry does not have" in told[0]
    assert "late version 2, sklearn runtime, up to 300 s" in told[1]
    report = score(world.spark, settings, as_of=AS_OF)
    assert (report.status, report.exit_code) == ("published", 4)
    assert_published(world, report, source_rows())


def test_what_a_kill_left_out_the_next_call_makes_up_for_with_the_pinned_version_and_without_scoring(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    class KilledError(BaseException):
        pass

    def die(*_: object) -> None:
        raise KilledError

    settings = challenging(world)
    with monkeypatch.context() as patched:
        patched.setattr(challenger_publication, "publish_challenger_rows", die)
        with pytest.raises(KilledError):
            score(world.spark, settings, as_of=AS_OF)
    first = world.predictions()
    world.registry.alias(1, alias="challenger")  # moved meanwhile: what the run has pinned counts
    again = score(world.spark, settings, as_of=AS_OF)
    assert again.status == "already_published"
    (made,) = again.challengers
    assert (made.status, made.rows, made.loads, made.seconds) == ("published", 60, 0, None)
    assert_is_challenger(world, challenger_rows(world))
    pd.testing.assert_frame_equal(world.predictions(), first)
    version = world.version("predictions_challengers")
    assert score(world.spark, settings, as_of=AS_OF).challengers == ()
    assert world.version("predictions_challengers") == version


def test_another_set_of_challengers_leaves_the_champion_alone_and_a_promoted_one_is_not_scored_again(
    world: World,
) -> None:
    without = score(world.spark, world.settings(), as_of=AS_OF)
    version = world.version()
    later = score(world.spark, challenging(world), as_of=AS_OF)
    assert (later.status, later.run_id, later.model_loads) == ("already_published", without.run_id, 0)
    assert [one.status for one in later.challengers] == ["published"]
    assert world.version() == version
    assert_is_challenger(world, challenger_rows(world))

    world.registry.alias(2)  # the challenger becomes the champion, and what it has predicted is there
    promoted = score(world.spark, challenging(world), as_of=AS_OF, replace=True)
    assert (promoted.status, promoted.revision, promoted.model_loads) == ("published", 2, 0)
    assert promoted.chunks_reused
    assert_published(world, promoted, source_rows(), version=2)
    assert [one.status for one in promoted.challengers] == ["skipped"]


@pytest.mark.slow
def test_where_spark_reads_the_rows_it_is_one_read_too_and_the_next_revision_replaces_a_challengers_rows(
    world: World,
) -> None:
    first = score(world.spark, challenging(world, scoring={"transport": "arrow"}), as_of=AS_OF)
    assert (first.transport, first.warnings) == ("arrow", ())
    assert_published(world, first, source_rows())
    assert [(one.status, one.in_pass, one.rows) for one in first.challengers] == [("published", True, 60)]
    assert first.challengers[0].champion_seconds
    assert_is_challenger(world, challenger_rows(world))
    world.write_source(source_rows(40))
    second = score(
        world.spark, challenging(world, scoring={"transport": "pandas_udf"}), as_of=AS_OF, replace=True
    )  # which reads them once more
    assert [(one.status, one.in_pass, one.rows) for one in second.challengers] == [("published", False, 40)]
    rows = challenger_rows(world)
    assert rows["id"].tolist() == list(range(40))
    assert set(rows["champion_run_id"]) == {second.run_id} != {first.run_id}
