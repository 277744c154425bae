"""Run events: an append-only Delta table per job."""

from collections.abc import Mapping
from dataclasses import fields
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
from pyspark.sql import SparkSession

from sparkscore.records import Pins, RunEvent, TableRef
from sparkscore.schemas import RUNS
from sparkscore.store.rows import rows_of
from sparkscore.store.tables import ensure, exists, owner
from sparkscore.store.writes import append

_ORDER = ("started", "staged", "failed", "aborted", "published", "monitored")
_PINS = tuple(field.name for field in fields(Pins))


def prepare(spark: SparkSession, table: TableRef, *, job: str) -> None:
    """Make the table of run events where it is absent; check that it is the job's.

    Raises:  AccessDenied, ForeignTable.
    """
    ensure(spark, table, RUNS, job=job)


def record(spark: SparkSession, table: TableRef, event: RunEvent) -> None:
    """Append one event to a prepared table.

    Raises:  AccessDenied.
    """
    row = {name: getattr(event, name, None) for name in RUNS.names}
    if event.pins is not None:
        row |= {name: getattr(event.pins, name) for name in _PINS}
    frame = spark.createDataFrame(pa.Table.from_pylist([row], schema=RUNS.schema)).coalesce(1)
    append(frame, table)


def events(spark: SparkSession, table: TableRef, *, job: str, as_of: datetime | None = None) -> list[RunEvent]:
    """A job's events, oldest first; of one as_of where one is given. Empty where there is no table.

    Raises:  ForeignTable.
    """
    if not exists(spark, table):
        return []
    owner(spark, table, job=job)
    where = None if as_of is None else ("as_of", [as_of.astimezone(UTC)])
    found = [_event(row) for row in rows_of(spark, table, where=where)]
    return sorted(
        found,
        key=lambda event: (event.as_of, event.revision, event.attempt, event.at, _ORDER.index(event.event)),
    )


def _event(values: Mapping[str, Any]) -> RunEvent:
    pins = Pins(**{name: values[name] for name in _PINS}) if values["scoring_digest"] is not None else None
    own = {field.name: values[field.name] for field in fields(RunEvent) if field.name in values}
    own |= {"as_of": _utc(values["as_of"]), "at": _utc(values["at"]), "pins": pins}
    return RunEvent(**own)


def _utc(moment: datetime) -> datetime:
    """Spark gives Python a naive time in the process's zone; the record holds UTC."""
    return moment.astimezone(UTC)
