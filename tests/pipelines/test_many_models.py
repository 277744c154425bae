"""One model per group: each row is scored by the model of its group, and says which one that was."""

from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake
from mlflow import MlflowClient

from sparkscore import ConfigError, Settings, SparkscoreError, retry_rejects, rollback, score
from sparkscore.errors import DeadlinePassed, ModelNotFound, SignatureError
from sparkscore.pipelines.scoring.plan_preview import preview_plan
from tests.group_models import ALIAS, register_lines, register_thousands, save_lines
from tests.model.coded import offset, put_coded
from tests.model.shelf import Shelf
from tests.world import AS_OF, Registry, World

SLOPES = {"a": 2.0, "b": 3.0, "c": 5.0}


@pytest.fixture(scope="module")
def lines(registry: Registry, tmp_path_factory: pytest.TempPathFactory) -> MlflowClient:
    """Models of the stores a, b and c; of b and c a second version, with ten times the slope."""
    folder = tmp_path_factory.mktemp("lines")
    slopes = [*SLOPES.values(), 10 * SLOPES["b"], 10 * SLOPES["c"]]
    folders = save_lines(folder, slopes)
    client = register_lines(registry.uri, [f"line-{store}" for store in SLOPES], folders[:3])
    for store, newer in zip("bc", folders[3:], strict=True):
        client.create_model_version(f"line-{store}", str(newer))
    return client


@pytest.fixture(autouse=True)
def aliases(request: pytest.FixtureRequest) -> None:
    """The alias champion is on version 1 of each."""
    if "lines" in request.fixturenames:
        for store in SLOPES:
            request.getfixturevalue("lines").set_registered_model_alias(f"line-{store}", ALIAS, "1")


def write_stores(world: World, stores: list[Any], *, kind: pa.DataType | None = None) -> None:
    """A source with a row for each of these stores, its x the number of the row."""
    ids = list(range(len(stores)))
    rows = {"id": ids, "store": stores, "x": [float(one) for one in ids]}
    schema = pa.schema([("id", pa.int64()), ("store", kind or pa.string()), ("x", pa.float64())])
    write_deltalake(world.path("sales"), pa.table(rows, schema), mode="overwrite", schema_mode="overwrite")


def store_settings(world: World, **groups: Any) -> Settings:
    """One model per store."""
    given = {
        "source": {"table": "sales", "keys": ["id"], "passthrough": ["store"]},
        "model": {"uri": "models:/line-{store}@champion", "by": ["store"], **groups.pop("model", {})},
        "output": {"table": "predictions", "threshold": None},
        "scoring": {"max_reject_ratio": 1.0, **groups.pop("scoring", {})},
    }
    return world.settings(**given, **groups)


def rows_of(world: World, name: str = "predictions") -> list[dict[str, Any]]:
    """The rows of a table."""
    found: list[dict[str, Any]] = DeltaTable(world.path(name)).to_pyarrow_table().to_pylist()
    return found


def predicted(world: World) -> dict[int, tuple[Any, ...]]:
    """Of each key what was predicted, and by which model."""
    return {row["id"]: (row["prediction"], row["model_name"], row["model_version"]) for row in rows_of(world)}


def expected(stores: list[Any], *, newer: str = "") -> dict[int, tuple[Any, ...]]:
    """The oracle; `newer`: the stores whose models are of version 2."""
    return {
        at: (pytest.approx(SLOPES[store] * (10 if store in newer else 1) * at), f"line-{store}", "12"[store in newer])
        for at, store in enumerate(stores)
        if store in SLOPES
    }


def test_each_row_is_scored_by_the_model_of_its_group_and_names_it(world: World, lines: MlflowClient) -> None:
    stores = ["a", "c", "b", "a", "none", None, "c", "../../x", "a/b", "{store}", "a" * 500]
    write_stores(world, stores)

    plan, told = preview_plan(world.spark, store_settings(world), as_of=AS_OF)
    assert plan.status == "dry_run"
    assert ("groups", "8 of store, 3 models") in told
    assert "store 'a': line-a version 1, 2 rows" in [how for what, how in told if what == "group"]
    assert len([how for what, how in told if what == "no model"]) == 5

    report = score(world.spark, store_settings(world), as_of=AS_OF)
    assert report.status == "published"
    assert predicted(world) == expected(stores)
    rejects = rows_of(world, "predictions_rejects")
    assert {row["code"] for row in rejects} == {"no_model"}
    assert len(rejects) == report.rows_rejected == 6
    assert report.model_loads == 3
    assert report.model is not None
    assert report.model.name == "models:/line-{store}@champion"
    kept = rows_of(world, "predictions_models")
    assert {row["set_digest"] for row in kept} == {report.model.digest}
    assert sorted(row["model_name"] or "" for row in kept) == ["", "", "", "", "", "line-a", "line-b", "line-c"]


