"""Homes with the tables of jobs, written by the suite's own writers and without Spark."""

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
from deltalake import write_deltalake

from sparkscore.records import (
    ColumnProfile,
    Drift,
    EventKind,
    LabelCounts,
    Measure,
    PerformanceRow,
    Pins,
    Quality,
    Run,
    RunEvent,
    TableRef,
)
from sparkscore.schemas import LINEAGE_COLUMNS, REJECTS_CONTRACT, RUNS_CONTRACT
from sparkscore.store.direct_creation import create_directly
from sparkscore.store.monitoring_tables import keep_drifts, keep_profiles
from sparkscore.store.performance_table import replace_performance
from sparkscore.store.run_events import record_events
from sparkscore.store.table import Table

JOB, HOSTILE_JOB, TABLE = "late-flights", "<script>alert(1)</script>", "predictions"
FIRST = datetime(2013, 12, 1, tzinfo=UTC)
HOSTILE = "<script>alert('x')</script>\"><img src=x onerror=alert(1)>"
SENSITIVE = "a" * 64
"""A key as the table of rejects holds a sensitive one: a hash."""
RULES = [
    {"rule": "id is never null", "passed": True, "observed": "0 of 100", "expected": "0", "severity": "critical"},
    {"rule": f"x1 {HOSTILE}", "passed": False, "observed": "3 of 100", "expected": "0", "severity": "warning"},
]
_DETAILS = {
    "verb": "score",
    "transport": "scan",
    "transport_reason": "4 files",
    "seconds": {"pin": 0.2, "score_and_stage": 4.0, "publish": 1.5},
    "executors": {"loads": 2},
    "model_loads": 2,
    "warnings": [f"a warning {HOSTILE}"],
}


def open_table(home: Path, suffix: str = "", name: str = TABLE) -> Table:
    """A table of a home, without a session."""
    return Table(None, TableRef(name + suffix, str(home / "tables" / (name + suffix))))


def make_run(day: int, *, job: str = JOB, revision: int = 1) -> Run:
    """The run of a day; its model is the second version from day 6 on."""
    pins = Pins("source-id", 7 + day, "late", "1" if day < 6 else "2", "digest", "scoring")
    return Run(job, FIRST + timedelta(days=day), revision, 1, pins, "flights", "m-1")


def list_run_events(run: Run, *, rejected: int = 0, attempt: int = 1, drifted: int = 0) -> list[RunEvent]:
    """The events of a run that was published."""
    at = run.as_of + timedelta(hours=3, minutes=10 * attempt)
    rule = {"rule": "published within", "kept": run.as_of.day != 9, "observed": "3 h", "expected": "at most 4"}
    monitored = {"drifted": drifted, "sla": [rule]}
    verdict = {"gate": "output", "suite": "flights", "seconds": 0.1, "rules": RULES}
    kinds: Sequence[tuple[EventKind, float, Any]] = (
        ("started", 0, _DETAILS),
        ("staged", 4, _DETAILS),
        (
            "published",
            6,
            _DETAILS | {"verdicts": [verdict]},
        ),
        ("monitored", 8, _DETAILS | monitored),
    )
    base = RunEvent(run.job, run.as_of, run.revision, attempt, "started", at, run.run_id, run.pins, "flights", "m-1")
    counts: dict[str, Any] = {"rows_read": 100, "rows_scored": 100 - rejected, "rows_rejected": rejected}
    return [
        replace(
            base, event=kind, at=at + timedelta(seconds=later), details=json.dumps(details), **(counts if later else {})
        )
        for kind, later, details in kinds
    ]


def list_failed_events(run: Run) -> list[RunEvent]:
    """The events of an attempt that failed before it had pinned anything."""
    base = RunEvent(run.job, run.as_of, run.revision, 1, "started", run.as_of, details=json.dumps({"verb": "score"}))
    ended = run.as_of + timedelta(seconds=9)
    return [base, replace(base, event="failed", at=ended, exit_code=4, error="ModelNotFound", message=f"no {HOSTILE}")]


def write_events(home: Path, events: Sequence[RunEvent], *, job: str = JOB, name: str = TABLE) -> Table:
    """The table of run events, with one more commit."""
    table = open_table(home, "_runs", name)
    if not table.exists():
        create_directly(table, RUNS_CONTRACT, job=job)
    record_events(table, events)
    return table


