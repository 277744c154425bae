"""Runs that score what has changed in the source since the last publication."""

import random
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from delta.tables import DeltaTable
from pyspark.sql import Column

from sparkscore import rollback, score
from sparkscore.errors import ConfigError, PinsConflict, VersionGone
from sparkscore.pipelines.scoring.plan_preview import preview_plan
from sparkscore.publish.latest_view import latest_predictions
from sparkscore.records import ReportedIncrement
from sparkscore.settings import Settings
from tests.world import AS_OF, World, assert_published, source_rows

DAYS = ["2014-01-01", "2014-01-02", "2014-01-03", "2014-01-04", "2014-01-05"]


def settings_of(world: World, **source: Any) -> Settings:
    kept = {"table": "flights", "keys": ["id"], "passthrough": ["carrier"], "read": "changes"}
    return world.settings(source={**kept, **source})


def update(world: World, where: str, **values: str | Column) -> None:
    DeltaTable.forPath(world.spark, world.path("flights")).update(where, values)


def delete(world: World, where: str) -> None:
    DeltaTable.forPath(world.spark, world.path("flights")).delete(where)


def source_now(world: World) -> pa.Table:
    return world.table("flights").orderBy("id").toArrow()


def latest(world: World) -> pd.DataFrame:
    return latest_predictions(world.table(), keys=["id"]).orderBy("id").toPandas()


def assert_latest(world: World, *, version: int = 1) -> None:
    """Each row of the source has the prediction of its present values, and no other key has one."""
    rows, seen = source_now(world), latest(world)
    assert seen["id"].tolist() == rows["id"].to_pylist()
    np.testing.assert_allclose(seen["prediction"], world.registry.expected(rows, version=version), rtol=0, atol=1e-12)


class TestOneDayAfterTheOther:
    """One world, whose days follow one another."""

    def test_each_run_scores_what_has_changed_since_the_one_before(self, world: World) -> None:
        settings = settings_of(world)
        first = score(world.spark, settings, as_of=AS_OF)
        assert_published(world, first, source_rows())
        assert first.increment == ReportedIncrement(None, 0, reason="the first run of the job")

        world.write_source(source_rows(5, first=60), mode="append")
        update(world, "id < 3", x1="x1 + 1")
        DeltaTable.forPath(world.spark, world.path("flights")).optimize().executeCompaction()
        plan, lines = preview_plan(world.spark, settings, as_of=DAYS[0])
        assert dict(lines)["rows"] == "those that changed after version 0, up to version 3"
        assert plan.plan is not None
        assert plan.plan.rows_known == "at_most"
        second = score(world.spark, settings, as_of=DAYS[0])
        assert second.increment == ReportedIncrement(0, 3, 8, 0)
        assert (second.run_id, second.transport) == (plan.run_id, "scan")
        assert world.predictions(as_of=DAYS[0])["id"].tolist() == [0, 1, 2, 60, 61, 62, 63, 64]
        assert (second.source and second.source.version, second.rows_read, second.rows_scored) == (3, 8, 8)
        assert set(world.predictions(as_of=DAYS[0])["source_version"]) == {3}
        assert_latest(world)
        assert score(world.spark, settings, as_of=DAYS[0]).increment == second.increment

        nothing = score(world.spark, settings, as_of=DAYS[1])
        assert (nothing.status, nothing.exit_code, nothing.increment) == (
            "nothing_to_score",
            0,
            ReportedIncrement(3, 3, 0, 0),
        )
        before = world.version()
        update(world, "id = 7", carrier="'ZZ'")
        delete(world, "id = 1")
        third = score(world.spark, settings, as_of=DAYS[2])
        assert third.increment == ReportedIncrement(3, 5, 1, 1)
        assert world.version() == before + 1
        assert world.predictions(as_of=DAYS[2])["carrier"].tolist() == ["ZZ"]

        update(world, "id = 8", x2="x2 - 1")
        assert score(world.spark, settings, as_of=DAYS[1]).status == "already_published"
        with pytest.raises(ConfigError, match="is older than 2014-01-03"):
            score(world.spark, settings, as_of="2014-01-02T12:00:00Z")
        middle = score(world.spark, settings, as_of=DAYS[0], replace=True)
        assert middle.increment == second.increment
        newest = score(world.spark, settings, as_of=DAYS[2], replace=True)
        assert newest.increment == ReportedIncrement(3, 6, 2, 1)
        with pytest.raises(PinsConflict, match=r"source\.read changes published, all asked for"):
            score(world.spark, settings, as_of=DAYS[2], full=True)
        full = score(world.spark, settings, as_of=DAYS[3], full=True)
        assert full.increment == ReportedIncrement(None, 6, reason="--full")
        assert_published(world, full, source_now(world), as_of=DAYS[3])


