"""Brings a job's tables to the newest schema version, and changes them as asked: owner, columns, types."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType

import structlog
from pyspark.sql import SparkSession

from sparkscore.errors import ConfigError
from sparkscore.performance_schemas import PERFORMANCE_SUFFIX
from sparkscore.pipelines.shared.attempt_inputs import refuse_default_home
from sparkscore.pipelines.shared.reported_failures import attach_report_to_failures
from sparkscore.pipelines.shared.timed_work import ReportedWork
from sparkscore.publish.latest_view import ensure_latest_view
from sparkscore.records import MigrationReport, MigrationRequest, MigrationStatus, TableMigration
from sparkscore.schemas import (
    CHALLENGERS_SUFFIX,
    LABEL_COLUMN,
    QUEUE_SUFFIX,
    RESERVED_NAMES,
    REUSED_SUFFIX,
    SIDE_TABLES,
)
from sparkscore.settings import Settings
from sparkscore.spark.isolated_session import create_run_session
from sparkscore.store.table import Table
from sparkscore.store.table_migration import migrate_table, plan_table_migration

log = structlog.get_logger("sparkscore")


def migrate(
    spark: SparkSession,
    settings: Settings,
    *,
    drop_columns: Sequence[str] = (),
    widen: Mapping[str, str] = MappingProxyType({}),
    rename_from: str | None = None,
    dry_run: bool = False,
) -> MigrationReport:
    """Migrate a job's tables, one commit per table; a second call finds nothing to do, and continues after a kill.

    `drop_columns` names columns of the prediction table that the config does not write any more, `widen` a wider type
    per column, `rename_from` the name that the job had. A run migrates schema versions by itself.

    Jobs:    one that writes the prediction table anew where columns are dropped or widened.
    Raises:  ConfigError, ForeignTable before anything is changed; PublishConflict, AccessDenied, UnsupportedSession:
             the error's report holds what was done until then.
    """
    run = _MigrationRun.open(spark, settings)
    request = MigrationRequest(settings.job, rename_from, tuple(drop_columns), widen)
    with attach_report_to_failures("migrating the job", run.fail):
        _refuse_request(settings, request)
        tables = run.list_existing_tables()
        planned = [plan_table_migration(table, suffix, request).changes for suffix, table in tables]
        run.warn_of_absent_columns(tables, request)
        if dry_run:
            return run.finish([one for one in planned if one.is_needed], dry_run=True)
        for (suffix, table), plan in zip(tables, planned, strict=True):
            if plan.is_needed:
                run.keep(migrate_table(table, suffix, request))
        if run.target.exists():
            ensure_latest_view(run.target, keys=settings.output_keys)
        return run.finish(run.report.tables, dry_run=False)


def _refuse_request(settings: Settings, request: MigrationRequest) -> None:
    """Refuse to drop what the next run would add again, and to rename a job to itself."""
    labelled = settings.output.threshold is not None
    computed = {one.name for one in settings.output.columns}
    labelled = labelled or LABEL_COLUMN in computed
    written = {*settings.output_names.values(), *settings.reason_names, *computed, *RESERVED_NAMES}
    wanted = sorted((written if labelled else written - {LABEL_COLUMN}) & {*request.drop_columns})
    if wanted:
        raise ConfigError(
            f"--drop-column names {', '.join(wanted)}, which the job writes",
            "columns that the config does not name any more",
            "remove them from source.passthrough or output.columns, or output.threshold, first",
        )
    if request.rename_from == request.job:
        raise ConfigError(
            f"--rename-from {request.rename_from} is the name in the config, too",
            "the name that the job had, and the new one as `job` in the config",
            "change `job` in the config",
        )


@dataclass
class _MigrationRun(ReportedWork[MigrationReport]):
    """One migration: its tables and what it has done. An error carries the report to the entry point."""

    spark: SparkSession
    target: Table
    report: MigrationReport
    started: float = field(default_factory=time.monotonic)

    @classmethod
    def open(cls, spark: SparkSession, settings: Settings) -> "_MigrationRun":
        refuse_default_home(spark, settings.home)
        own = create_run_session(spark)
        target = Table.from_name(own, settings.output.table, home=settings.home_uri)
        return cls(own, target, MigrationReport(settings.job, "failed", table=target.path or target.name))

    def list_existing_tables(self) -> list[tuple[str, Table]]:
        """The job's tables by suffix, in the order in which they get a new owner.

        With the run events no run of the old name starts any more, with the prediction table those of the new one may.
        """
        suffixes = (*SIDE_TABLES, CHALLENGERS_SUFFIX, QUEUE_SUFFIX, PERFORMANCE_SUFFIX, REUSED_SUFFIX)
        found = [(suffix, self.target.sibling(suffix)) for suffix in suffixes]
        return [(suffix, table) for suffix, table in [*found, ("", self.target)] if table.exists()]

    def warn_of_absent_columns(self, tables: Sequence[tuple[str, Table]], request: MigrationRequest) -> None:
        known = {name for suffix, table in tables if not suffix for name in table.schema.names}
        for name in request.drop_columns:
            if name not in known:
                log.warning("no such column", column=name)
                text = f"{self.target.name} has no column {name}: nothing to drop"
                self.report = replace(self.report, warnings=(*self.report.warnings, text))

    def keep(self, done: TableMigration) -> None:
        log.info("migrated", table=done.table, schema=done.schema_after, added=done.added, dropped=done.dropped)
        if done.is_needed:
            self.report = replace(self.report, tables=(*self.report.tables, done))

    def finish(self, tables: Sequence[TableMigration], *, dry_run: bool) -> MigrationReport:
        status: MigrationStatus = "dry_run" if dry_run else "migrated" if tables else "nothing_to_do"
        self.report = replace(self.report, status=status, tables=tuple(tables), seconds=self.elapsed_seconds)
        return self.report