def write_home(home: Path, *, days: int = 10) -> Path:
    """Two jobs: one with runs, rejects, drift, profiles and performance; one whose name is an attack."""
    events = [
        event for day in range(days) for event in list_run_events(make_run(day), rejected=day % 3, drifted=day % 2)
    ]
    events += list_failed_events(make_run(days))
    events += list_run_events(make_run(2, revision=2))
    write_events(home, events)
    for day in range(days):
        _write_monitoring(home, make_run(day), day)
    _write_rejects(home, [make_run(day) for day in range(days)])
    _write_performance(home, days)
    _write_predictions(home, [make_run(day) for day in range(days)])
    write_events(home, list_failed_events(make_run(0, job=HOSTILE_JOB)), job=HOSTILE_JOB, name="other")
    return home


def write_many_runs(home: Path, runs: int) -> Path:
    """A job with so many published runs, in a few commits."""
    events = [event for day in range(runs) for event in list_run_events(_hourly_run(day))]
    for first in range(0, len(events), 20_000):
        write_events(home, events[first : first + 20_000])
    return home


def _hourly_run(number: int) -> Run:
    return replace(make_run(0), as_of=FIRST + timedelta(hours=number))


def _write_monitoring(home: Path, run: Run, day: int) -> None:
    points: dict[str, Any] = {"points": (0.0, 0.5, 1.0), "weights": (1.0, 98.0, 1.0)}
    profile = ColumnProfile("x1", "input", "double", 100, 0, 0, min=0, max=1, mean=0.5, **points)
    own = replace(profile, column="prediction", log_type="prediction")
    keep_profiles(open_table(home, "_profile"), run, [profile, own])
    drift = Drift("x1", "input", "CONSECUTIVE", "the run before", 100, 100, psi=0.05 * day, drifted=bool(day % 2))
    drift = replace(drift, bins=("low", "high"), shares=(0.4, 0.6), shares_cmp=(0.5, 0.5))
    keep_drifts(open_table(home, "_drift"), run, [drift, replace(drift, column=HOSTILE, psi=0.01, drifted=False)])


def _write_rejects(home: Path, runs: Sequence[Run]) -> None:
    rows = [
        {
            "key": json.dumps({"id": number, "card": SENSITIVE, "name": HOSTILE}),
            "code": "null_prediction" if number else "predict_failed",
            "error": None if number else "ValueError",
            "message": f"the model said nothing {HOSTILE}",
            **run.lineage_values(scored_at=run.as_of),
        }
        for run in runs
        for number in range((run.as_of.day - 1) % 3)
    ]
    table = open_table(home, "_rejects")
    create_directly(table, REJECTS_CONTRACT, job=JOB)
    write_deltalake(str(table.path), pa.Table.from_pylist(rows, schema=REJECTS_CONTRACT.schema), mode="append")


def _write_performance(home: Path, days: int) -> None:
    rows = [
        PerformanceRow(
            start=run.as_of,
            end=run.as_of,
            granularity="run",
            model_name="late",
            model_version=run.pins.model_version,
            problem="binary",
            rows=100,
            quality=Quality(90, {"roc_auc": Measure(0.7 + 0.01 * day, 0.6, 0.9)}),
            breaches=(f"roc_auc below 0.72 {HOSTILE}",) if day == 0 else (),
            runs=(run.run_id,),
            window_id=f"window-{day}",
            revision=1,
            labels_table="arrivals",
            labels_version=1,
            labels=LabelCounts(),
            evaluated_at=run.as_of + timedelta(days=1),
        )
        for day, run in ((day, make_run(day)) for day in range(days))
    ]
    replace_performance(open_table(home, "_performance"), rows, job=JOB, guard_name=JOB, after=-1)


def _write_predictions(home: Path, runs: Sequence[Run]) -> None:
    values = [
        {"id": number, "prediction": 0.5, **run.lineage_values(scored_at=run.as_of)}
        for run in runs
        for number in range(3)
    ]
    fields = [pa.field("id", pa.int64()), pa.field("prediction", pa.float64())]
    fields += [pa.field(column.name, column.type, column.nullable) for column in LINEAGE_COLUMNS]
    write_deltalake(
        str(home / "tables" / TABLE),
        pa.Table.from_pylist(values, schema=pa.schema(fields)),
        partition_by=["as_of_date"],
        description=f"Predictions {HOSTILE}",
    )