class TestDeletedRows:
    """What becomes of predictions whose row is deleted in the source."""

    def test_marked_keys_leave_latest_and_count_as_no_prediction(self, world: World, tmp_path: Path) -> None:
        exports = [{"name": "csv", "format": "csv", "path": str(tmp_path / "out")}]
        settings = settings_of(world, on_delete="mark").model_copy()
        settings = world.settings(source=settings.source.model_dump(), output={"exports": exports})
        world.begin_with(settings_of(world, on_delete="mark"))
        delete(world, "id < 3")
        update(world, "id = 3", x1="x1 + 1")
        second = score(world.spark, settings, as_of=DAYS[0])
        assert second.increment == ReportedIncrement(0, 2, 1, 3, on_delete="mark")
        assert (second.rows_scored, second.exports[0].rows) == (1, 1)
        seen = world.predictions(as_of=DAYS[0])
        assert seen["id"].tolist() == [0, 1, 2, 3]
        assert seen["_source_deleted"].tolist() == [True, True, True, False]
        assert seen["prediction"].isna().tolist() == [True, True, True, False]
        assert_latest(world)
        assert score(world.spark, settings, as_of=DAYS[0]).status == "already_published"

        delete(world, "id = 5")
        only = score(world.spark, settings, as_of=DAYS[1])
        assert (only.status, only.rows_scored, only.increment and only.increment.rows_deleted) == ("published", 0, 1)
        assert score(world.spark, settings, as_of=DAYS[1]).status == "already_published"
        assert_latest(world)

        world.write_source(source_rows(1, first=5), mode="append")  # as it was: the mark has to go
        again = score(world.spark, settings, as_of=DAYS[1], replace=True)
        assert (again.status, again.rows_removed) == ("published", 1)
        assert_latest(world)

    @pytest.mark.slow
    def test_deleted_keys_lose_their_rows_of_all_as_ofs(self, world: World) -> None:
        settings = settings_of(world, on_delete="delete")
        world.begin_with(settings)
        update(world, "id < 10", x1="x1 + 1")
        score(world.spark, settings, as_of=DAYS[0])
        delete(world, "id < 3")
        world.write_source(source_rows(1, first=60), mode="append")
        before = world.version()
        third = score(world.spark, settings, as_of=DAYS[1])
        assert (third.increment, third.rows_removed) == (ReportedIncrement(1, 3, 1, 3, on_delete="delete"), 0)
        assert world.version() == before + 1
        assert world.table().where("id < 3").isEmpty()
        assert_latest(world)
        for day in (AS_OF, DAYS[0], DAYS[1]):
            assert score(world.spark, settings, as_of=day).status == "already_published"
        with pytest.raises(ConfigError, match="may bring back"):
            score(world.spark, settings, as_of=DAYS[0], replace=True)

    @pytest.mark.slow
    def test_a_full_run_knows_the_keys_that_are_gone(self, world: World) -> None:
        world.begin_with(settings_of(world))
        delete(world, "id < 3")
        world.write_source(source_rows(1, first=60), mode="append")
        full = score(world.spark, settings_of(world, on_delete="mark"), as_of=DAYS[0], full=True)
        assert full.increment == ReportedIncrement(None, 2, None, 3, "--full", "mark")
        assert_latest(world)


STEPS = (
    "UPDATE {t} SET x1 = x1 + 0.5 WHERE id % {many} = 0",
    "UPDATE {t} SET x2 = {many} / 8 WHERE id = {key}",
    "DELETE FROM {t} WHERE id = {key} OR id = {key} + 1",
    "MERGE INTO {t} AS t USING (SELECT id, 'AA' AS carrier, id / 100 AS x1, 0.5D AS x2 FROM range({key}, {key} + 4)) AS"
    " s ON t.id = s.id WHEN MATCHED AND s.id % 2 = 0 THEN UPDATE SET x1 = s.x1 WHEN NOT MATCHED THEN INSERT *",
    "OPTIMIZE {t}",
    "INSERT OVERWRITE {t} SELECT * FROM {t}",
)


