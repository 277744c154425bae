"""The values of a small feature table in memory, and how tasks find them. Executors use it: pyarrow and numpy only."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

Integers = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class KeyPart:
    """How one more column of a key narrows the number that the columns before it have."""

    values: pa.Array
    """All values of the column, each once."""
    numbers: Integers
    """Of the pairs that exist, `number before * len(values) + place in values`, ascending."""


@dataclass(frozen=True, slots=True)
class FeatureContent:
    """Values sorted by key and age: pickled into every task."""

    parts: tuple[KeyPart, ...]
    moments: Integers
    """The times from which values are known, ascending, each once."""
    slots: Integers
    """Ascending: `key * (len(moments) + 1) + place in moments + 1` of each value."""
    best: Integers
    """For each slot, the value that counts from then on."""
    slot_keys: Integers
    times: Integers
    """The time of each value."""
    flags: pa.Array
    values: pa.StructArray
    ttl_us: int | None

    def find_values(self, keys: Sequence[pa.Array], time: pa.Array) -> tuple[pa.Array, pa.Array]:
        """For each row the value that counts at its time, NULL for none, and its flag, 0 for none."""
        key, moment = self._number_keys(keys), time.fill_null(0).to_numpy(zero_copy_only=False)
        is_known = (key >= 0) & time.is_valid().to_numpy(zero_copy_only=False)
        place = np.searchsorted(self.moments, moment, side="right")
        slot = np.searchsorted(self.slots, key * (len(self.moments) + 1) + place, side="right") - 1
        is_known &= (slot >= 0) & (self.slot_keys[slot] == key)
        row = self.best[slot]
        if self.ttl_us is not None:
            is_known &= moment - self.times[row] <= self.ttl_us
        rows = pa.array(row, mask=~is_known)
        return self.values.take(rows), pc.fill_null(self.flags.take(rows), 0)

    def _number_keys(self, keys: Sequence[pa.Array]) -> Integers:
        """The number of each key; -1 where no value has it."""
        number: Integers = np.zeros(len(keys[0]), np.int64)
        for part, column in zip(self.parts, keys, strict=True):
            number = _narrow(part, number, column)
        return number


def _narrow(part: KeyPart, number: Integers, column: pa.Array) -> Integers:
    if column.type != part.values.type:  # a session may have texts as large ones
        column = column.cast(part.values.type)
    place = pc.fill_null(pc.index_in(column, value_set=part.values, skip_nulls=True), -1)
    places = place.to_numpy(zero_copy_only=False).astype(np.int64)
    pair = number * len(part.values) + places
    found = np.minimum(np.searchsorted(part.numbers, pair), len(part.numbers) - 1)
    return np.where((number >= 0) & (places >= 0) & (part.numbers[found] == pair), found, -1)


def build_content(
    keys: Sequence[pa.Array],
    values: pa.StructArray,
    *,
    available_at: Integers,
    times: Integers,
    known: Integers | None,
    ttl_us: int | None,
    flags: tuple[int, int],
) -> FeatureContent:
    """The content of a table with one value at least. `flags`: of a value that is found, and of one among several.

    Needs:   no NULL in keys and times.
    """
    parts: list[KeyPart] = []
    number: Integers = np.zeros(len(values), np.int64)
    for column in keys:
        part = _build_part(number, column)
        parts.append(part)
        number = _narrow(part, number, column)
    written = times if known is None else known
    order = np.lexsort((written, times, number))  # of a key the oldest value first
    number, times, written, available_at = number[order], times[order], written[order], available_at[order]
    values = values.take(pa.array(order))
    is_twin = _find_twins((number, times, written), values)
    moments = np.unique(available_at)
    slot = number * (len(moments) + 1) + np.searchsorted(moments, available_at) + 1
    by_slot = np.argsort(slot, kind="stable")
    return FeatureContent(
        tuple(parts),
        moments,
        slot[by_slot],
        np.maximum.accumulate(by_slot),
        number[by_slot],
        times,
        pa.array(np.where(is_twin, flags[1], flags[0]).astype(np.int8)),
        values,
        ttl_us,
    )


def _build_part(number: Integers, column: pa.Array) -> KeyPart:
    values = pc.unique(column)
    places = pc.index_in(column, value_set=values).to_numpy(zero_copy_only=False)
    return KeyPart(values, np.unique(number * len(values) + places))


def _find_twins(names: tuple[Integers, Integers, Integers], values: pa.StructArray) -> npt.NDArray[np.bool_]:
    """Which values have another value of the same key and times beside them. Needs sorted ones."""
    is_next = np.zeros(len(values), np.bool_)  # whether it has the key and times of the one before
    is_next[1:] = np.all([one[1:] == one[:-1] for one in names], axis=0)
    twins = np.zeros(len(values), np.bool_)
    begins = np.flatnonzero(~is_next)
    for begin, end in zip(begins, np.append(begins[1:], len(values)), strict=True):
        if end - begin > 1 and _has_others(values.slice(begin, end - begin)):
            twins[begin:end] = True
    return twins


def _has_others(values: pa.StructArray) -> bool:
    texts = {repr(value) for value in values.to_pylist()}
    return len(texts) > 1
