"""A rollback: an earlier run's rows are seen again, as a new revision, and nothing in between is ever seen."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from delta.tables import DeltaTable
from pyspark.sql import functions as F

from sparkscore.errors import AccessDenied, ConfigError, PinsConflict, TableChanged, VersionGone
from sparkscore.pipelines import rollback as page
from sparkscore.pipelines.rollback import RollbackLines, rollback
from sparkscore.publish.publish_run import publish_run
from sparkscore.records import ReportedSource, RunReport
from sparkscore.settings import Settings
from tests.world import AS_OF, SOURCE, World, assert_published, source_rows

KILLED = KeyboardInterrupt()
OLD, NEW = source_rows(60), source_rows(20, first=50)


def run(world: World, *, as_of: str = AS_OF, replace: bool = False, **groups: Any) -> RunReport:
    return world.begin_with(world.settings(**groups), as_of=as_of, replace=replace)


def back(world: World, *, to: str | None = None, dry_run: bool = False, settings: Settings | None = None) -> RunReport:
    return shown(world, to=to, dry_run=dry_run, settings=settings)[0]


def shown(
    world: World, *, to: str | None = None, dry_run: bool = False, settings: Settings | None = None
) -> tuple[RunReport, RollbackLines]:
    return rollback(world.spark, settings or world.settings(), as_of=AS_OF, to=to, dry_run=dry_run)


def twice(world: World) -> tuple[RunReport, RunReport]:
    """Revision 1: 60 rows by model version 1. Revision 2: keys 50 to 69 by version 2."""
    first = run(world)
    world.write_source(NEW)
    world.registry.alias(2)
    return first, run(world, replace=True)


def versions(world: World) -> list[int]:
    return [world.version(name) for name in ("predictions", "predictions_runs", "predictions_rejects")]


def ends(world: World, monkeypatch: pytest.MonkeyPatch, step: str, error: BaseException) -> None:
    """A rollback that ends where the step begins; of a KeyboardInterrupt the run events know as little as of a kill."""

    def fails(*_: object, **__: object) -> None:
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(page, step, fails)
        with pytest.raises(type(error)):
            back(world)


class TestRollingBack:
    @pytest.mark.smoke
    def test_readers_see_the_earlier_runs_rows_again_as_a_new_revision(self, world: World) -> None:
        twice(world)
        report = back(world)
        assert (report.status, report.exit_code, report.revision) == ("published", 0, 3)
        assert (report.rows_read, report.rows_scored, report.rows_rejected, report.model_loads) == (60, 60, 0, 0)
        assert_published(world, report, OLD, version=1)

    def test_the_lineage_is_the_earlier_runs_and_the_moment_is_now(self, world: World) -> None:
        twice(world)
        before = datetime.now(UTC)
        report = back(world)
        rows = world.predictions()
        assert (set(rows["source_version"]), set(rows["model_version"])) == ({0}, {"1"})
        assert report.source == ReportedSource("flights", 0)
        assert world.table().where(F.col("scored_at") < F.lit(before)).count() == 0

    def test_it_is_one_commit_and_other_as_ofs_stay(self, world: World) -> None:
        other = run(world, as_of="2013-12-30")
        twice(world)
        before = world.version()
        back(world)
        assert world.version() == before + 1
        assert_published(world, other, OLD, as_of="2013-12-30")

    def test_the_events_tell_it_with_the_earlier_pins(self, world: World) -> None:
        twice(world)
        report = back(world)
        found = world.table("predictions_runs").where("revision = 3").orderBy("at").collect()
        assert [row["event"] for row in found] == ["started", "staged", "published"]
        assert {(row["model_version"], row["source_version"], row["run_id"]) for row in found} == {
            ("1", 0, report.run_id)
        }
        assert found[-1]["table_version"] == report.table_version == world.version()

    def test_a_later_score_leaves_it_alone_and_refuses_other_pins(self, world: World) -> None:
        twice(world)
        report = back(world)
        again = run(world)
        assert (again.status, again.run_id, again.warnings) == ("already_published", report.run_id, ())
        assert again.newer == {"source_version": 1, "model_version": "2"}
        with pytest.raises(PinsConflict, match="model_version 1 published, 2 asked for"):
            run(world, model={"uri": "models:/late/2"})

    @pytest.mark.parametrize("by", ["revision", "run_id"])
    def test_a_run_is_named_by_its_revision_or_by_the_beginning_of_its_id(self, world: World, by: str) -> None:
        first, _ = twice(world)
        run(world, replace=True)
        report = back(world, to="1" if by == "revision" else str(first.run_id)[:10])
        assert_published(world, report, OLD, version=1)

    def test_a_config_that_has_changed_since_does_not_matter(self, world: World) -> None:
        first = run(world)
        run(world, replace=True, output={"threshold": 0.9})
        report = back(world, settings=world.settings(output={"threshold": 0.9}))
        assert_published(world, report, OLD)
        assert first.rows_scored == report.rows_scored

    def test_a_rollback_can_be_rolled_back(self, world: World) -> None:
        twice(world)
        back(world)
        assert_published(world, back(world), NEW, version=2)

    def test_rejects_are_kept_for_the_new_run_too(self, world: World) -> None:
        extra = pa.table({"id": [None], "carrier": ["AA"], "x1": [1.0], "x2": [1.0]}, schema=SOURCE)
        world.write_source(pa.concat_tables([source_rows(20), extra]))
        run(world)
        world.write_source(NEW)
        run(world, replace=True)
        report = back(world)
        kept = world.table("predictions_rejects").where(f"run_id = '{report.run_id}'").collect()
        assert [(row["key"], row["code"]) for row in kept] == [('{"id":null}', "null_key")]
        assert report.rows_rejected == 1


class TestWhatReadersSee:
    def test_it_is_told_in_counts_of_keys_models_and_sources(self, world: World) -> None:
        twice(world)
        report, lines = shown(world)
        assert {what: (before, after) for what, before, after in lines if what != "run"} == {
            "revision": ("2", "3, the rows of revision 1"),
            "model": ("late version 2", "late version 1"),
            "source": ("flights at version 1", "flights at version 0"),
            "rows": ("20", "60"),
            "keys removed": ("", "10"),
            "keys added": ("", "50"),
            "keys changed": ("", "10"),
        }
        assert [line[2] for line in lines if line[0] == "run"] == [str(report.run_id)[:12]]

    def test_a_dry_run_tells_the_same_and_writes_nothing(self, world: World) -> None:
        twice(world)
        before = versions(world)
        report, lines = shown(world, dry_run=True)
        assert (report.status, report.revision, versions(world)) == ("dry_run", 3, before)
        assert lines == shown(world)[1]


class TestRefusals:
    def test_without_a_publication_there_is_nothing_to_roll_back(self, world: World) -> None:
        with pytest.raises(ConfigError, match="nothing is published"):
            back(world)
        assert versions(world) == [-1, -1, -1]

    def test_the_only_publication_has_none_before_it(self, world: World) -> None:
        first = run(world)
        with pytest.raises(ConfigError, match=f"no earlier publication[^*]*{str(first.run_id)[:12]}"):
            back(world)

    def test_what_readers_see_already_stays(self, world: World) -> None:
        twice(world)
        first = back(world, to="1")
        before = versions(world)
        again = back(world, to="1")
        assert (again.status, again.exit_code, again.run_id) == ("already_published", 0, first.run_id)
        assert versions(world) == before

    def test_a_vacuumed_version_is_found_by_reading_before_anything_is_written(self, world: World) -> None:
        twice(world)
        check = "spark.databricks.delta.retentionDurationCheck.enabled"
        world.spark.conf.set(check, "false")
        try:
            DeltaTable.forPath(world.spark, world.path("predictions")).vacuum(0)
        finally:
            world.spark.conf.unset(check)
        before = versions(world)
        with pytest.raises(VersionGone, match=r"score --replace --model.uri models:/late/1"):
            back(world)
        assert versions(world) == before
        assert set(world.predictions()["model_version"]) == {"2"}

    def test_a_version_that_the_log_no_longer_knows_is_told_with_the_cure(self, world: World) -> None:
        first, _ = twice(world)
        path = world.path("predictions")
        world.spark.sql(f"ALTER TABLE delta.`{path}` SET TBLPROPERTIES (delta.checkpointInterval = 1)")
        run(world, as_of="2013-12-30")
        for version in range(int(first.table_version or 0) + 1):
            Path(path, "_delta_log", f"{version:020}.json").unlink()
        with pytest.raises(VersionGone, match=r"score --replace --model.uri models:/late/1"):
            back(world)

    def test_rows_that_do_not_number_what_was_published_are_an_error(self, world: World) -> None:
        twice(world)
        events = DeltaTable.forPath(world.spark, world.path("predictions_runs"))
        events.update("revision = 1 AND event = 'published'", {"rows_scored": F.lit(61)})
        before = versions(world)
        with pytest.raises(TableChanged, match="60 rows of revision 1"):
            back(world)
        assert versions(world) == before

    def test_a_table_that_changed_behind_our_back_is_an_error(self, world: World) -> None:
        twice(world)
        DeltaTable.forPath(world.spark, world.path("predictions")).delete("id = 55")
        with pytest.raises(TableChanged, match="changed by someone else"):
            back(world)

    def test_other_keys_than_the_tables_are_refused(self, world: World) -> None:
        twice(world)
        with pytest.raises(ConfigError, match="the keys of predictions: id"):
            back(world, settings=world.settings(source={"keys": ["carrier"], "passthrough": []}))


class TestKilled:
    def test_before_its_commit_the_same_command_finishes_it(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        twice(world)
        ends(world, monkeypatch, "publish_run", KILLED)
        assert set(world.predictions()["model_version"]) == {"2"}
        report = back(world)
        assert (report.status, report.revision, report.attempt) == ("published", 3, 2)
        assert_published(world, report, OLD, version=1)
        assert world.events()[-6:] == ["started", "staged", "aborted", "started", "staged", "published"]

    def test_before_its_commit_a_score_leaves_readers_what_they_see_and_says_so(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        _, second = twice(world)
        ends(world, monkeypatch, "publish_run", KILLED)
        before = versions(world)
        again = run(world)
        assert (again.status, again.run_id) == ("already_published", second.run_id)
        assert "an attempt of `rollback` started revision 3 and did not finish" in again.warnings[0]
        assert versions(world) == before
        assert_published(world, run(world, replace=True), NEW, version=2)

    def test_after_its_commit_the_same_command_finds_it_done(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        twice(world)
        ends(world, monkeypatch, "finish_publication", KILLED)
        before = world.version()
        report = back(world)
        assert (report.status, report.revision, world.version()) == ("already_published", 3, before)
        assert "recorded again" in report.warnings[0]
        assert_published(world, report, OLD, version=1)

    def test_after_its_commit_a_score_finds_it_published(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        twice(world)
        ends(world, monkeypatch, "finish_publication", KILLED)
        report = run(world)
        assert (report.status, report.revision) == ("already_published", 3)
        assert_published(world, report, OLD, version=1)

    def test_a_failure_after_its_commit_is_no_reason_to_go_back_further(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        twice(world)
        ends(world, monkeypatch, "ensure_latest_view", AccessDenied("no view here"))
        report = back(world)
        assert (report.status, report.revision) == ("already_published", 3)

    def test_a_replacement_that_was_faster_is_never_mixed_with_it(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def overtaken(*given: Any, **named: Any) -> Any:
            monkeypatch.undo()
            run(world, replace=True)
            return publish_run(*given, **named)

        twice(world)
        monkeypatch.setattr(page, "publish_run", overtaken)
        with pytest.raises(PinsConflict, match="another run published first"):
            back(world)
        seen = world.predictions()
        assert (seen["run_id"].nunique(), set(seen["model_version"]), len(seen)) == (1, {"2"}, 20)
        assert run(world).status == "already_published"
