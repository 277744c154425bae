"""One maintenance of a job: its tables, clock, and progress. `pipelines.maintain` decides the order of steps."""

import time
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from datetime import time as time_of_day
from functools import cached_property

import structlog
from pyspark.sql import SparkSession

from sparkscore.lifecycle import find_needed_full_run
from sparkscore.performance_schemas import PERFORMANCE_SUFFIX
from sparkscore.pipelines.shared.attempt_inputs import refuse_default_home
from sparkscore.pipelines.shared.timed_work import ReportedWork
from sparkscore.records import MaintenanceReport, MaintenanceStatus, SkippedStep
from sparkscore.schemas import CHALLENGERS_SUFFIX, QUEUE_SUFFIX, REUSED_SUFFIX
from sparkscore.settings import Settings
from sparkscore.spark.isolated_session import create_run_session
from sparkscore.store.run_events import load_events
from sparkscore.store.table import Table
from sparkscore.store.table_growth import check_table_owner, list_former_jobs

log = structlog.get_logger("sparkscore")

GRACE_DAYS = 7
"""How long the leftovers of a settled run stay, for inspection or a retry; a shorter retention wins."""


@dataclass
class MaintenanceRun(ReportedWork[MaintenanceReport]):
    """The state of one maintenance. `report` collects what is done; an error carries it to the entry point."""

    spark: SparkSession
    settings: Settings
    now: datetime
    target: Table
    report: MaintenanceReport
    dry_run: bool
    started: float = field(default_factory=time.monotonic)

    @classmethod
    def open(cls, spark: SparkSession, settings: Settings, *, dry_run: bool, now: datetime | None) -> "MaintenanceRun":
        """Open a maintenance in a session of its own.

        Raises:  NameRefused, ConfigError, UnsupportedSession.
        """
        refuse_default_home(spark, settings.home)
        own = create_run_session(spark)
        target = Table.from_name(own, settings.output.table, home=settings.home_uri)
        report = MaintenanceReport(settings.job, "failed", table=target.path or target.name)
        return cls(own, settings, now or datetime.now(UTC), target, report, dry_run)

    @property
    def rejects_table(self) -> Table:
        """The rows that runs did not score."""
        return self.target.sibling("_rejects")

    @property
    def profile_tables(self) -> tuple[Table, ...]:
        """The profiles of runs, their drift, how good their predictions were, and the models of their groups."""
        return tuple(self.target.sibling(suffix) for suffix in ("_profile", "_drift", PERFORMANCE_SUFFIX, "_models"))

    @property
    def challengers_table(self) -> Table:
        """What challengers have predicted."""
        return self.target.sibling(CHALLENGERS_SUFFIX)

    @property
    def reused_table(self) -> Table:
        """The predictions that rows with equal inputs get without the model."""
        return self.target.sibling(REUSED_SUFFIX)

    @property
    def derived_tables(self) -> tuple[Table, ...]:
        """The queue, and the feature table of the config."""
        wanted = self.settings.output.feature_table
        features = () if wanted is None else (Table.from_name(self.spark, wanted.table, home=self.settings.home_uri),)
        return (self.target.sibling(QUEUE_SUFFIX), *features)

    @property
    def events_table(self) -> Table:
        """The run events."""
        return self.target.sibling("_runs")

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The names of the job, oldest first: its runs and their stages keep the first one."""
        return (*list_former_jobs(self.events_table, self.target), self.settings.job)

    @cached_property
    def kept_from(self) -> date | None:
        """The first `as_of_date` that retention allows; None: all.

        Increments hold what has changed since the full run before them: as long as one of them is kept, that is, too.
        """
        allowed = self.settings.output.first_kept_date(self.now)
        if allowed is None or not self.settings.source.reads_changes:
            return allowed
        events = load_events(self.events_table, job=self.settings.job)
        base = find_needed_full_run(events, kept_from=datetime.combine(allowed, time_of_day(), tzinfo=UTC))
        return allowed if base is None else min(allowed, base.astimezone(UTC).date())

    @property
    def settled_before(self) -> datetime:
        """What a settled run left before this time may be removed."""
        return self.now - timedelta(days=min(GRACE_DAYS, self.settings.output.retention_days or GRACE_DAYS))

    def list_own_tables(self) -> list[Table]:
        """The job's tables that exist.

        Raises:  ForeignTable, AccessDenied.
        """
        found = [
            table
            for table in (
                self.target,
                self.challengers_table,
                *self.derived_tables,
                self.rejects_table,
                self.reused_table,
                *self.profile_tables,
                self.events_table,
            )
            if table.exists()
        ]
        for table in found:
            check_table_owner(table, job=self.settings.job)
        return found

    def add_counts(self, **counts: int) -> None:
        """Add to the report's counts."""
        added = {name: getattr(self.report, name) + count for name, count in counts.items()}
        self.report = replace(self.report, **added)

    def record_skip(self, step: str, what: str, reason: str) -> None:
        """Record that something was left as it is, in the result line and in the log."""
        log.info("skipped", step=step, what=what, reason=reason)
        self.report = replace(self.report, skipped=(*self.report.skipped, SkippedStep(step, what, reason)))

    def finish(self) -> MaintenanceReport:
        """The report of a maintenance that ended without an error."""
        status: MaintenanceStatus = (
            "dry_run" if self.dry_run else "nothing_to_do" if self.report.is_idle else "maintained"
        )
        self.report = replace(self.report, status=status, seconds=self.elapsed_seconds)
        return self.report
