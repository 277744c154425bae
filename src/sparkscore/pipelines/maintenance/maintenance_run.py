"""One upkeep of a job: its tables, clock, and what it has done so far. The page of the verb decides the order."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import structlog
from pyspark.sql import SparkSession

from sparkscore.errors import SparkscoreError, to_error_dict
from sparkscore.pipelines.shared.run_attempt import refuse_default_home
from sparkscore.records import MaintenanceReport, SkippedStep
from sparkscore.settings import Settings
from sparkscore.spark.error_translation import to_sparkscore_error
from sparkscore.spark.isolated_session import create_run_session
from sparkscore.store.table import Table
from sparkscore.store.table_contracts import check_table_owner

log = structlog.get_logger("sparkscore")

GRACE_DAYS = 7
"""What a settled run has left stays so long for whoever looks at it, or tries it again; a shorter retention wins."""


@dataclass
class MaintenanceRun:
    """The book of one upkeep. `report` grows with what is done; an error carries it to the entry point."""

    spark: SparkSession
    settings: Settings
    now: datetime
    target: Table
    report: MaintenanceReport
    dry_run: bool
    began: float = field(default_factory=time.monotonic)

    @classmethod
    def of(cls, spark: SparkSession, settings: Settings, *, dry_run: bool, now: datetime | None) -> "MaintenanceRun":
        """The book, in a session of its own beside the caller's.

        Raises:  NameRefused, ConfigError, UnsupportedSession.
        """
        refuse_default_home(spark, settings.home)
        own = create_run_session(spark)
        target = Table.from_name(own, settings.output.table, home=settings.home_uri)
        report = MaintenanceReport(settings.job, "failed", table=target.path or target.name)
        return cls(own, settings, now or datetime.now(UTC), target, report, dry_run)

    @property
    def rejects(self) -> Table:
        """The rows that runs did not score."""
        return self.target.sibling("_rejects")

    @property
    def profiles(self) -> tuple[Table, Table]:
        """What the columns of runs held, and how far they were from what they were."""
        return self.target.sibling("_profile"), self.target.sibling("_drift")

    @property
    def events(self) -> Table:
        """The run events."""
        return self.target.sibling("_runs")

    @property
    def kept_from(self) -> date | None:
        """The first `as_of_date` that retention allows; None: all."""
        return self.settings.output.kept_from(self.now)

    @property
    def settled_before(self) -> datetime:
        """What a settled run left before this moment is not needed any more."""
        return self.now - timedelta(days=min(GRACE_DAYS, self.settings.output.retention_days or GRACE_DAYS))

    def own_tables(self) -> list[Table]:
        """The job's tables that are there.

        Raises:  ForeignTable, AccessDenied.
        """
        found = [one for one in (self.target, self.rejects, *self.profiles, self.events) if one.exists()]
        for table in found:
            check_table_owner(table, job=self.settings.job)
        return found

    def know(self, **facts: Any) -> None:
        """Write facts into the report."""
        self.report = replace(self.report, **facts)

    def add(self, **counts: int) -> None:
        """Add to the report's counts."""
        self.know(**{name: getattr(self.report, name) + count for name, count in counts.items()})

    def skip(self, step: str, what: str, reason: str) -> None:
        """Something stays as it is: for the result line and for the log."""
        log.info("skipped", step=step, what=what, reason=reason)
        self.know(skipped=(*self.report.skipped, SkippedStep(step, what, reason)))

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """A timed step."""
        start = time.monotonic()
        log.info("begin", step=name)
        yield
        seconds = round(time.monotonic() - start, 3)
        self.know(seconds={**self.report.seconds, name: seconds})
        log.info("done", step=name, seconds=seconds)

    @contextmanager
    def guarded(self) -> Iterator[None]:
        """Every failure inside becomes one of the suite's own errors, and carries the report of what was done."""
        try:
            yield
        except Exception as error:
            known = error if isinstance(error, SparkscoreError) else to_sparkscore_error(error, "maintaining the job")
            if known is None:
                raise
            self.know(status="failed", exit_code=known.exit_code, error=to_error_dict(known), seconds=self._seconds())
            known.report = self.report
            if known is error:
                raise
            raise known from error

    def ended(self) -> MaintenanceReport:
        """The report of an upkeep that ended well."""
        status = "dry_run" if self.dry_run else "nothing_to_do" if self.report.idle else "maintained"
        self.know(status=status, seconds=self._seconds())
        return self.report

    def _seconds(self) -> dict[str, float]:
        return {**self.report.seconds, "total": round(time.monotonic() - self.began, 3)}
