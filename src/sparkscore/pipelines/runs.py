"""Lists run events: all runs of a job, or one run with its attempts."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from pyspark.sql import SparkSession

from sparkscore.lifecycle import select_run_events
from sparkscore.records import FOLLOW_UP_EVENTS, RunEvent
from sparkscore.settings import Settings
from sparkscore.spark.isolated_session import create_session_if_any
from sparkscore.store.run_events import load_events
from sparkscore.store.table import Table


def list_runs(spark: SparkSession | None, settings: Settings, *, run: str | None = None) -> list[RunEvent]:
    """The job's events, oldest first: the last one of every attempt, or all of one run.

    Needs:   a session; without one (None) what only Spark tells raises SparkNeeded. `run` as a run_id or its
             beginning, eight characters at least.
    Jobs:    none; a small one where only Spark reaches the run events.
    Raises:  ConfigError for an unknown run, ForeignTable.
    """
    session = create_session_if_any(spark)
    target = Table.from_name(session, settings.output.table, home=settings.home_uri)
    found = load_events(target.sibling("_runs"), job=settings.job)
    if run is None:
        return _last_attempt_events(found)
    return select_run_events(found, run)


def _last_attempt_events(events: Sequence[RunEvent]) -> list[RunEvent]:
    """The last event of each attempt; the exit code of a publication is the one that monitoring or an export found."""
    known: dict[tuple[datetime, int, int], RunEvent] = {}
    for event in events:
        key = (event.as_of, event.revision, event.attempt)
        published = known.get(key) if event.event in FOLLOW_UP_EVENTS else None
        known[key] = event if published is None else replace(published, exit_code=event.exit_code)
    return list(known.values())
