"""Collects what the report of a run needs, and writes it."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from pyspark.sql import SparkSession

from sparkscore.monitor.report.page import job_page, run_page
from sparkscore.performance_schemas import PERFORMANCE_SUFFIX
from sparkscore.pipelines.monitoring.run_drift import DriftComparison
from sparkscore.pipelines.shared.job_events import JobEvents
from sparkscore.pipelines.shared.run_attempt import Attempt
from sparkscore.records import FOLLOW_UP_EVENTS, ColumnProfile, PerformanceRow, RejectCount, RunEvent, RunPage, SlaRule
from sparkscore.settings import Settings
from sparkscore.store.hadoop_folders import write_text_file
from sparkscore.store.performance_table import load_performance
from sparkscore.store.reject_counts import count_rejects
from sparkscore.store.table import Table

TREND_LENGTH = 200
"""Number of as_ofs that a trend shows."""


def collect_run_page(
    attempt: Attempt,
    profiles: Sequence[ColumnProfile],
    comparison: DriftComparison,
    rules: Sequence[SlaRule],
    events: JobEvents,
) -> RunPage:
    """Everything that the report of the attempt's run shows.

    Jobs:    small ones where only Spark reaches the job's tables.
    """
    return RunPage(
        replace(attempt.report, seconds=attempt.elapsed_seconds),
        tuple(attempt.verdicts),
        tuple(profiles),
        comparison.last,
        comparison.drifts,
        _count_run_rejects(attempt),
        tuple(rules),
        tuple(events.load_newest(TREND_LENGTH, trend_events)),
        cores=attempt.cores,
        **configured_prices(attempt.settings),
    )


def configured_prices(settings: Settings) -> dict[str, Any]:
    """What a core and a GPU cost, if the config says so."""
    return {name: getattr(settings.monitor, name) for name in ("price_core_hour", "price_gpu_hour")}


def trend_events(events: Sequence[RunEvent]) -> tuple[RunEvent, ...]:
    """The event that each as_of ended with, in order of as_of: its newest publication, else its last event."""
    ends: dict[Any, RunEvent] = {}
    for event in events:
        before = ends.get(event.as_of)
        if event.event == "published" or (
            event.event not in FOLLOW_UP_EVENTS and (before is None or before.event != "published")
        ):
            ends[event.as_of] = event
    return tuple(ends[as_of] for as_of in sorted(ends))[-TREND_LENGTH:]


def write_run_page(spark: SparkSession | None, settings: Settings, page: RunPage) -> str:
    """Write the reports of a run and of its job; returns where the run's report is. As `write_text_file`."""
    path = run_page_path(settings, page.report.run_id)
    write_text_file(spark, path, run_page(page))
    write_job_page(spark, settings, page.history)
    return path


def write_job_page(spark: SparkSession | None, settings: Settings, history: Sequence[RunEvent]) -> str:
    """Write the report of a job; returns where it is. As `write_text_file`.

    Jobs:    none; a small one where only Spark reaches the performance table.
    """
    path = f"{report_folder(settings)}/index.html"
    write_text_file(spark, path, job_page(settings.job, history, _load_job_performance(spark, settings)))
    return path


def _load_job_performance(spark: SparkSession | None, settings: Settings) -> list[PerformanceRow] | None:
    if settings.labels.table is None:
        return None
    target = Table.from_name(spark, settings.output.table, home=settings.home_uri)
    return load_performance(target.sibling(PERFORMANCE_SUFFIX), job=settings.job)


def run_page_path(settings: Settings, run_id: str | None) -> str:
    """Where a run's report is."""
    return f"{report_folder(settings)}/{run_id}.html"


def report_folder(settings: Settings) -> str:
    """The folder of a job's reports."""
    return f"{settings.home_uri}/reports/{settings.job}"


def _count_run_rejects(attempt: Attempt) -> tuple[RejectCount, ...]:
    if not attempt.report.rows_rejected:
        return ()
    table = attempt.target.sibling("_rejects")
    return tuple(count_rejects(table, job=attempt.settings.job, run_id=attempt.report.run_id, as_of=attempt.as_of))
