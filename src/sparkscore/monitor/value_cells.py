"""The different values of a column, and how many rows of each group have each. Runs on executors.

A group is a slice of a segment. One encoding of a column serves all rows and every segment, so that one more segment
costs a count of pairs and no sort of values.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

_SAMPLE_ROWS = 1_024
"""From so many rows it is guessed whether most values differ."""
_DENSE_PAIRS, _INT32_END = 1 << 16, 1 << 31


@dataclass(frozen=True, slots=True)
class EncodedColumn:
    """A column as numbers of its different values."""

    codes: npt.NDArray[np.int32]
    """Per row the number of its value, from 1 on; 0 for NULL."""
    width: int
    """How many different values there are; 1 where they are neither numbers nor texts."""
    numbers: Floats | None = None
    """The values, ascending, NaN last."""
    texts: pa.Array | None = None
    """The values, ascending."""

    @property
    def has_nan(self) -> bool:
        """Whether the last value is NaN."""
        return self.numbers is not None and self.width > 0 and bool(np.isnan(self.numbers[-1]))


@dataclass(frozen=True, slots=True)
class ValueCells:
    """How many rows of a group have a value; ascending by group, then by value, without NULL and NaN."""

    group: Integers
    value: Integers
    """Its position in the column's values."""
    rows: Integers
    counts: Integers
    """Rows of each group, with a value or not."""
    nulls: Integers
    nans: Integers


def encode_column(values: pa.Array) -> EncodedColumn:
    """A column's different values; one for all of nested and binary ones."""
    kind = values.type
    if pa.types.is_dictionary(kind):
        return encode_column(values.dictionary_decode())
    if pa.types.is_float16(kind):
        return encode_column(values.cast(pa.float32()))
    if pa.types.is_boolean(kind) or pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return _encode_texts(values)
    if not is_number_like(kind):
        return EncodedColumn(values.is_valid().to_numpy(zero_copy_only=False).astype(np.int32), 1)
    if pa.types.is_floating(kind) and not values.null_count and _has_many_values(values):
        return _encode_different_numbers(to_floats(values))
    return _encode_repeated_numbers(values)


def count_cells(column: EncodedColumn, group: npt.NDArray[Any] | None = None, groups: int = 1) -> ValueCells:
    """The cells of the groups' rows.

    Needs:   per row the number of its group, `groups` for a row that is in none; without it all rows are one group.
    """
    width, pairs = column.width + 1, column.codes
    if group is not None:
        pairs = pairs + group * (np.int32(width) if groups * width < _INT32_END else np.int64(width))
        if groups in group:
            pairs = pairs[group < groups]
    pair, rows = _count_pairs(pairs, groups * width)
    bounds = np.searchsorted(pair, np.arange(groups + 1) * width)
    owner = np.repeat(np.arange(groups), np.diff(bounds))
    value, total = pair - owner * width, np.concatenate(([0], np.cumsum(rows)))
    is_null, is_nan = value == 0, (value == column.width) & column.has_nan
    nulls, nans = np.zeros(groups, np.int64), np.zeros(groups, np.int64)
    nulls[owner[is_null]], nans[owner[is_nan]] = rows[is_null], rows[is_nan]
    counts = total[bounds[1:]] - total[bounds[:-1]]
    present = ~(is_null | is_nan)
    return ValueCells(owner[present], value[present] - 1, rows[present], counts, nulls, nans)


def join_cells(parts: Sequence[ValueCells]) -> ValueCells:
    """The cells of several groupings of one column, their groups numbered on."""
    offsets = np.cumsum([0, *(len(one.counts) for one in parts)])
    group = np.concatenate([one.group + offset for one, offset in zip(parts, offsets, strict=False)])
    names = ("value", "rows", "counts", "nulls", "nans")
    return ValueCells(group, *(np.concatenate([getattr(one, name) for one in parts]) for name in names))


def is_number_like(kind: pa.DataType) -> bool:
    """Whether values of a type are profiled as numbers."""
    checks = (pa.types.is_integer, pa.types.is_floating, pa.types.is_decimal, pa.types.is_timestamp, pa.types.is_date)
    return any(fits(kind) for fits in checks)


