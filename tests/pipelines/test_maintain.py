"""Upkeep of a job: what is too old goes, what runs still need stays."""

import json
import os
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from delta.tables import DeltaTable

from sparkscore import score
from sparkscore.errors import (
    ConfigError,
    ForeignTable,
    PublishConflict,
    TableChanged,
    TemporaryError,
    UnsupportedSession,
)
from sparkscore.pipelines.maintain import maintain
from sparkscore.pipelines.shared import publishing as page
from sparkscore.records import MaintenanceReport, Pins, RunEvent, RunReport, TableRef
from sparkscore.store import hadoop_folders, retention, run_events
from sparkscore.store.table import Table
from tests.world import SOURCE, World, assert_published, source_rows

NOW = datetime.now(UTC)
LATER = NOW + timedelta(days=8)
"""When everything that is written now is past the grace period."""


def day(ago: int) -> str:
    return (NOW - timedelta(days=ago)).date().isoformat()


OLD, NEW = day(40), day(10)


def run(world: World, as_of: str = NEW, *, replace: bool = False, force: bool = False, **groups: Any) -> RunReport:
    return world.begin_with(world.settings(**groups), as_of=as_of, replace=replace, force=force)


def upkeep(
    world: World, *, days: int | None = None, now: datetime | None = None, dry_run: bool = False
) -> MaintenanceReport:
    settings = world.settings(output={"retention_days": days})
    return maintain(world.spark, settings, now=now, dry_run=dry_run)


def broken(
    world: World, monkeypatch: pytest.MonkeyPatch, error: Exception, *, as_of: str = NEW, force: bool = False
) -> None:
    """A run whose publish fails."""

    def fails(*_: object, **__: object) -> None:
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(page, "publish_run", fails)
        with pytest.raises(type(error)):
            score(world.spark, world.settings(), as_of=as_of, force=force)


def forget(world: World, condition: str) -> None:
    """Events that never came to be written."""
    DeltaTable.forPath(world.spark, world.path("predictions_runs")).delete(condition)


def files(folder: Path) -> Mapping[str, bytes]:
    return {str(file): file.read_bytes() for file in sorted(folder.rglob("*")) if file.is_file()}


def stages(world: World) -> list[str]:
    folder = world.home / "stage" / "late-flights"
    return sorted(entry.name for entry in folder.iterdir()) if folder.is_dir() else []


def as_ofs(world: World, name: str) -> set[str]:
    return {row[0] for row in world.table(name).selectExpr("string(date(as_of))").distinct().collect()}


def scatter(world: World, as_of: str, *, files: int = 9) -> None:
    """The same predictions, in many small files."""
    rows = world.table().where(f"as_of_date = '{as_of}'").repartition(files, "id")
    rows.write.format("delta").mode("overwrite").option("replaceWhere", f"as_of_date = '{as_of}'").save(
        world.path("predictions")
    )


def forget_removed_files_at_once(world: World, name: str = "predictions") -> None:
    world.spark.sql(
        f"ALTER TABLE delta.`{world.path(name)}`"
        " SET TBLPROPERTIES ('delta.deletedFileRetentionDuration' = 'interval 0 hours')"
    )


