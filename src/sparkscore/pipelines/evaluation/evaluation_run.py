"""One evaluation of a job: its tables, clock and report. `pipelines.evaluate` decides the order of steps."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime

import structlog
from pyspark.sql import SparkSession

from sparkscore.errors import MONITORING_BREACH
from sparkscore.performance_schemas import PERFORMANCE_SUFFIX
from sparkscore.pipelines.shared.attempt_inputs import refuse_default_home
from sparkscore.pipelines.shared.timed_work import ReportedWork
from sparkscore.records import (
    EvaluatedWindow,
    EvaluationReport,
    EvaluationStatus,
    PerformanceRow,
    to_utc_text,
)
from sparkscore.redaction.secret_patterns import shorten_redacted
from sparkscore.settings import Settings
from sparkscore.spark.isolated_session import create_run_session
from sparkscore.store.table import Table

log = structlog.get_logger("sparkscore")

SHOWN_WINDOWS = 20
"""Greatest number of windows in a result line."""


@dataclass
class EvaluationRun(ReportedWork[EvaluationReport]):
    """The state of one evaluation. `report` collects what is done; an error carries it to the entry point."""

    spark: SparkSession
    settings: Settings
    now: datetime
    predictions: Table
    report: EvaluationReport
    started: float = field(default_factory=time.monotonic)

    @classmethod
    def open(cls, spark: SparkSession, settings: Settings, *, now: datetime) -> "EvaluationRun":
        """Open an evaluation in a session of its own.

        Raises:  NameRefused, ConfigError, UnsupportedSession.
        """
        refuse_default_home(spark, settings.home)
        own = create_run_session(spark)
        predictions = Table.from_name(own, settings.output.table, home=settings.home_uri)
        table = predictions.sibling(PERFORMANCE_SUFFIX)
        report = EvaluationReport(
            settings.job, "failed", table=table.path or table.name, labels_table=settings.labels.table
        )
        return cls(own, settings, now, predictions, report)

    @property
    def runs_table(self) -> Table:
        """The run events."""
        return self.predictions.sibling("_runs")

    @property
    def table(self) -> Table:
        """The performance table."""
        return self.predictions.sibling(PERFORMANCE_SUFFIX)

    def warn(self, text: str) -> None:
        """Add a warning to the report, and log it."""
        shown = shorten_redacted(text, 600)
        log.warning("warning", text=shown)
        self.report = replace(self.report, warnings=(*self.report.warnings, shown))

    @contextmanager
    def optional_phase(self, name: str) -> Iterator[None]:
        """A timed phase whose failure is a warning: the rows are stored."""
        with self.phase(name):
            try:
                yield
            except Exception as error:  # noqa: BLE001  whatever it is, the evaluation is there
                self.warn(f"no {name}: {str(error).partition(chr(10))[0] or type(error).__name__}")

    def finish(
        self, status: EvaluationStatus, shown: Sequence[PerformanceRow], deciding: Sequence[PerformanceRow]
    ) -> EvaluationReport:
        """The report of an evaluation that ended without an error; broken limits decide its exit code."""
        failed = tuple(f"{describe_window(row)}: {text}" for row in deciding for text in row.breaches)
        newest = sorted((row for row in shown if row.is_whole), key=lambda row: row.start)[-SHOWN_WINDOWS:]
        self.report = replace(
            self.report,
            status=status,
            exit_code=MONITORING_BREACH if failed else 0,
            failed=failed,
            windows=tuple(_to_evaluated_window(row) for row in newest),
            seconds=self.elapsed_seconds,
        )
        return self.report


def describe_window(row: PerformanceRow) -> str:
    """Window and model version, for people: `2013-12-30 (7d), flight-delay version 3`."""
    start = to_utc_text(row.start).removesuffix("T00:00:00Z")
    return f"{start} ({row.granularity}), {row.model_name} version {row.model_version}"


def _to_evaluated_window(row: PerformanceRow) -> EvaluatedWindow:
    values = {name: one.value for name, one in row.quality.measures.items()}
    return EvaluatedWindow(
        to_utc_text(row.start),
        to_utc_text(row.end),
        row.granularity,
        row.model_name,
        row.model_version,
        row.rows,
        row.labelled,
        {name: value for name, value in values.items() if value is not None},
        row.decays,
        row.breaches,
        row.alerts,
        row.note,
        row.revision,
    )
