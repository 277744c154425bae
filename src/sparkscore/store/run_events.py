"""Run events: an append-only Delta table per job."""

import json
from collections.abc import Mapping
from dataclasses import fields
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa

from sparkscore.records import Pins, RunEvent
from sparkscore.redaction.secret_patterns import mask_secrets, redact_secrets, redact_values
from sparkscore.schemas import RUNS_CONTRACT
from sparkscore.store.guarded_writes import append_rows
from sparkscore.store.small_tables import load_small_table
from sparkscore.store.table import Table
from sparkscore.store.table_contracts import ensure_table
from sparkscore.store.table_growth import check_table_owner

_EVENT_ORDER = ("started", "staged", "failed", "aborted", "published", "monitored")
_PIN_COLUMNS = tuple(field.name for field in fields(Pins))


def ensure_events_table(table: Table, *, job: str) -> None:
    """Create the table of run events if it is absent; check that it belongs to the job.

    Raises:  AccessDenied, ForeignTable.
    """
    ensure_table(table, RUNS_CONTRACT, job=job)


def record_event(table: Table, event: RunEvent) -> None:
    """Append one event to a prepared table.

    Raises:  AccessDenied.
    """
    row = {name: getattr(event, name, None) for name in RUNS_CONTRACT.names} | _redacted_texts(event)
    if event.pins is not None:
        row |= {name: getattr(event.pins, name) for name in _PIN_COLUMNS}
    frame = table.spark.createDataFrame(pa.Table.from_pylist([row], schema=RUNS_CONTRACT.schema)).coalesce(1)
    append_rows(frame, table)


def _redacted_texts(event: RunEvent) -> dict[str, str | None]:
    """The texts of an event without secrets. Its identity (run_id, pins) stays as it is."""
    details = None if event.details is None else json.dumps(redact_values(event.parsed_details))
    return {
        "details": details,
        "message": None if event.message is None else redact_secrets(event.message),
        "source_table": None if event.source_table is None else mask_secrets(event.source_table),
    }


def load_events(table: Table, *, job: str, as_of: datetime | None = None) -> list[RunEvent]:
    """A job's events, oldest first; of one as_of if it is given. Empty if there is no table.

    Raises:  ForeignTable.
    """
    if not table.exists():
        return []
    check_table_owner(table, job=job)
    where = None if as_of is None else ("as_of", [as_of.astimezone(UTC)])
    found = [_to_run_event(row) for row in load_small_table(table, where=where)]
    return sorted(
        found,
        key=lambda event: (event.as_of, event.revision, event.attempt, event.at, _EVENT_ORDER.index(event.event)),
    )


def _to_run_event(values: Mapping[str, Any]) -> RunEvent:
    pins = Pins(**{name: values[name] for name in _PIN_COLUMNS}) if values["scoring_digest"] is not None else None
    own = {field.name: values[field.name] for field in fields(RunEvent) if field.name in values}
    own |= {"as_of": _to_utc_time(values["as_of"]), "at": _to_utc_time(values["at"]), "pins": pins}
    return RunEvent(**own)


def _to_utc_time(moment: datetime) -> datetime:
    """Convert a time: Spark gives Python a naive time in the process's zone, and the record holds UTC."""
    return moment.astimezone(UTC)