class TestHistories:
    """Random histories of the source: after each step, `_latest` is what one full run would be."""

    @pytest.mark.slow
    @pytest.mark.parametrize(
        ("feed", "vectors", "on_delete", "seed"),
        [(True, False, "mark", 1), (False, True, "mark", 2), (False, False, "delete", 3)],
    )
    def test_increments_equal_a_full_run_per_key(
        self, world: World, feed: bool, vectors: bool, on_delete: str, seed: int
    ) -> None:
        rng, table = random.Random(seed), f"delta.`{world.path('flights')}`"
        world.spark.sql(
            f"ALTER TABLE {table} SET TBLPROPERTIES ('delta.enableChangeDataFeed' = '{feed}',"
            f" 'delta.enableDeletionVectors' = '{vectors}')"
        )
        settings = settings_of(world, on_delete=on_delete)
        score(world.spark, settings, as_of=AS_OF)
        for day in range(1, 7):
            for _ in range(rng.randint(1, 3)):
                step = rng.choice(STEPS).format(t=table, key=rng.randrange(70), many=rng.randrange(2, 7))
                world.spark.sql(step)
            report = score(world.spark, settings, as_of=f"2014-02-{day:02}")
            assert report.increment is not None
            assert report.increment.since is not None
            assert_latest(world)


class TestErrors:
    """What changed cannot be told: exit 2, what is missing, and a way out."""

    def test_a_source_that_was_made_anew(self, world: World) -> None:
        settings = settings_of(world)
        world.begin_with(settings)
        shutil.rmtree(world.path("flights"))
        world.write_source(source_rows(50))
        with pytest.raises(VersionGone, match="is another table than the one that was scored") as gone:
            score(world.spark, settings, as_of=DAYS[0])
        assert (gone.value.exit_code, "--full" in gone.value.do) == (2, True)
        assert score(world.spark, settings, as_of=DAYS[0], full=True).rows_scored == 50

    def test_a_version_before_the_one_that_was_scored(self, world: World) -> None:
        world.write_source(source_rows(5, first=60), mode="append")
        world.begin_with(settings_of(world))
        with pytest.raises(VersionGone, match="would be read at version 0, and version 1 is published"):
            score(world.spark, settings_of(world, version=0), as_of=DAYS[0])

    def test_full_without_changes_would_do_nothing(self, world: World) -> None:
        with pytest.raises(ConfigError, match=r"--full with source\.read: all"):
            score(world.spark, world.settings(), as_of=AS_OF, full=True)


@pytest.mark.slow
class TestModels:
    """What a new version of the model scores, and which rows a rollback and a retry publish."""

    def test_everything_or_what_changes_from_now_on(self, world: World) -> None:
        world.begin_with(settings_of(world))
        update(world, "id = 3", x1="x1 + 1")
        world.registry.alias(2)
        later = score(world.spark, settings_of(world, on_new_model="from_now"), as_of=DAYS[0])
        assert later.increment == ReportedIncrement(0, 1, 1, 0)
        everything = score(world.spark, settings_of(world), as_of=DAYS[0], replace=True)
        assert everything.increment == ReportedIncrement(0, 1, 1, 0)  # the range of what is replaced
        world.registry.alias(1)
        third = score(world.spark, settings_of(world), as_of=DAYS[1])
        assert third.increment == ReportedIncrement(None, 1, reason="model version 1 after 2")
        assert_latest(world)

    def test_a_rollback_restores_marks_and_the_next_increment_goes_on_from_it(self, world: World) -> None:
        settings = settings_of(world, on_delete="mark")
        world.begin_with(settings)
        delete(world, "id = 1")
        score(world.spark, settings, as_of=DAYS[0])
        delete(world, "id = 2")
        score(world.spark, settings, as_of=DAYS[0], replace=True)
        assert_latest(world)
        back, _ = rollback(world.spark, settings, as_of=DAYS[0])
        assert (back.status, back.rows_scored, back.increment and back.increment.rows_deleted) == ("published", 0, 1)
        assert world.predictions(as_of=DAYS[0])["id"].tolist() == [1]
        third = score(world.spark, settings, as_of=DAYS[1])
        assert third.increment == ReportedIncrement(1, 2, 0, 1, on_delete="mark")
        assert_latest(world)
        with pytest.raises(ConfigError, match="has read other versions of the source"):
            rollback(world.spark, settings, as_of=DAYS[0], to="2")