def to_floats(values: pa.Array) -> Floats:
    """Values without NULL as doubles: moments in seconds, dates in days since 1970; minus zero is zero.

    Needs:   a type of `is_number_like`.
    """
    kind, scale = values.type, 1.0
    if pa.types.is_timestamp(kind):
        values, scale = values.cast(pa.timestamp("us", kind.tz), safe=False).cast(pa.int64()), 1e-6
    elif pa.types.is_date(kind):
        values = values.cast(pa.date32()).cast(pa.int32())
    numbers = values.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)
    return np.asarray(numbers * scale if scale != 1 else numbers, dtype=np.float64) + 0.0


def rank_texts(texts: pa.Array) -> tuple[npt.NDArray[np.int32], pa.Array]:
    """Per row the number of its text, from 1 on in ascending order, 0 for NULL; and the texts, ascending."""
    encoded = texts.dictionary_encode()
    order = pc.array_sort_indices(encoded.dictionary)
    return _rank_codes(encoded.indices, order.to_numpy()), encoded.dictionary.take(order)


def first_of_runs(*ordered: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
    """Where a run of equal rows begins in arrays that are sorted together."""
    if not len(ordered[0]):
        return np.zeros(0, np.int64)
    differs = np.zeros(len(ordered[0]), bool)
    differs[0] = True
    for one in ordered:
        differs[1:] |= one[1:] != one[:-1]
    return np.flatnonzero(differs)


def _has_many_values(values: pa.Array) -> bool:
    sample = values.slice(0, _SAMPLE_ROWS)
    return len(sample.unique()) > len(sample) // 2


def _encode_texts(values: pa.Array) -> EncodedColumn:
    codes, texts = rank_texts(values.cast(pa.string()))
    return EncodedColumn(codes, len(texts), texts=texts)


def _encode_repeated_numbers(values: pa.Array) -> EncodedColumn:
    encoded = values.dictionary_encode()
    numbers = to_floats(encoded.dictionary)
    order = np.argsort(numbers, kind="stable")
    ordered = numbers[order]
    first = _first_numbers(ordered)  # different moments may be one double
    codes = _rank_codes(encoded.indices, order)
    if len(first) < len(ordered):
        joined = np.searchsorted(first, np.arange(len(ordered)), side="right")
        codes = np.concatenate(([0], joined)).astype(np.int32)[codes]
    return EncodedColumn(codes, len(first), numbers=ordered[first])


def _encode_different_numbers(numbers: Floats) -> EncodedColumn:
    """By a sort: of values that differ it is faster than a table of them."""
    order = np.argsort(numbers)
    ordered = numbers[order]
    first = _first_numbers(ordered)
    codes = np.empty(len(numbers), np.int32)
    codes[order] = np.repeat(np.arange(1, len(first) + 1, dtype=np.int32), np.diff(np.append(first, len(numbers))))
    return EncodedColumn(codes, len(first), numbers=ordered[first])


def _first_numbers(ordered: Floats) -> Integers:
    """Where each number begins: each NaN differs from the one before, and is the same."""
    first = first_of_runs(ordered)
    return first[: int(np.searchsorted(ordered[first], np.nan)) + 1]


def _rank_codes(indices: pa.Array, order: npt.NDArray[Any]) -> npt.NDArray[np.int32]:
    """The codes of rows whose dictionary is put into an order."""
    ranks = np.zeros(len(order) + 1, np.int32)
    ranks[order] = np.arange(1, len(order) + 1)
    return np.asarray(ranks[indices.fill_null(len(order)).to_numpy()])


def _count_pairs(pairs: npt.NDArray[Any], size: int) -> tuple[Integers, Integers]:
    """The different pairs, ascending, and how often each occurs."""
    if size <= max(_DENSE_PAIRS, 4 * len(pairs)):
        counts = np.bincount(pairs, minlength=size)
        found = np.flatnonzero(counts)
        return found, counts[found]
    ordered = np.sort(pairs)
    first = first_of_runs(ordered)
    return ordered[first], np.diff(np.append(first, len(ordered)))