def test_a_replacement_takes_moved_aliases_and_a_rollback_brings_the_models_back(
    world: World, lines: MlflowClient
) -> None:
    stores = ["a", "b", "c", "b"]
    write_stores(world, stores)
    first = score(world.spark, store_settings(world), as_of=AS_OF)
    lines.set_registered_model_alias("line-b", ALIAS, "2")
    assert score(world.spark, store_settings(world), as_of=AS_OF).status == "already_published"
    assert predicted(world) == expected(stores)

    second = score(world.spark, store_settings(world), as_of=AS_OF, replace=True)
    assert predicted(world) == expected(stores, newer="b")
    assert second.model != first.model

    back, _ = rollback(world.spark, store_settings(world), as_of=AS_OF)
    assert back.model == first.model
    assert predicted(world) == expected(stores)


def test_an_attempt_that_did_not_end_keeps_the_versions_of_all_groups(world: World, lines: MlflowClient) -> None:
    stores = ["a", "b", "c"]
    write_stores(world, stores)
    with pytest.raises(DeadlinePassed):
        score(world.spark, store_settings(world, scoring={"deadline": 1e-9}), as_of=AS_OF)
    lines.set_registered_model_alias("line-c", ALIAS, "2")

    assert score(world.spark, store_settings(world), as_of=AS_OF).status == "published"
    assert predicted(world) == expected(stores)


class TestTables:
    """A table maps groups to models."""

    def write_mapping(self, world: World, rows: list[tuple[Any, str, str]], kind: pa.DataType) -> None:
        stores, models, versions = zip(*rows, strict=True)
        table = pa.table({"store": pa.array(stores, kind), "model": models, "version": pa.array(versions)})
        write_deltalake(world.path("champions"), table, mode="overwrite", schema_mode="overwrite")

    def mapped(self, world: World) -> Settings:
        uri, groups = "models:/{model}/{version}", {"table": "champions"}
        return store_settings(world, model={"uri": uri, "groups": groups})

    def test_groups_of_a_table_have_the_versions_that_it_names(self, world: World, lines: MlflowClient) -> None:
        days = [date(2013, 1, 1), date(2013, 1, 2), date(2013, 1, 3), date(2013, 1, 1), None]
        write_stores(world, days, kind=pa.date32())
        rows = [(days[0], "line-a", "1"), (days[1], "line-b", "2"), (None, "line-c", "1"), (days[2], "../c", "x")]
        self.write_mapping(world, rows, pa.date32())

        report = score(world.spark, self.mapped(world), as_of=AS_OF)

        assert {at: found[1:] for at, found in predicted(world).items()} == {
            0: ("line-a", "1"),
            1: ("line-b", "2"),
            3: ("line-a", "1"),
        }
        assert predicted(world)[1][0] == pytest.approx(30.0)
        assert report.rows_rejected == 2
        pins = DeltaTable(world.path("predictions_runs")).to_pyarrow_table(columns=["scoring_digest"])
        assert "+groups:" in pins[0][0].as_py()

    def test_two_rows_of_one_group_are_refused(self, world: World, lines: MlflowClient) -> None:
        write_stores(world, [1, 2], kind=pa.int32())
        self.write_mapping(world, [(1, "line-a", "1"), (1, "line-b", "1")], pa.int64())
        with pytest.raises(ConfigError, match="1 more rows than groups"):
            score(world.spark, self.mapped(world), as_of=AS_OF)


class TestUnfitModels:
    """Models that cannot be loaded, or do not fit the others."""

    def test_rows_of_a_model_that_cannot_be_loaded_are_rejects(
        self, world: World, lines: MlflowClient, tmp_path: Path
    ) -> None:
        if not lines.search_registered_models("name = 'line-broken'"):
            (folder,) = save_lines(tmp_path, [1.0])
            (file,) = folder.glob("*.skops")
            file.write_bytes(file.read_bytes()[:-200] + b"\0" * 200)
            register_lines(str(lines.tracking_uri), ["line-broken"], [folder])
        write_stores(world, ["a", "broken", "a", "broken"])

        report = score(world.spark, store_settings(world), as_of=AS_OF)

        assert predicted(world).keys() == {0, 2}
        assert report.rows_rejected == 2
        rejects = rows_of(world, "predictions_rejects")
        assert [(row["code"], row["error"]) for row in rejects] == [("no_model", "BadZipFile")] * 2
        told = "line-broken version 1: the model could not be loaded on an executor: BadZipFile"
        assert all(told in row["message"] for row in rejects)

    def test_models_of_other_signatures_are_refused_with_the_two_named(self, world: World, lines: MlflowClient) -> None:
        if not lines.search_registered_models("name = 'line-late'"):
            version = lines.get_model_version("late", "1")
            lines.create_registered_model("line-late")
            source = lines.get_model_version_download_uri("late", version.version)
            lines.create_model_version("line-late", source)
            lines.set_registered_model_alias("line-late", ALIAS, "1")
        write_stores(world, ["a", "late"])
        with pytest.raises(SignatureError, match="line-late version 1 has other inputs than line-a version 1"):
            score(world.spark, store_settings(world), as_of=AS_OF)

    def test_no_model_at_all_ends_the_run(self, world: World, lines: MlflowClient) -> None:
        write_stores(world, ["x", "y"])
        with pytest.raises(ModelNotFound, match="none of the 2 groups has a model"):
            score(world.spark, store_settings(world), as_of=AS_OF)

    def test_more_rows_without_a_model_than_allowed_end_the_run(self, world: World, lines: MlflowClient) -> None:
        write_stores(world, ["a", "y"])
        with pytest.raises(SparkscoreError) as found:
            score(world.spark, store_settings(world, scoring={"max_reject_ratio": 0.1}), as_of=AS_OF)
        assert found.value.exit_code == 3


