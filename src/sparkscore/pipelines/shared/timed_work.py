"""The clock of a verb's work: seconds of its phases and of the whole, in its report, also where an error ends it."""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Generic, TypeVar

import structlog

from sparkscore.errors import ErrorSummary, SparkscoreError
from sparkscore.records import (
    ComparisonReport,
    EvaluationReport,
    MaintenanceReport,
    MigrationReport,
    RunReport,
    ShadowReport,
)

log = structlog.get_logger("sparkscore")

Report = TypeVar(
    "Report", RunReport, EvaluationReport, MaintenanceReport, ComparisonReport, MigrationReport, ShadowReport
)


class TimedWork(Generic[Report]):
    """Work in phases. `report` is replaced as values become known."""

    report: Report
    started: float
    """By the monotonic clock, in seconds."""

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """A timed phase of the work, under its name in the report's `seconds`; not where an error ends it."""
        start = time.monotonic()
        log.info("begin", part=name)
        yield
        seconds = round(time.monotonic() - start, 3)
        self.report = replace(self.report, seconds={**self.report.seconds, name: seconds})
        log.info("done", part=name, seconds=seconds)

    @property
    def elapsed_seconds(self) -> Mapping[str, float]:
        """Seconds per phase, and `total` until now."""
        return {**self.report.seconds, "total": round(time.monotonic() - self.started, 3)}


class ReportedWork(TimedWork[Report]):
    """Work that is no attempt of a run: an error carries the report to the entry point."""

    def fail(self, error: SparkscoreError) -> Report:
        """The report of work that ended with an error: what was done until then."""
        self.report = replace(
            self.report,
            status="failed",
            exit_code=error.exit_code,
            error=ErrorSummary.from_error(error),
            seconds=self.elapsed_seconds,
        )
        return self.report
