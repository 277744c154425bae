"""What tasks compute of a suite while they read or write rows: a state per part of the rows. Runs on executors."""

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import pyarrow as pa

from sparkscore.errors import ScanUnsupported
from sparkscore.gate.aggregates.column_alignment import fit_column_type
from sparkscore.gate.aggregates.row_aggregates import RowAggregate
from sparkscore.gate.compiled.arrow_masks import RowMaskFunction

_FIRST_PENDING_PARTS, _PENDING_PARTS = 2, 16
"""Few at first: where there is too much to know, the rest of the rows is not measured."""


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
        self._parts = [_PendingParts(partial(_merge_small_part, aggregate)) for aggregate in summary.aggregates]

    def add(self, batch: pa.RecordBatch) -> None:
        """Take rows into account."""
        self._rows += batch.num_rows
        aligned = self._align_batch(batch)
        for aggregate, parts in zip(self._summary.aggregates, self._parts, strict=True):
            if parts.is_known:
                parts.add(None if aligned is None else _measure_batch(aggregate, aligned))

    def to_bytes(self) -> bytes:
        """All that was added."""
        merged = [parts.merge() for parts in self._parts]
        encoded = [
            None if part is None else aggregate.encode(part)
            for aggregate, part in zip(self._summary.aggregates, merged, strict=True)
        ]
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


def _merge_small_part(aggregate: RowAggregate, parts: Sequence[Any]) -> Any:
    return aggregate.limit(aggregate.merge(parts))


def _measure_batch(aggregate: RowAggregate, batch: pa.RecordBatch) -> Any:
    try:
        return aggregate.measure(batch)
    except ScanUnsupported:  # Spark judges this rule, and tasks the others
        return None


class _PendingParts:
    """Parts of rows for one aggregate, merged some at a time."""

    def __init__(self, merge: Callable[[Sequence[Any]], Any]) -> None:
        self._merge = merge
        self._parts: list[Any] | None = []
        self._pending = _FIRST_PENDING_PARTS

    @property
    def is_known(self) -> bool:
        return self._parts is not None

    def add(self, part: Any | None) -> None:
        """Nothing is known any more after None."""
        if part is None:
            self._parts = None
        elif self._parts is not None:
            self._parts.append(part)
            if len(self._parts) >= self._pending:
                self.merge()
                self._pending = min(2 * self._pending, _PENDING_PARTS)

    def merge(self) -> Any | None:
        """The part of all rows; None where it is not known, or would be too large."""
        if self._parts is None:
            return None
        merged = self._merge(self._parts)
        self._parts = None if merged is None else [merged]
        return merged


def merge_gate_states(summary: GateSummary, states: Iterable[bytes]) -> dict[str, Any]:
    """The merged parts of the aggregates that all states know, by their keys. Runs on the driver.

    Empty where a state is of another request.
    """
    pending = [_PendingParts(aggregate.merge) for aggregate in summary.aggregates]
    for state in states:
        header, encoded = _split_gate_state(state)
        if header["fingerprint"] != summary.fingerprint:
            return {}
        for aggregate, parts, found in zip(summary.aggregates, pending, encoded, strict=True):
            if parts.is_known:
                parts.add(None if found is None else aggregate.decode(found))
    merged = {aggregate.key: parts.merge() for aggregate, parts in zip(summary.aggregates, pending, strict=True)}
    return {key: part for key, part in merged.items() if part is not None}


def _split_gate_state(state: bytes) -> tuple[dict[str, Any], Sequence[bytes | None]]:
    line, _, rest = state.partition(b"\n")
    header, parts, start = json.loads(line), [], 0
    for size in header["sizes"]:
        parts.append(None if size is None else rest[start : start + size])
        start += size or 0
    return header, parts
