"""Run events: an append-only Delta table per job."""

import json
from collections.abc import Callable, Collection, Sequence
from dataclasses import fields
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from sparkscore.records import Pins, PublicationKey, RunEvent, RunIndex
from sparkscore.redaction.secret_patterns import mask_secrets, redact_secrets, redact_values
from sparkscore.schemas import RUNS_CONTRACT
from sparkscore.store.small_tables import (
    append_small_rows,
    ensure_small_table,
    load_small_rows,
)
from sparkscore.store.table import Table
from sparkscore.store.table_growth import check_table_owner

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_EVENT_ORDER = ("started", "staged", "failed", "aborted", "published", "monitored", "exported", "challenged")
_INDEX_COLUMNS = ("as_of", "revision", "attempt", "at", "event", "run_id")
_HEAD_COLUMNS = ("job", *_INDEX_COLUMNS, "exit_code", "error")
_PIN_COLUMNS = tuple(field.name for field in fields(Pins))
EventChoice = Callable[[Sequence[RunEvent]], Sequence[RunEvent]]
"""Which of the events, oldest first and without their details, are wanted."""


def ensure_events_table(table: Table, *, job: str) -> None:
    """Create the table of run events if it is absent; check that it belongs to the job.

    Raises:  AccessDenied, ForeignTable.
    """
    ensure_small_table(table, RUNS_CONTRACT, job=job)


def record_events(table: Table, events: Sequence[RunEvent]) -> None:
    """Append events to a prepared table, in one commit.

    Raises:  AccessDenied, PublishConflict.
    """
    append_small_rows(table, RUNS_CONTRACT, [_from_run_event(event) for event in events])


def _from_run_event(event: RunEvent) -> dict[str, Any]:
    row = {name: getattr(event, name, None) for name in RUNS_CONTRACT.names} | _redacted_texts(event)
    if event.pins is not None:
        row |= {name: getattr(event.pins, name) for name in _PIN_COLUMNS}
    return row


def _redacted_texts(event: RunEvent) -> dict[str, str | None]:
    """The texts of an event without secrets. Its identity (run_id, pins) stays as it is."""
    details = None if event.details is None else json.dumps(redact_values(event.parsed_details))
    return {
        "details": details,
        "message": None if event.message is None else redact_secrets(event.message),
        "source_table": None if event.source_table is None else mask_secrets(event.source_table),
    }


def load_events(table: Table, *, job: str, as_ofs: Collection[datetime] | None = None) -> list[RunEvent]:
    """A job's events, oldest first; of these as_ofs alone if they are given. Empty if there is no table.

    Raises:  ForeignTable.
    """
    rows = _load_event_rows(table, job=job, as_ofs=as_ofs)
    return [] if rows is None else _sort_events(_to_run_events(rows))


def load_event_heads(table: Table, *, job: str) -> list[RunEvent]:
    """All of a job's events, oldest first, without what grows with their number: texts, counts and pins.

    Raises:  ForeignTable.
    """
    rows = _load_event_rows(table, job=job, columns=_HEAD_COLUMNS)
    return [] if rows is None else _sort_events(_to_run_events(rows))


def load_chosen_events(
    table: Table, *, job: str, choose: EventChoice, as_ofs: Collection[datetime] | None = None
) -> list[RunEvent]:
    """The events that `choose` returns, in its order, of those of these as_ofs, or of all; it sees only their heads.

    Raises:  ForeignTable.
    """
    rows = _load_event_rows(table, job=job, as_ofs=as_ofs)
    if rows is None:
        return []
    heads = _to_run_events(rows.select(_HEAD_COLUMNS))
    places = {id(head): place for place, head in enumerate(heads)}
    chosen = [places[id(head)] for head in choose(_sort_events(heads))]
    return _to_run_events(rows.take(pa.array(chosen, pa.int64())))


def _load_event_rows(
    table: Table, *, job: str, as_ofs: Collection[datetime] | None = None, columns: Sequence[str] | None = None
) -> pa.Table | None:
    if not table.exists():
        return None
    check_table_owner(table, job=job)
    where = None if as_ofs is None else ("as_of", [as_of.astimezone(UTC) for as_of in as_ofs])
    return load_small_rows(table, columns=columns, where=where)


def _sort_events(events: Sequence[RunEvent]) -> list[RunEvent]:
    return sorted(
        events,
        key=lambda event: (event.as_of, event.revision, event.attempt, event.at, _event_rank(event)),
    )


def _event_rank(event: RunEvent) -> int:
    """Which comes first of two events of one moment; those that only newer versions know come last."""
    return _EVENT_ORDER.index(event.event) if event.event in _EVENT_ORDER else len(_EVENT_ORDER)


def load_run_index(table: Table, *, job: str) -> RunIndex:
    """All as_ofs of a job, and which runs are published: as much as a run needs of all others. Empty without a table.

    Raises:  ForeignTable.
    """
    if not table.exists():
        return RunIndex((), ())
    check_table_owner(table, job=job)
    found = load_small_rows(table, columns=_INDEX_COLUMNS)
    as_ofs = _to_utc_times(pc.unique(found["as_of"]).sort())
    published = found.filter((pc.field("event") == "published") & pc.field("run_id").is_valid())
    ordered = published.sort_by([(name, "ascending") for name in ("as_of", "revision", "attempt", "at")])
    newest = dict(zip(_to_utc_times(ordered["as_of"]), ordered["run_id"].to_pylist(), strict=True))
    return RunIndex(tuple(as_ofs), tuple(PublicationKey(as_of, run_id) for as_of, run_id in newest.items()))


def _to_run_events(rows: pa.Table) -> list[RunEvent]:
    """Needs:   the columns of an event's head at least."""
    times = {name: _to_utc_times(rows[name]) for name in ("as_of", "at")}
    names = [field.name for field in fields(RunEvent) if field.name in rows.column_names and field.name not in times]
    own = {name: rows[name].to_pylist() for name in names}
    has_pins = "scoring_digest" in rows.column_names
    pins = _to_pins(rows.select(_PIN_COLUMNS)) if has_pins else [None] * rows.num_rows
    columns = own | times | {"pins": pins}
    return [RunEvent(**dict(zip(columns, values, strict=True))) for values in zip(*columns.values(), strict=True)]


def _to_pins(rows: pa.Table) -> list[Pins | None]:
    return [None if one["scoring_digest"] is None else Pins(**one) for one in rows.to_pylist()]


def _to_utc_times(moments: pa.Array | pa.ChunkedArray) -> list[datetime]:
    """The times as Python's: pyarrow itself takes ten times as long where they have a zone."""
    return [_EPOCH + timedelta(microseconds=one) for one in moments.cast(pa.int64()).to_pylist()]
