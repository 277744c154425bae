"""Aggregates over the rows of a batch, whose parts merge in any order. Runs on executors; pyarrow and numpy only.

`gate.compiled.arrow_measures` binds columns and conditions on the driver, tasks compute parts, and the driver makes of
the merged part the value that Spark's aggregate has. Parts are never pickled: files must not be able to run code.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sparkscore.gate.aggregates.exact_sums import Doubles, sum_exactly
from sparkscore.gate.compiled.arrow_masks import RowMaskFunction

_DECIMAL_SUM_TYPE_DIGITS = 76


class RowAggregate(Protocol):
    """An aggregate that tasks compute batch by batch. It can be pickled."""

    @property
    def key(self) -> str:
        """Equal aggregates have equal ones, and are computed once."""

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that it reads."""

    @property
    def keeps_values(self) -> bool:
        """Whether its parts hold values of rows."""

    def measure(self, batch: pa.RecordBatch) -> Any:
        """The part of a batch."""

    def merge(self, parts: Sequence[Any]) -> Any:
        """The part of all rows together; of no parts that of no rows."""

    def limit(self, part: Any) -> Any:
        """A part that is small enough for a task to keep: it may know less; None: nothing."""

    def encode(self, part: Any) -> bytes:
        """A part as bytes."""

    def decode(self, encoded: bytes) -> Any:
        """The part that was encoded."""


@dataclass(frozen=True, slots=True)
class AggregateScope:
    """What an aggregate reads, and of which rows."""

    key: str
    columns: tuple[str, ...]
    row_condition: RowMaskFunction | None = None

    def select_values(self, batch: pa.RecordBatch) -> pa.Array:
        """The first column's values in these rows, without NULL."""
        column = batch.column(self.columns[0])
        return (column if self.row_condition is None else column.filter(self.row_condition(batch))).drop_null()


@dataclass(frozen=True, slots=True)
class ScopedAggregate:
    """An aggregate of the rows of a scope."""

    scope: AggregateScope

    @property
    def key(self) -> str:
        """Equal ones compute the same."""
        return self.scope.key

    @property
    def columns(self) -> tuple[str, ...]:
        """Those of the values, and of the row condition."""
        return self.scope.columns


@dataclass(frozen=True, slots=True)
class _JsonAggregate(ScopedAggregate):
    """An aggregate whose parts are plain numbers."""

    @property
    def keeps_values(self) -> bool:
        return False

    def limit(self, part: Any) -> Any:
        return part

    def encode(self, part: Any) -> bytes:
        return json.dumps(part).encode()

    def decode(self, encoded: bytes) -> Any:
        return json.loads(encoded)


@dataclass(frozen=True, slots=True)
class RowCount(_JsonAggregate):
    """How many rows a mask holds true for; all rows without one."""

    mask: RowMaskFunction | None = None

    def measure(self, batch: pa.RecordBatch) -> int:
        """Shapes: n rows -> at most n."""
        return batch.num_rows if self.mask is None else int(pc.sum(self.mask(batch)).as_py() or 0)

    def merge(self, parts: Sequence[int]) -> int:
        """The sum."""
        return sum(parts)


@dataclass(frozen=True, slots=True)
class NumberSum(_JsonAggregate):
    """Exact sums of a column as doubles: count, NaN, infinities of both signs, sum, sum of squares."""

    squares: bool = False

    def measure(self, batch: pa.RecordBatch) -> list[int]:
        """The sums in the units of `exact_sums`."""
        numbers = self.scope.select_values(batch).cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)
        special, finite = _split_special_numbers(numbers)
        return [len(numbers), *special, *sum_exactly(finite, squares=self.squares)]

    def merge(self, parts: Sequence[list[int]]) -> list[int]:
        """Each sum by itself."""
        return [sum(numbers) for numbers in zip(*parts, strict=True)] if parts else [0] * 6


@dataclass(frozen=True, slots=True)
class DecimalSum(_JsonAggregate):
    """How many decimals a column holds, and their sum in units of the last digit."""

    def measure(self, batch: pa.RecordBatch) -> list[int]:
        """Exact: with 76 digits nothing overflows."""
        values = self.scope.select_values(batch)
        wide = values.cast(pa.decimal256(_DECIMAL_SUM_TYPE_DIGITS, values.type.scale))
        return [len(values), _to_unscaled(pc.sum(wide).as_py()) or 0]

    def merge(self, parts: Sequence[list[int]]) -> list[int]:
        """Each sum by itself."""
        return [sum(numbers) for numbers in zip(*parts, strict=True)] if parts else [0] * 2


@dataclass(frozen=True, slots=True)
class Extremes(_JsonAggregate):
    """The least and the greatest value of a column, and how many NaN: decimals in units of the last digit, dates as
    days, times as microseconds."""

    @property
    def keeps_values(self) -> bool:
        """They are values of rows."""
        return True

    def measure(self, batch: pa.RecordBatch) -> list[Any]:
        """None, None, 0 without values."""
        values = self.scope.select_values(batch)
        if pa.types.is_floating(values.type):
            numbers = values.cast(pa.float64()).to_numpy(zero_copy_only=False)
            missing = np.isnan(numbers)
            real, missing_count = numbers[~missing], int(missing.sum())
            return [float(real.min()), float(real.max()), missing_count] if len(real) else [None, None, missing_count]
        found = pc.min_max(to_ordered_integers(values))
        return [_to_unscaled(found["min"].as_py()), _to_unscaled(found["max"].as_py()), 0]

    def merge(self, parts: Sequence[list[Any]]) -> list[Any]:
        """The least of the least, the greatest of the greatest."""
        return [
            _choose_value(min, [least for least, _, _ in parts]),
            _choose_value(max, [greatest for _, greatest, _ in parts]),
            sum(missing for _, _, missing in parts),
        ]


def _choose_value(choose: Callable[..., Any], values: Sequence[Any]) -> Any:
    return choose((value for value in values if value is not None), default=None)


def _split_special_numbers(numbers: Doubles) -> tuple[tuple[int, int, int], Doubles]:
    """How many NaN and infinities there are, and the finite numbers."""
    is_finite = np.isfinite(numbers)
    if is_finite.all():
        return (0, 0, 0), numbers
    special = numbers[~is_finite]
    counts = (int(np.isnan(special).sum()), int((special == np.inf).sum()), int((special == -np.inf).sum()))
    return counts, numbers[is_finite]


def to_ordered_integers(values: pa.Array) -> pa.Array:
    """Dates as days, times as microseconds; other values as they are."""
    if pa.types.is_date32(values.type):
        return values.cast(pa.int32())
    return values.cast(pa.int64()) if pa.types.is_timestamp(values.type) else values


def _to_unscaled(value: Any) -> int | None:
    """A decimal in units of its last digit; an integer as it is."""
    if value is None or isinstance(value, int):
        return value
    sign, digits, _ = value.as_tuple()
    return (-1 if sign else 1) * int("".join(map(str, digits)))