def test_a_source_without_rows_has_nothing_to_score(world: World, lines: MlflowClient) -> None:
    write_stores(world, [])
    assert score(world.spark, store_settings(world), as_of=AS_OF).status == "nothing_to_score"


@pytest.mark.slow
def test_rejects_are_scored_again_by_the_models_that_were_pinned(world: World, lines: MlflowClient) -> None:
    stores = ["a", "b", "y"]
    write_stores(world, stores)
    report = score(world.spark, store_settings(world), as_of=AS_OF)
    lines.set_registered_model_alias("line-b", ALIAS, "2")
    again = retry_rejects(world.spark, store_settings(world), run=str(report.run_id))
    assert again.status == "nothing_to_score"
    assert predicted(world) == expected(stores)


@pytest.mark.slow
def test_segments_by_group_are_profiled(world: World, lines: MlflowClient) -> None:
    write_stores(world, ["a", "b", "a"])
    settings = store_settings(world, profile={"rows": "all", "segments": ["store"]}, monitor={"report": True})
    report = score(world.spark, settings, as_of=AS_OF)
    slices = {row["slice_value"] for row in rows_of(world, "predictions_profile") if row["slice_key"] == "store"}
    assert slices == {"a", "b"}
    assert report.report is not None
    assert "models:/line-{store}@champion" in Path(report.report).read_text(encoding="utf-8")


@pytest.mark.slow
def test_two_thousand_models_are_each_loaded_about_once(
    world: World, registry: Registry, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    count, rows = 2_000, 100_000
    register_thousands(
        registry.uri,
        [f"many-{store}" for store in range(count)],
        save_lines(tmp_path, [store / 10 for store in range(count)]),
    )
    ids = np.arange(rows)
    stores = np.where(ids % 2 == 0, 7, ids % count)  # half of all rows are of one store
    write_deltalake(world.path("sales"), pa.table({"id": ids, "store": stores, "x": ids % 97 * 1.0}))
    settings = store_settings(world, model={"uri": "models:/many-{store}@champion"})

    report = score(world.spark, settings, as_of=AS_OF)

    seen = DeltaTable(world.path("predictions")).to_pyarrow_table().sort_by("id").to_pandas()
    np.testing.assert_allclose(seen["prediction"], stores / 10 * (ids % 97), rtol=1e-9)
    assert (seen["model_name"] == "many-" + pd.Series(stores).astype(str)).all()
    with_rows = len(np.unique(stores))
    assert with_rows <= (report.model_loads or 0) <= with_rows + 20
    assert report.executors["evictions"] >= with_rows - 2 * 100 - 20
    for name, value in {**report.seconds, **report.executors}.items():
        record_property(name, value)


@pytest.mark.slow
def test_models_whose_modules_have_the_same_names_share_none(world: World, tmp_path: Path) -> None:
    (tmp_path / "shelf").mkdir()
    shelf = Shelf(tmp_path / "shelf")
    for version, store in ((1, "a"), (2, "b")):
        put_coded(shelf, tmp_path / "code", version, name=f"coded-{store}")
        shelf.client.set_registered_model_alias(f"coded-{store}", ALIAS, "1")
    rows = {"id": list(range(6)), "store": list("abbaab"), "x1": np.arange(6.0)}
    write_deltalake(world.path("sales"), pa.table(rows))
    model = {"uri": "models:/coded-{store}@champion", "tracking_uri": shelf.uri}
    report = score(world.spark, store_settings(world, model=model), as_of=AS_OF)
    seen = {row["id"]: row["prediction"] for row in rows_of(world)}
    assert seen == {at: at + offset(1 if store == "a" else 2) for at, store in enumerate("abbaab")}
    assert report.model_loads == 2
