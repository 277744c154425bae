"""Lists run events: all runs of a job, or one run with its attempts."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from pyspark.sql import SparkSession

from sparkscore.pipelines.shared.job_events import load_named_run
from sparkscore.records import FOLLOW_UP_EVENTS, RunEvent
from sparkscore.settings import Settings
from sparkscore.spark.isolated_session import create_session_if_any
from sparkscore.store.run_events import load_chosen_events
from sparkscore.store.table import Table

_AttemptKey = tuple[datetime, int, int]
"""as_of, revision, attempt."""


def list_runs(spark: SparkSession | None, settings: Settings, *, run: str | None = None) -> list[RunEvent]:
    """The job's events, oldest first: the last one of every attempt, or all of one run.

    Needs:   a session; without one (None) what only Spark tells raises SparkNeeded. `run` as a run_id or its
             beginning, eight characters at least.
    Jobs:    none; a small one where only Spark reaches the run events.
    Raises:  ConfigError for an unknown run, ForeignTable.
    """
    session = create_session_if_any(spark)
    target = Table.from_name(session, settings.output.table, home=settings.home_uri)
    table = target.sibling("_runs")
    if run is not None:
        return load_named_run(table, job=settings.job, run=run)
    ends: dict[_AttemptKey, RunEvent] = {}
    found = load_chosen_events(table, job=settings.job, choose=lambda events: _last_events(events, ends))
    return [
        replace(event, exit_code=end.exit_code) if (end := ends.get(_attempt_key(event))) is not None else event
        for event in found
    ]


def _last_events(events: Sequence[RunEvent], ends: dict[_AttemptKey, RunEvent]) -> list[RunEvent]:
    """The last event of each attempt; what monitoring or an export found of it, with its exit code, goes to `ends`."""
    known: dict[_AttemptKey, RunEvent] = {}
    for event in events:
        key = _attempt_key(event)
        if event.event in FOLLOW_UP_EVENTS and key in known:
            ends[key] = event
        else:
            known[key] = event
            ends.pop(key, None)
    return list(known.values())


def _attempt_key(event: RunEvent) -> _AttemptKey:
    return event.as_of, event.revision, event.attempt
