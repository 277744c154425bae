"""How many rows hold each value of some columns, as long as there are not too many. Runs on executors.

Of a column whose values ascend from row to row it is enough to know where they begin and end: where these spans do
not overlap, no value is there twice, however many rows there are.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sparkscore.gate.aggregates.row_aggregates import ScopedAggregate, to_ordered_integers

MAX_PART_VALUES = 200_000
_MAX_PART_BYTES = 4 << 20
"""Of one part of the rows, in a task: as much as one group of rows of a Parquet file, or less."""
MAX_VALUES = 1_000_000
_MAX_BYTES = 64 << 20
"""Of all rows, on the driver. Beyond, Spark brings equal values together."""
_MOST_DISTINCT = 0.7
"""Where fewer of the rows have a value of their own, equal values of batches are brought together at once."""
_MAX_SPANNED_VALUES = 10_000
"""Values that ascend are not kept beyond: their span is enough for uniqueness."""
_MAX_SPANS = 100_000
_FIRST_ROWS = 64
"""Where they do not ascend, the rest need not be looked at."""
_ROWS = "rows"
_COMPRESSED = pa.ipc.IpcWriteOptions(compression="lz4")

Span = tuple[Any, Any]
"""The first and the last of values that ascend strictly."""


@dataclass(frozen=True)
class ValueCountsPart:
    """What is known of the values of some rows."""

    rows: int = 0
    table: pa.Table | None = None
    """A row per value, and `rows`; a value may have several. None without rows, or where there are too many values."""
    spans: tuple[Span, ...] | None = ()
    """None where the values do not ascend."""

    @property
    def has_all_values(self) -> bool:
        """Whether the table holds all values."""
        return self.table is not None or not self.rows

    @property
    def is_unique(self) -> bool:
        """Whether no two rows hold one value, by the spans alone."""
        if self.spans is None:
            return False
        spans = sorted(self.spans)
        return all(former[1] < later[0] for former, later in pairwise(spans))

    @cached_property
    def rows_by_value(self) -> pa.Table | None:
        """Grain: one row per value, in columns `0` and following, and the number of its `rows`; None without rows."""
        return None if self.table is None else _group_equal_values(self.table)


@dataclass(frozen=True, slots=True)
class ValueCounts(ScopedAggregate):
    """The values of one column, without NULL, or of several together, with NULL; NaN is one value, and so is zero."""

    value_columns: tuple[str, ...]
    max_values: int = MAX_PART_VALUES
    """That a task keeps."""

    @property
    def keeps_values(self) -> bool:
        """They are values of rows."""
        return True

    def measure(self, batch: pa.RecordBatch) -> ValueCountsPart:
        """Shapes: n rows -> at most n values."""
        if len(self.value_columns) == 1:
            return _measure_one_column(self.scope.select_values(batch))
        condition = self.scope.row_condition
        chosen = batch if condition is None else batch.filter(condition(batch))
        return _measure_values([chosen.column(name) for name in self.value_columns], None)

    def merge(self, parts: Sequence[ValueCountsPart]) -> ValueCountsPart:
        """All values, unless they are too many."""
        filled = [part for part in parts if part.rows]
        if len(filled) < 2:
            return filled[0] if filled else ValueCountsPart()
        spans = _join_spans([part.spans for part in filled])
        tables = [part.table for part in filled if part.table is not None]
        table = None if len(tables) < len(filled) else pa.concat_tables(tables)
        rows = sum(part.rows for part in filled)
        if table is not None and table.num_rows < _MOST_DISTINCT * rows:
            table = _group_equal_values(table)
        return ValueCountsPart(rows, _limit_values(table, MAX_VALUES, _MAX_BYTES), spans)

    def limit(self, part: ValueCountsPart) -> ValueCountsPart | None:
        """No values where there are too many for a task, or where their spans are enough."""
        is_spanned = part.spans is not None and part.rows > _MAX_SPANNED_VALUES
        table = None if is_spanned else _limit_values(part.table, self.max_values, _MAX_PART_BYTES)
        return None if part.rows and table is None and part.spans is None else replace(part, table=table)

    def encode(self, part: ValueCountsPart) -> bytes:
        """Arrow's own format, after a line of JSON."""
        line = json.dumps({_ROWS: part.rows, "spans": part.spans}).encode() + b"\n"
        if part.table is None:
            return line
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, part.table.schema, options=_COMPRESSED) as stream:
            stream.write_table(part.table.combine_chunks())
        return line + bytes(sink.getvalue())

    def decode(self, encoded: bytes) -> ValueCountsPart:
        """The part that was encoded."""
        line, _, rest = encoded.partition(b"\n")
        known = json.loads(line)
        spans = None if known["spans"] is None else tuple((first, last) for first, last in known["spans"])
        return ValueCountsPart(known[_ROWS], pa.ipc.open_stream(rest).read_all() if rest else None, spans)


def _measure_one_column(values: pa.Array) -> ValueCountsPart:
    ordered = to_ordered_integers(values)
    if not len(values) or not (pa.types.is_integer(ordered.type) or pa.types.is_string(ordered.type)):
        return _measure_values([values], None)
    if not (_is_ascending(ordered[:_FIRST_ROWS]) and _is_ascending(ordered)):
        return _measure_values([values], None)
    return _measure_values([values], ((ordered[0].as_py(), ordered[-1].as_py()),))


def _is_ascending(ordered: pa.Array) -> bool:
    return len(ordered) < 2 or bool(pc.all(pc.less(ordered[:-1], ordered[1:])).as_py())


def _measure_values(columns: Sequence[pa.Array], spans: tuple[Span, ...] | None) -> ValueCountsPart:
    rows = len(columns[0])
    if not rows:
        return ValueCountsPart()
    unified = [_unify_equal_numbers(column) for column in columns]
    if len(unified) == 1 and spans is None:
        counted = pc.value_counts(unified[0])
        return ValueCountsPart(rows, pa.table({"0": counted.field(0), _ROWS: counted.field(1)}), spans)
    named = {str(index): column for index, column in enumerate(unified)}
    table = pa.table({**named, _ROWS: pa.array(np.ones(rows, np.int64))})
    return ValueCountsPart(rows, table if spans else _group_equal_values(table), spans)


def _unify_equal_numbers(column: pa.Array) -> pa.Array:
    """One zero and one NaN, as Spark groups them."""
    if not pa.types.is_floating(column.type):
        return column
    nan, zero = pa.scalar(float("nan"), column.type), pa.scalar(0.0, column.type)
    return pc.if_else(pc.is_nan(column), nan, pc.add(column, zero))


def _group_equal_values(table: pa.Table) -> pa.Table:
    keys = [name for name in table.column_names if name != _ROWS]
    grouped = table.group_by(keys, use_threads=False).aggregate([(_ROWS, "sum")])
    return grouped.select([*keys, f"{_ROWS}_sum"]).rename_columns([*keys, _ROWS])


def _join_spans(spans: Sequence[tuple[Span, ...] | None]) -> tuple[Span, ...] | None:
    joined = [span for one in spans if one is not None for span in one]
    return None if None in spans or len(joined) > _MAX_SPANS else tuple(joined)


def _limit_values(table: pa.Table | None, values: int, size: int) -> pa.Table | None:
    """The table, its values brought together where they are too many; None where that does not help."""
    if table is None or _is_small(table, values, size):
        return table
    grouped = _group_equal_values(table)
    return grouped if _is_small(grouped, values, size) else None


def _is_small(table: pa.Table, values: int, size: int) -> bool:
    return bool(table.num_rows <= values and table.nbytes <= size)
