"""Writes the report of an earlier run, and that of its job, from the job's tables."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from pyspark.sql import SparkSession

from sparkscore.errors import ConfigError
from sparkscore.lifecycle import find_scoring_publications
from sparkscore.pipelines.shared.job_events import JobEvents, load_named_run
from sparkscore.pipelines.shared.report_codec import decode_run_report, last_own_event
from sparkscore.pipelines.shared.run_pages import (
    TREND_LENGTH,
    configured_prices,
    trend_events,
    write_job_page,
    write_run_page,
)
from sparkscore.records import RunEvent, RunPage, SlaRule
from sparkscore.settings import Settings
from sparkscore.spark.isolated_session import create_session_if_any
from sparkscore.store.monitoring_tables import load_drifts, load_profiles
from sparkscore.store.reject_counts import count_rejects
from sparkscore.store.table import Table


def write_run_report(spark: SparkSession | None, settings: Settings, *, run: str) -> str:
    """Write the report of a run, and that of its job; returns where the run's report is.

    Needs:   a session; without one (None) what only Spark tells raises SparkNeeded. `run` as a run_id or its beginning.
    Jobs:    none; small ones where only Spark reaches the tables.
    Raises:  ConfigError for an unknown run, ForeignTable, AccessDenied.
    """
    session = create_session_if_any(spark)
    target = Table.from_name(session, settings.output.table, home=settings.home_uri)
    events = _open_job_events(target, settings)
    mine = load_named_run(events.table, job=settings.job, run=run)
    history = events.load_newest(TREND_LENGTH, trend_events)
    page = assemble_run_page(events, target, mine, history=history, **configured_prices(settings))
    return write_run_page(session, settings, page)


def assemble_run_page(
    events: JobEvents, target: Table, mine: Sequence[RunEvent], *, history: Sequence[RunEvent] = (), **prices: Any
) -> RunPage:
    """What the report of a run shows, from the tables beside the prediction table.

    Needs:   the events of the run, one at least, oldest first; `prices` as `configured_prices`.
    Jobs:    none; small ones where only Spark reaches the tables.
    Raises:  ForeignTable.
    """
    run_id, as_of = str(mine[-1].run_id), mine[-1].as_of
    before = [key for key in events.index.publications if key.as_of < as_of][-1:]
    (scoring,) = find_scoring_publications(events.load_as_ofs((as_of,)), mine[-1:])
    shown = (scoring, *events.load_scoring_publications(before))
    runs = {str(event.run_id): event.as_of for event in shown}
    profiles = load_profiles(target.sibling("_profile"), job=events.job, runs=runs)
    now, *last = (profiles.get(str(event.run_id), ()) for event in shown)
    rejects = count_rejects(target.sibling("_rejects"), job=events.job, run_id=run_id, as_of=as_of)
    drifts = load_drifts(target.sibling("_drift"), job=events.job, runs={run_id: as_of})
    page = summarise_run_events(mine, target, history=history, **prices)
    return replace(page, profiles=now, previous_profiles=last[0] if last else (), drifts=drifts, rejects=tuple(rejects))


def summarise_run_events(
    mine: Sequence[RunEvent], target: Table, *, history: Sequence[RunEvent] = (), **prices: Any
) -> RunPage:
    """What a run's own events tell of it: all but profiles, distances and rejects.

    Needs:   as `assemble_run_page`.
    """
    last_event = last_own_event(mine)
    monitored = next((event.parsed_details for event in reversed(mine) if event.event == "monitored"), {})
    return RunPage(
        decode_run_report(mine, target.path or target.name),
        last_event.verdicts,
        (),
        (),
        (),
        (),
        tuple(SlaRule(**rule) for rule in monitored.get("sla", ())),
        tuple(history),
        cores=int(last_event.parsed_details.get("cores") or 1),
        **prices,
    )


def write_job_report(spark: SparkSession | None, settings: Settings) -> str:
    """Write the report of a job, the trend over its runs; returns where it is.

    Needs:   a session; without one (None) what only Spark tells raises SparkNeeded.
    Jobs:    none; a small one where only Spark reaches the run events.
    Raises:  ConfigError if no run exists, ForeignTable, AccessDenied.
    """
    session = create_session_if_any(spark)
    events = _open_job_events(Table.from_name(session, settings.output.table, home=settings.home_uri), settings)
    return write_job_page(session, settings, events.load_newest(TREND_LENGTH, trend_events))


def _open_job_events(target: Table, settings: Settings) -> JobEvents:
    found = JobEvents.open(target.sibling("_runs"), job=settings.job)
    if not found.index.as_ofs:
        raise ConfigError(f"the job {settings.job} has no run yet", "at least one run", "run `score`")
    return found
