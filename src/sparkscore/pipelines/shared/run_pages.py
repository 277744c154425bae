"""The page of a run: what is known of it, as the report takes it, and where it is kept."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from pyspark.sql import SparkSession

from sparkscore.monitor.report.page import job_page, run_page
from sparkscore.pipelines.monitoring.run_drift import DriftComparison
from sparkscore.pipelines.shared.run_attempt import Attempt
from sparkscore.records import ColumnProfile, RejectCount, RunEvent, RunPage, SlaRule
from sparkscore.settings import Settings
from sparkscore.store.hadoop_folders import write_text_file
from sparkscore.store.reject_counts import count_rejects

_TREND_LENGTH = 200
"""As_ofs that a trend shows."""


def collect_run_page(
    attempt: Attempt,
    profiles: Sequence[ColumnProfile],
    found: DriftComparison,
    rules: Sequence[SlaRule],
    events: Sequence[RunEvent],
) -> RunPage:
    """What is known of the attempt's run.

    Needs:   all `events` of the job.
    Jobs:    one small one where rows were rejected.
    """
    return RunPage(
        replace(attempt.report, seconds=attempt.so_far),
        tuple(attempt.verdicts),
        tuple(profiles),
        found.last,
        found.drifts,
        _count_run_rejects(attempt),
        tuple(rules),
        trend_events(events),
        cores=attempt.spark.sparkContext.defaultParallelism,
        **configured_prices(attempt.settings),
    )


def configured_prices(settings: Settings) -> dict[str, Any]:
    """What a core and a GPU cost, where the config says so."""
    return {name: getattr(settings.monitor, name) for name in ("price_core_hour", "price_gpu_hour")}


def trend_events(events: Sequence[RunEvent]) -> tuple[RunEvent, ...]:
    """The event that each as_of ended with, in order of as_of: its newest publication, else its last event."""
    found: dict[Any, RunEvent] = {}
    for event in events:
        before = found.get(event.as_of)
        if event.event == "published" or (
            event.event != "monitored" and (before is None or before.event != "published")
        ):
            found[event.as_of] = event
    return tuple(found[as_of] for as_of in sorted(found))[-_TREND_LENGTH:]


def write_run_page(spark: SparkSession, settings: Settings, page: RunPage) -> str:
    """Write a run's page, and its job's anew; where the first one is."""
    folder = report_folder(settings)
    where = f"{folder}/{page.report.run_id}.html"
    write_text_file(spark, where, run_page(page))
    write_text_file(spark, f"{folder}/index.html", job_page(settings.job, page.history))
    return where


def report_folder(settings: Settings) -> str:
    """The folder of a job's pages."""
    return f"{settings.home_uri}/reports/{settings.job}"


def _count_run_rejects(attempt: Attempt) -> tuple[RejectCount, ...]:
    if not attempt.report.rows_rejected:
        return ()
    table = attempt.target.sibling("_rejects")
    return tuple(count_rejects(table, job=attempt.settings.job, run_id=attempt.report.run_id))
