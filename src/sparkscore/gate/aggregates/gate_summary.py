"""What tasks compute of a suite while they read or write rows: a state per part of the rows. Runs on executors."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from sparkscore.gate.aggregates.column_alignment import fit_column_type
from sparkscore.gate.aggregates.row_aggregates import RowAggregate
from sparkscore.gate.compiled.arrow_masks import RowMaskFunction

_PENDING_BATCHES = 16


@dataclass(frozen=True, slots=True)
class GateSummary:
    """The aggregates that a suite's measures are made of. Made on the driver, and pickled into each task.

    A state that meets a column of another type, or none, knows nothing from then on: Spark computes the rules.
    """

    name: str
    fingerprint: str
    types: tuple[tuple[str, pa.DataType], ...]
    """The columns that are read, and the types in which the aggregates compute."""
    aggregates: tuple[RowAggregate, ...]
    row_filter: RowMaskFunction | None = None
    """Of which rows; None: of all."""

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of the batches that it reads."""
        return tuple(name for name, _ in self.types)

    def start(self) -> "GateSummaryState":
        """A state without rows."""
        return GateSummaryState(self)


class GateSummaryState:
    """What the aggregates know of some rows."""

    def __init__(self, summary: GateSummary) -> None:
        """Without rows."""
        self._summary = summary
        self._rows = 0
        self._parts = [_PendingParts(aggregate) for aggregate in summary.aggregates]

    def add(self, batch: pa.RecordBatch) -> None:
        """Take rows into account."""
        self._rows += batch.num_rows
        aligned = self._align_batch(batch)
        for parts in self._parts:
            parts.add(aligned)

    def to_bytes(self) -> bytes:
        """All that was added."""
        encoded = [parts.encode() for parts in self._parts]
        sizes = [None if part is None else len(part) for part in encoded]
        header = {"fingerprint": self._summary.fingerprint, "rows": self._rows, "sizes": sizes}
        return b"".join([json.dumps(header).encode(), b"\n", *[part for part in encoded if part is not None]])

    def _align_batch(self, batch: pa.RecordBatch) -> pa.RecordBatch | None:
        columns = []
        for name, kind in self._summary.types:
            column = fit_column_type(batch.column(name), kind) if batch.schema.names.count(name) == 1 else None
            if column is None:
                return None
            columns.append(column)
        aligned = pa.RecordBatch.from_arrays(columns, list(self._summary.columns)) if columns else batch.select([])
        row_filter = self._summary.row_filter
        return aligned if row_filter is None else aligned.filter(row_filter(aligned))


class _PendingParts:
    """The parts of the batches, for one aggregate."""

    def __init__(self, aggregate: RowAggregate) -> None:
        self._aggregate = aggregate
        self._parts: list[Any] | None = []

    def add(self, batch: pa.RecordBatch | None) -> None:
        """Nothing is known any more where the batch is None, and where there is too much to know."""
        if batch is None:
            self._parts = None
        if self._parts is None or batch is None:
            return
        self._parts.append(self._aggregate.measure(batch))
        if len(self._parts) >= _PENDING_BATCHES:
            self._merge()

    def encode(self) -> bytes | None:
        self._merge()
        return None if self._parts is None else self._aggregate.encode(self._parts[0])

    def _merge(self) -> None:
        if self._parts is not None:
            merged = self._aggregate.limit(self._aggregate.merge(self._parts))
            self._parts = None if merged is None else [merged]


def merge_gate_states(summary: GateSummary, states: Iterable[bytes], *, rows: int | None = None) -> dict[str, Any]:
    """The merged parts of the aggregates that all states know, by their keys. Runs on the driver.

    Empty where a state is of another request, or where the states have not seen `rows` rows.
    """
    seen, merged = 0, {aggregate.key: aggregate.merge([]) for aggregate in summary.aggregates}
    for state in states:
        header, encoded = _split_gate_state(state)
        if header["fingerprint"] != summary.fingerprint:
            return {}
        seen += header["rows"]
        for aggregate, found in zip(summary.aggregates, encoded, strict=True):
            if found is None:
                merged.pop(aggregate.key, None)
            elif aggregate.key in merged:
                merged[aggregate.key] = aggregate.merge([merged[aggregate.key], aggregate.decode(found)])
    return merged if rows in (None, seen) else {}


def _split_gate_state(state: bytes) -> tuple[dict[str, Any], Sequence[bytes | None]]:
    line, _, rest = state.partition(b"\n")
    header, parts, start = json.loads(line), [], 0
    for size in header["sizes"]:
        parts.append(None if size is None else rest[start : start + size])
        start += size or 0
    return header, parts
