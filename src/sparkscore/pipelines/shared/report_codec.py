"""Converts between the report of an attempt and its run events."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields, replace
from typing import Any

from sparkscore.errors import ErrorSummary, is_retryable
from sparkscore.records import (
    FOLLOW_UP_EVENTS,
    Pins,
    ReportedExport,
    ReportedFeatures,
    ReportedGroup,
    ReportedGroups,
    ReportedIncrement,
    ReportedModel,
    ReportedSource,
    RunEvent,
    RunReport,
    RunStatus,
    to_utc_text,
)

SUPERSEDED_BY = "superseded_by"
"""Key of an `aborted` event's details: the revision that was published instead."""

REMOVED_ROWS = "removed_rows"
"""Key of a `published` event's details: rows of earlier as_ofs that its commit has removed, by run_id."""
_GROUPS = "groups"
INCREMENT = "increment"
"""Key of an event's details: what was scored of a source of which the run reads changes."""

_COLUMNS = ("rows_read", "rows_scored", "rows_rejected")
_DETAILS = ("transport", "transport_reason", "model_loads", "executors", "warnings", "seconds", "rows_removed")
_REUSE = ("predicted_rows", "reused_rows")


def encode_run_report(report: RunReport, event: RunEvent, *, details: Mapping[str, Any]) -> RunEvent:
    """The event with what it keeps of the report of its attempt; `details`: further facts."""
    kept = {name: getattr(report, name) for name in _DETAILS}
    kept |= {} if report.increment is None else {INCREMENT: asdict(report.increment)}
    kept |= {} if report.groups is None else {_GROUPS: asdict(report.groups)}
    kept |= {name: getattr(report, name) for name in _REUSE if getattr(report, name) is not None}
    kept |= {"model_counts": dict(report.model_counts)} if report.model_counts else {}
    kept |= {"executors": dict(report.executors), "seconds": dict(report.seconds)}
    kept |= {"features": [asdict(one) for one in report.features]} if report.features else {}
    columns = {name: getattr(report, name) for name in _COLUMNS}
    return replace(event, **columns, details=json.dumps({**kept, **details}, default=str))


def decode_run_report(events: Sequence[RunEvent], table: str) -> RunReport:
    """The report of a run's last attempt, as far as its events keep it.

    Needs:   the events of one run, one at least, oldest first; `table` as the report names it.
    """
    last = last_own_event(events)
    attempt = [event for event in events if (event.revision, event.attempt) == (last.revision, last.attempt)]
    kept, columns = last.parsed_details, {name: getattr(last, name) for name in _COLUMNS}
    seconds = kept.get("seconds") or {}
    monitored = next((event.parsed_details for event in reversed(attempt) if event.event == "monitored"), {})
    stopped = (last.message,) if last.event == "aborted" and last.message else ()
    return RunReport(
        last.job,
        to_utc_text(last.as_of),
        _status_of_event(last),
        exit_code=next((event.exit_code for event in reversed(attempt) if event.exit_code is not None), 0),
        run_id=last.run_id,
        revision=last.revision,
        attempt=last.attempt,
        **columns,
        rows_removed=kept.get("rows_removed"),
        predicted_rows=kept.get("predicted_rows"),
        reused_rows=kept.get("reused_rows"),
        model=None if last.pins is None else model_of_pins(last.pins, last.model_id or ""),
        source=None if last.pins is None else _source_of_event(last, last.pins),
        features=decode_features(last),
        table=table,
        table_version=last.table_version,
        transport=kept.get("transport"),
        transport_reason=kept.get("transport_reason"),
        model_loads=kept.get("model_loads"),
        executors=kept.get("executors") or {},
        model_counts=kept.get("model_counts") or {},
        warnings=(*stopped, *(kept.get("warnings") or ())),
        seconds={**seconds, "total": _attempt_seconds(attempt, last)},
        rows_per_second=_scoring_rate(last.rows_scored, seconds.get("score_and_stage")),
        drifted=monitored.get("drifted"),
        sla_broken=tuple(rule["rule"] for rule in monitored.get("sla", ()) if not rule["kept"]),
        exports=_reported_exports(attempt),
        groups=_decode_groups(kept.get(_GROUPS)),
        increment=decode_increment(last),
        error=_error_of_event(last),
    )


def last_own_event(events: Sequence[RunEvent]) -> RunEvent:
    """The newest event of the last attempt that says how far it came."""
    return next((event for event in reversed(events) if event.event not in FOLLOW_UP_EVENTS), events[-1])


def model_of_pins(pins: Pins, model_id: str) -> ReportedModel:
    """The model as a report names it."""
    return ReportedModel(pins.model_name, pins.model_version, model_id, pins.model_digest)


def _decode_groups(told: Mapping[str, Any] | None) -> ReportedGroups | None:
    if told is None:
        return None
    counts = {name: int(told.get(name) or 0) for name in ("groups", "models", "missing")}
    largest = (
        ReportedGroup(one.get("group", ""), one.get("model"), one.get("rows")) for one in told.get("largest", ())
    )
    return ReportedGroups(**counts, largest=tuple(largest))


def decode_increment(event: RunEvent) -> ReportedIncrement | None:
    """What the event says of the changes that its run has scored."""
    found = event.parsed_details.get(INCREMENT)
    known = {one.name for one in fields(ReportedIncrement)}
    if not found:
        return None
    until = {"since": None, "until": 0 if event.pins is None else event.pins.source_version}
    if event.pins is not None:
        until["since"] = event.pins.additions.changes_since
    return ReportedIncrement(**{**until, **{name: found[name] for name in known & found.keys()}})


def _reported_exports(events: Sequence[RunEvent]) -> tuple[ReportedExport, ...]:
    """The last word on each export."""
    found = [event.parsed_details.get("export") for event in events if event.event == "exported"]
    last = {one["name"]: ReportedExport(**one) for one in found if one}
    return tuple(last.values())


def decode_features(event: RunEvent) -> tuple[ReportedFeatures, ...]:
    """What was joined to the rows of an event's run."""
    return tuple(ReportedFeatures(**one) for one in event.parsed_details.get("features") or ())


def _source_of_event(event: RunEvent, pins: Pins) -> ReportedSource:
    landing = event.parsed_details.get("landing") or {}
    kind = landing.get("format", "delta")
    return ReportedSource(event.source_table or "", pins.source_version, kind, landing.get("landed_at"))


def _status_of_event(event: RunEvent) -> RunStatus:
    if event.event == "aborted":
        return "superseded" if event.parsed_details.get(SUPERSEDED_BY) is not None else "aborted"
    if event.event == "published" or event.event in FOLLOW_UP_EVENTS:
        return "published"
    return "failed" if event.event == "failed" else "unfinished"


def _error_of_event(event: RunEvent) -> ErrorSummary | None:
    if event.event != "failed" or event.error is None:
        return None
    return ErrorSummary(event.error, event.message or "", is_retryable(event.error, exit_code=event.exit_code))


def _scoring_rate(rows: int | None, seconds: float | None) -> int | None:
    return round(rows / seconds) if rows and seconds else None


def _attempt_seconds(attempt: Sequence[RunEvent], last: RunEvent) -> float:
    """Seconds from the start of the attempt to its last event."""
    started = [event.at for event in attempt if event.event == "started"]
    return round((last.at - started[0]).total_seconds(), 3) if started else 0.0