class TestRetention:
    def test_an_expired_as_of_leaves_all_tables_and_the_files_of_others_stay_as_they_were(self, world: World) -> None:
        nobody = pa.table({"id": [None], "carrier": ["AA"], "x1": [1.0], "x2": [1.0]}, schema=SOURCE)
        world.write_source(pa.concat_tables([source_rows(), nobody]))
        watched: dict[str, Any] = {"profile": {"rows": "all"}, "drift": {"min_rows": 1}}
        run(world, OLD, **watched)
        kept = run(world, NEW, **watched)
        folder = Path(world.path("predictions")) / f"as_of_date={NEW}"
        before = files(folder)
        done = upkeep(world, days=30)
        assert (done.status, done.exit_code, done.as_of_expired) == ("maintained", 0, 1)
        assert (done.predictions_expired, done.rejects_expired, done.events_expired) == (60, 1, 4)
        assert done.profiles_expired == 4  # x1, x2, prediction, label
        for name in ("predictions", "predictions_rejects", "predictions_profile", "predictions_runs"):
            assert as_ofs(world, name) == {NEW}
        assert files(folder) == before
        assert_published(world, kept, source_rows(), as_of=NEW)

    def test_a_kept_as_of_is_still_published_already(self, world: World) -> None:
        run(world, OLD)
        first = run(world, NEW)
        upkeep(world, days=30, now=NOW)
        again = run(world, NEW, output={"retention_days": 30})
        assert (again.status, again.run_id, again.warnings) == ("already_published", first.run_id, ())

    def test_a_deletion_is_one_commit_of_whole_files_by_the_partition_alone_and_says_why(self, world: World) -> None:
        run(world, OLD)
        run(world, NEW)
        upkeep(world, days=30)
        last = DeltaTable.forPath(world.spark, world.path("predictions")).history(1).collect()[0]
        assert (last["operation"], last["operationMetrics"]["numAddedFiles"]) == ("DELETE", "0")
        predicate = last["operationParameters"]["predicate"]
        assert "as_of_date" in predicate
        assert "as_of#" not in predicate
        assert json.loads(last["userMetadata"])["sparkscore"] == {"job": "late-flights", "expired_before": day(30)}

    def test_without_a_retention_nothing_expires(self, world: World) -> None:
        run(world, OLD)
        assert upkeep(world).expired_before is None
        assert as_ofs(world, "predictions") == {OLD}

    def test_an_as_of_that_expired_is_refused_in_words_and_not_scored(self, world: World) -> None:
        run(world, OLD)
        upkeep(world, days=30)
        with pytest.raises(ConfigError, match=r"older than output\.retention_days") as caught:
            run(world, OLD, output={"retention_days": 30})
        assert not isinstance(caught.value, TableChanged)
        assert as_ofs(world, "predictions_runs") == set()

    def test_an_old_as_of_that_is_still_there_is_published_already_and_not_replaced(self, world: World) -> None:
        run(world, OLD)
        assert run(world, OLD, output={"retention_days": 30}).status == "already_published"
        with pytest.raises(ConfigError, match=r"older than output\.retention_days"):
            run(world, OLD, replace=True, output={"retention_days": 30})

    def test_a_longer_retention_lets_an_expired_as_of_be_published_again_by_force(self, world: World) -> None:
        run(world, OLD)
        run(world, OLD, replace=True)
        upkeep(world, days=30)
        with pytest.raises(TableChanged, match="`maintain` or somebody else removed them"):
            run(world, OLD)
        report = run(world, OLD, force=True)
        assert (report.status, report.revision) == ("published", 3)
        assert_published(world, report, source_rows(), as_of=OLD)

    def test_a_failure_between_the_deletions_is_no_change_behind_our_back_and_the_next_call_goes_on(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        run(world, OLD)
        run(world, NEW)
        expire, done = retention.delete_expired_rows, list[None]()

        def fails(*given: Any, **named: Any) -> None:
            if done:
                raise PublishConflict("another writer won")
            done.append(expire(*given, **named))

        with monkeypatch.context() as patch:
            patch.setattr(retention, "delete_expired_rows", fails)
            with pytest.raises(PublishConflict) as caught:
                upkeep(world, days=30)
        report = caught.value.report
        assert isinstance(report, MaintenanceReport)
        assert (report.status, report.exit_code, report.predictions_expired, report.events_expired) == (
            "failed",
            75,
            60,
            0,
        )
        assert (as_ofs(world, "predictions"), as_ofs(world, "predictions_runs")) == ({NEW}, {OLD, NEW})
        with pytest.raises(ConfigError, match=r"older than output\.retention_days"):
            run(world, OLD, output={"retention_days": 30})
        assert run(world, NEW).status == "already_published"
        again = upkeep(world, days=30)
        assert (again.status, again.predictions_expired, again.events_expired) == ("maintained", 0, 3)
        assert as_ofs(world, "predictions_runs") == {NEW}


class TestStages:
    def test_the_stage_of_a_published_run_goes_after_the_grace_period(self, world: World) -> None:
        run(world)
        assert upkeep(world, now=NOW + timedelta(days=6)).stages_removed == 0
        done = upkeep(world, now=LATER)
        assert (done.status, done.stages_removed, stages(world)) == ("maintained", 1, [])
        assert done.stage_bytes_removed > 0
        assert run(world).status == "already_published"

    def test_a_shorter_retention_shortens_the_grace_period(self, world: World) -> None:
        run(world, day(0))
        assert upkeep(world, days=1, now=NOW + timedelta(hours=1)).stages_removed == 0
        assert upkeep(world, days=2, now=NOW + timedelta(days=2, hours=1)).stages_removed == 1

    def test_a_stage_that_the_next_attempt_would_go_on_from_stays_and_is_published(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        broken(world, monkeypatch, TemporaryError("gone for now"))
        done = upkeep(world, now=LATER)
        assert (done.stages_removed, [one.step for one in done.skipped]) == (0, ["stages"])
        report = run(world)
        assert (report.status, report.attempt, report.chunks_reused, report.model_loads) == ("published", 2, 1, 0)
        assert_published(world, report, source_rows(), as_of=NEW)

    @pytest.mark.parametrize("missing", ["event = 'failed'", "event in ('failed', 'staged')"])
    def test_the_stage_of_an_attempt_that_has_not_ended_stays(
        self, world: World, monkeypatch: pytest.MonkeyPatch, missing: str
    ) -> None:
        broken(world, monkeypatch, KeyError("a bug"))
        forget(world, missing)
        assert upkeep(world, now=LATER).stages_removed == 0
        assert run(world).chunks_reused == 1

    def test_the_stage_of_a_commit_without_an_event_stays_until_the_run_is_known_to_be_published(
        self, world: World
    ) -> None:
        run(world)
        forget(world, "event = 'published'")
        assert upkeep(world, now=LATER).stages_removed == 0
        assert run(world).status == "already_published"
        assert upkeep(world, now=LATER).stages_removed == 1

    def test_a_run_that_failed_for_good_may_use_its_stage_within_the_grace_period(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        broken(world, monkeypatch, KeyError("a bug"))
        assert upkeep(world).stages_removed == 0
        assert run(world).chunks_reused == 1
        broken(world, monkeypatch, KeyError("a bug"), as_of=day(9))
        assert upkeep(world, now=LATER).stages_removed == 2

    def test_of_two_runs_with_one_stage_the_one_that_has_not_ended_keeps_it(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        run(world)
        DeltaTable.forPath(world.spark, world.path("predictions")).delete()
        broken(world, monkeypatch, TemporaryError("gone for now"), force=True)
        assert (upkeep(world, now=LATER).stages_removed, len(stages(world))) == (0, 1)

    def test_a_stage_that_no_event_knows_goes_by_the_age_of_its_files(self, world: World) -> None:
        run(world)
        DeltaTable.forPath(world.spark, world.path("predictions_runs")).delete()
        folder = world.home / "stage" / "late-flights"
        (folder / "notes").mkdir()
        assert upkeep(world, now=NOW + timedelta(days=6)).stages_removed == 0
        assert upkeep(world, now=LATER).stages_removed == 1
        assert stages(world) == ["notes"]

    def test_a_stage_with_a_young_file_stays_whatever_the_events_say(self, world: World) -> None:
        run(world)
        (stage,) = stages(world)
        young = world.home / "stage" / "late-flights" / stage / "part-of-a-late-task.parquet"
        young.write_bytes(b"rows")
        os.utime(young, (LATER.timestamp(), LATER.timestamp()))
        assert upkeep(world, now=LATER).stages_removed == 0

    def test_links_are_left_alone_and_what_they_point_to_too(self, world: World) -> None:
        run(world)
        (stage,) = stages(world)
        folder = world.home / "stage" / "late-flights"
        elsewhere = world.home / "elsewhere"
        (folder / stage).rename(elsewhere)
        (folder / stage).symlink_to(elsewhere)
        before = files(elsewhere)
        assert upkeep(world, now=LATER).stages_removed == 0
        folder.rename(world.home / "moved")
        folder.symlink_to(world.home / "moved")
        done = upkeep(world, now=LATER)
        assert (done.stages_removed, done.skipped[0].reason) == (
            0,
            "it is a link, and sparkscore does not follow links",
        )
        assert files(elsewhere) == before

    def test_folders_that_only_a_server_reaches_are_skipped_in_words_and_the_rest_is_done(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def refuse(*_: object) -> bool:
            raise UnsupportedSession("only the server reaches it", "a client beside it", "run it there")

        run(world)
        monkeypatch.setattr(hadoop_folders, "is_linked_folder", refuse)
        done = upkeep(world, now=LATER)
        told = {"only the server reaches it"}
        assert {one.step for one in done.skipped if one.reason in told} == {"stages", "landings"}
        assert (done.stages_removed, done.models_removed) == (0, 1)


class TestModels:
    def test_a_copy_goes_when_no_run_has_used_it_within_the_grace_period(self, world: World) -> None:
        run(world)
        folder = world.home / "models"
        (folder / "notes").mkdir()
        assert upkeep(world, now=NOW + timedelta(days=6)).models_removed == 0
        done = upkeep(world, now=LATER)
        assert (done.models_removed, [entry.name for entry in folder.iterdir()]) == (1, ["notes"])
        assert done.model_bytes_removed > 0
        assert_published(world, run(world, day(9)), source_rows(), as_of=day(9))

    def test_a_copy_stays_while_a_run_has_not_ended(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        broken(world, monkeypatch, TemporaryError("gone for now"))
        assert upkeep(world, now=LATER).models_removed == 0


class TestTables:
    def test_many_small_files_become_one_and_rows_protocol_and_runs_stay(self, world: World) -> None:
        for as_of in (NEW, day(9), day(7), day(8)):
            report = run(world, as_of)
        scatter(world, day(8))
        table = DeltaTable.forPath(world.spark, world.path("predictions"))
        before = table.detail().collect()[0]
        done = upkeep(world)
        assert (done.status, done.files_compacted) == ("maintained", 9 + 8)
        after = table.detail().collect()[0]
        assert (after["numFiles"], len(world.table("predictions_runs").inputFiles())) == (4, 1)
        for what in ("minReaderVersion", "minWriterVersion", "tableFeatures", "properties"):
            assert after[what] == before[what]
        assert_published(world, report, source_rows(), as_of=day(8))
        assert run(world, day(8)).status == "already_published"
        assert len(world.events()) == 12

    def test_few_small_files_stay(self, world: World) -> None:
        run(world)
        scatter(world, NEW, files=4)
        assert upkeep(world).status == "nothing_to_do"

    def test_a_date_with_a_run_at_work_is_not_compacted(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        run(world)
        scatter(world, NEW)
        broken(world, monkeypatch, TemporaryError("gone for now"), as_of=f"{NEW}T06:00:00Z")
        done = upkeep(world)
        assert (done.files_compacted, done.skipped[0].step) == (0, "compact")

    def test_files_that_no_version_needs_go_and_the_table_stays(self, world: World) -> None:
        report = run(world)
        scatter(world, NEW, files=2)
        assert upkeep(world).files_vacuumed == 0
        forget_removed_files_at_once(world)
        version = world.version()
        assert upkeep(world).files_vacuumed == 1
        assert world.version() == version
        assert_published(world, report, source_rows(), as_of=NEW)
        assert upkeep(world).status == "nothing_to_do"

    def test_a_version_that_a_run_of_another_job_has_pinned_is_not_vacuumed_until_the_run_ends(
        self, world: World
    ) -> None:
        run(world)
        pinned = world.version()
        scatter(world, NEW, files=2)
        forget_removed_files_at_once(world)
        other = self.event_of_another_job(world, pinned)
        before = files(Path(world.path("predictions")))
        done = upkeep(world)
        assert done.files_vacuumed == 0
        assert (done.skipped[0].step, done.skipped[0].what) == ("vacuum", "predictions")
        assert f"the job second reads version {pinned}" in done.skipped[0].reason
        assert files(Path(world.path("predictions"))) == before
        self.write(world, RunEvent("second", other.as_of, 1, 1, "failed", NOW, "run", other.pins, exit_code=2))
        assert upkeep(world).files_vacuumed == 1

    def test_a_run_that_has_pinned_the_newest_version_is_in_nobodys_way(self, world: World) -> None:
        run(world)
        scatter(world, NEW, files=2)
        forget_removed_files_at_once(world)
        self.event_of_another_job(world, world.version())
        assert upkeep(world).files_vacuumed == 1

    def test_where_run_events_cannot_be_read_nothing_is_taken_for_unused(self, world: World) -> None:
        run(world)
        scatter(world, NEW, files=2)
        forget_removed_files_at_once(world)
        self.event_of_another_job(world, world.version())
        world.spark.sql(
            f"ALTER TABLE delta.`{world.path('second_runs')}` SET TBLPROPERTIES ('sparkscore.schema' = '99')"
        )
        done = upkeep(world, now=LATER)
        assert (done.files_vacuumed, done.models_removed) == (0, 0)
        assert {(one.step, "second_runs" in one.reason) for one in done.skipped} == {("models", True), ("vacuum", True)}

    def event_of_another_job(self, world: World, version: int) -> RunEvent:
        source = Table(world.spark, TableRef("predictions", world.path("predictions"))).id
        pins = Pins(source, version, "model", "1", "digest", "scoring")
        event = RunEvent("second", NOW, 1, 1, "started", NOW, "run", pins)
        self.write(world, event)
        return event

    def write(self, world: World, event: RunEvent) -> None:
        table = TableRef("second_runs", world.path("second_runs"))
        run_events.ensure_events_table(Table(world.spark, table), job="second")
        run_events.record_events(Table(world.spark, table), [event])


class TestWhole:
    def test_a_job_without_tables_has_nothing_to_do(self, world: World) -> None:
        done = upkeep(world, days=30)
        assert (done.status, done.exit_code, done.skipped) == ("nothing_to_do", 0, ())

    def test_a_dry_run_says_what_the_next_call_does_and_a_third_finds_nothing(self, world: World) -> None:
        run(world, OLD)
        run(world, NEW)
        run(world, day(9))
        scatter(world, NEW)
        forget_removed_files_at_once(world)
        before = files(world.home)
        planned = upkeep(world, days=30, now=LATER, dry_run=True)
        assert (planned.status, files(world.home)) == ("dry_run", before)
        done = upkeep(world, days=30, now=LATER)
        counts = ("as_of_expired", "predictions_expired", "events_expired", "stages_removed", "models_removed")
        assert [getattr(planned, name) for name in counts] == [getattr(done, name) for name in counts]
        assert [getattr(done, name) for name in counts] == [1, 60, 3, 3, 1]
        assert upkeep(world, days=30, now=LATER).status == "nothing_to_do"

    def test_a_table_of_another_job_is_refused(self, world: World) -> None:
        run(world)
        with pytest.raises(ForeignTable, match="late-flights") as caught:
            maintain(world.spark, world.settings(job="other"))
        assert isinstance(caught.value.report, MaintenanceReport)

    def test_the_callers_session_stays_as_it_is(self, world: World) -> None:
        run(world, OLD)
        before = dict(world.spark.conf.getAll)
        upkeep(world, days=30)
        assert dict(world.spark.conf.getAll) == before

    def test_a_catalogs_table_is_kept_up_like_one_by_its_path(self, world: World) -> None:
        world.spark.sql(f"CREATE SCHEMA lake LOCATION '{world.home}/lake'")
        try:
            run(world, OLD, output={"table": "lake.predictions"})
            run(world, NEW, output={"table": "lake.predictions"})
            settings = world.settings(output={"table": "lake.predictions", "retention_days": 30})
            done = maintain(world.spark, settings)
            assert (done.status, done.as_of_expired, done.events_expired) == ("maintained", 1, 3)
            assert world.spark.table("lake.predictions").select("as_of_date").distinct().count() == 1
            assert run(world, NEW, output={"table": "lake.predictions"}).status == "already_published"
        finally:
            world.spark.sql("DROP SCHEMA lake CASCADE")
