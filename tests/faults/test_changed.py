"""Tables that change while a run reads them, and after it has written them."""

import shutil
from collections.abc import Callable

import pytest
from delta.tables import DeltaTable

from sparkscore.errors import ConfigError, ForeignTable, TableChanged
from sparkscore.records import ReportedSource
from tests.faults.checker import Expected
from tests.faults.scene import ROWS, Scene
from tests.world import AS_OF, source_rows

STAGING = "sparkscore.pipelines.scoring.staging:score_missing_rows"


class TestSource:
    @pytest.mark.parametrize(
        ("mode", "transport"),
        [
            ("append", "scan"),
            ("append", "arrow"),
            pytest.param("overwrite", "scan", marks=pytest.mark.smoke),
            ("overwrite", "arrow"),
        ],
    )
    def test_written_to_mid_run_the_result_is_that_of_the_pinned_version(
        self, scene: Scene, mode: str, transport: str
    ) -> None:
        more = source_rows(300, first=ROWS)
        with scene.during(STAGING, lambda: scene.world.write_source(more, mode=mode)):
            report = scene.run(scoring={"transport": transport})
        assert scene.world.version("flights") == 1
        assert (report.status, report.source) == ("published", ReportedSource("flights", 0))
        scene.check()

    @pytest.mark.parametrize("transport", ["scan", "arrow"])
    def test_vacuumed_mid_run_is_an_error_before_anything_is_visible(self, scene: Scene, transport: str) -> None:
        spark, path = scene.world.spark, scene.world.path("flights")

        def vacuum() -> None:
            scene.world.write_source(source_rows(5))
            DeltaTable.forPath(spark, path).vacuum(0)

        spark.conf.set("spark.databricks.delta.retentionDurationCheck.enabled", "false")
        try:
            with scene.during(STAGING, vacuum), pytest.raises(ConfigError, match="gone") as caught:
                scene.run(scoring={"transport": transport})
        finally:
            spark.conf.unset("spark.databricks.delta.retentionDurationCheck.enabled")
        assert caught.value.do
        counted = spark.read.format("delta").option("versionAsOf", 0).load(path).count()
        assert counted == ROWS  # the count alone would not have told
        assert scene.world.version() == -1
        assert scene.run().rows_scored == 5
        scene.check(Expected(source_rows(5)))

    def test_a_back_fill_of_an_older_version_is_published_after_a_newer_one(self, scene: Scene) -> None:
        scene.world.write_source(source_rows(300))
        scene.begin_with()
        scene.run(as_of="2013-11-30", source={"version": 0})
        scene.check(Expected(source_rows(300)), Expected(scene.rows, "2013-11-30"))


class TestPredictionTable:
    def restored(self, scene: Scene) -> None:
        DeltaTable.forPath(scene.world.spark, scene.world.path("predictions")).restoreToVersion(0)

    def deleted(self, scene: Scene) -> None:
        shutil.rmtree(scene.world.path("predictions"))

    def made_anew(self, scene: Scene) -> None:
        """Another attempt's first step after the table was deleted."""
        self.deleted(scene)
        scene.run(as_of="2013-11-30")

    @pytest.mark.parametrize("change", [restored, pytest.param(deleted, marks=pytest.mark.smoke), made_anew])
    def test_changed_behind_our_back_is_an_error_that_names_it_until_forced(
        self, scene: Scene, change: Callable[["TestPredictionTable", Scene], None]
    ) -> None:
        scene.begin_with()
        change(self, scene)
        with pytest.raises(TableChanged, match="changed by someone else") as caught:
            scene.run()
        assert "--force" in str(caught.value)
        paid = scene.traps.paid()
        report = scene.run(force=True)
        assert (report.status, report.revision, scene.traps.paid()) == ("published", 2, paid)
        others = [Expected(scene.rows, "2013-11-30")] if change is TestPredictionTable.made_anew else []
        scene.check(Expected(scene.rows, AS_OF), *others)

    def test_replaced_by_a_table_of_somebody_else_is_not_written_to(self, scene: Scene) -> None:
        scene.begin_with()
        shutil.rmtree(scene.world.path("predictions"))
        scene.world.write_source(scene.rows, name="predictions")
        for force in (False, True):
            with pytest.raises(ForeignTable, match="predictions belongs to no job"):
                scene.run(force=force)
        assert scene.world.version() == 0
