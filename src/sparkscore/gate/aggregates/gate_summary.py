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
        self._is_known = True
        self._parts: list[list[Any]] = [[] for _ in summary.aggregates]

    def add(self, batch: pa.RecordBatch) -> None:
        """Take rows into account."""
        self._rows += batch.num_rows
        aligned = self._align_batch(batch) if self._is_known else None
        if aligned is None:
            self._is_known = False
            return
        for aggregate, parts in zip(self._summary.aggregates, self._parts, strict=True):
            parts.append(aggregate.measure(aligned))
            if len(parts) >= _PENDING_BATCHES:
                parts[:] = [aggregate.merge(parts)]

    def to_bytes(self) -> bytes:
        """All that was added."""
        parts = [
            aggregate.encode(aggregate.merge(found))
            for aggregate, found in zip(self._summary.aggregates, self._parts, strict=True)
            if self._is_known
        ]
        header = {
            "fingerprint": self._summary.fingerprint,
            "rows": self._rows,
            "known": self._is_known,
            "sizes": [len(part) for part in parts],
        }
        return b"".join([json.dumps(header).encode(), b"\n", *parts])

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


def merge_gate_states(summary: GateSummary, states: Iterable[bytes], *, rows: int | None = None) -> dict[str, Any]:
    """The merged parts of the aggregates, by their keys. Runs on the driver.

    Empty where the states are not sure: one is of another request or knows nothing, or they have not seen `rows` rows.
    """
    seen, merged = 0, [aggregate.merge([]) for aggregate in summary.aggregates]
    for state in states:
        header, encoded = _split_gate_state(state)
        if header["fingerprint"] != summary.fingerprint or not header["known"]:
            return {}
        seen += header["rows"]
        merged = [
            aggregate.merge([part, aggregate.decode(found)])
            for aggregate, part, found in zip(summary.aggregates, merged, encoded, strict=True)
        ]
    if rows not in (None, seen):
        return {}
    return {aggregate.key: part for aggregate, part in zip(summary.aggregates, merged, strict=True)}


def _split_gate_state(state: bytes) -> tuple[dict[str, Any], Sequence[bytes]]:
    line, _, rest = state.partition(b"\n")
    header, parts, start = json.loads(line), [], 0
    for size in header["sizes"]:
        parts.append(rest[start : start + size])
        start += size
    return header, parts
