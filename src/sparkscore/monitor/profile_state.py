"""The profile of rows while they pass: a state per task, in bytes, that merges with others in bounded memory.

Runs on executors, and on the driver: numpy, pandas and pyarrow only.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from hashlib import sha256

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from sparkscore.monitor.group_summaries import summarise_cells
from sparkscore.monitor.state_merge import (
    MAX_STATE_SLICES,
    STATE_SCHEMA,
    label_summaries,
    merge_states,
    read_state,
    write_state,
)
from sparkscore.monitor.summary_rows import SLICE_SUMMARY_SIZE, SUMMARY_SIZE
from sparkscore.monitor.value_cells import Integers, count_cells, encode_column, join_cells

MAX_STATE_SUMMARIES = 8_192
"""Of all columns and slices in a state: of numbers they take 13 MB."""
_BLOCK_ROWS, _BLOCK_BYTES = 262_144, 64 << 20
"""Rows are summarised together: one sort of many is faster than many sorts of few."""
_MOST_HELD_TIMES, _LEAST_COPIED_BYTES = 4, 1 << 16
_STATE_VERSION = 1
_FAN_IN, _LEAST_FAN_IN, _HELD_BYTES = 64, 4, 48 << 20
"""Many small states merge at once, of large ones few: each merge adds half a point's share to the error of a rank."""


@dataclass(frozen=True, slots=True)
class ProfileRequest:
    """What is profiled."""

    columns: tuple[str, ...]
    segments: tuple[str, ...] = ()
    transform: Callable[[pa.RecordBatch], pa.RecordBatch] | None = None
    """From the rows that are read to those that have the columns. Pickled into every task."""

    @property
    def read_columns(self) -> tuple[str, ...]:
        """The columns and the segments."""
        return tuple(dict.fromkeys((*self.columns, *self.segments)))

    @property
    def max_state_slices(self) -> int:
        """How many values of each segment a state holds."""
        summaries = max(1, len(self.columns) * len(self.segments))
        return max(1, min(MAX_STATE_SLICES, MAX_STATE_SUMMARIES // summaries))

    def start(self) -> "ProfileState":
        """A state without rows. Runs on: executor."""
        return ProfileState(self)


@dataclass(frozen=True, slots=True)
class ProfileSummary:
    """A profile that tasks compute beside other work: a `RowSummary`."""

    name: str
    """`input_profile`, `prediction_profile`."""
    request: ProfileRequest
    columns: tuple[str, ...]
    """Those that are read, before the request's transform."""

    @property
    def fingerprint(self) -> str:
        """Of the request, and of the version of states."""
        return sha256(repr((_STATE_VERSION, self.request)).encode()).hexdigest()[:16]

    def start(self) -> "ProfileState":
        """A state without rows. Runs on: executor."""
        return self.request.start()


@dataclass(slots=True)
class ProfileState:
    """What a task knows of the rows that have passed. Holds a block of rows and a bounded number of summaries."""

    request: ProfileRequest
    _pending: list[pa.RecordBatch] = field(default_factory=list)
    _pending_rows: int = 0
    _pending_bytes: int = 0
    _merger: "ProfileMerger" = field(init=False)

    def __post_init__(self) -> None:
        self._merger = ProfileMerger(self.request.max_state_slices)

    def add(self, batch: pa.RecordBatch) -> None:
        """Rows as they are read, before the request's transform."""
        rows = batch if self.request.transform is None else self.request.transform(batch)
        wanted = _copy_small_slice(rows.select(self.request.read_columns))
        self._pending.append(wanted)
        self._pending_rows += wanted.num_rows
        self._pending_bytes += wanted.nbytes
        if self._pending_rows >= _BLOCK_ROWS or self._pending_bytes >= _BLOCK_BYTES:
            self._summarise_pending()

    def to_bytes(self) -> bytes:
        """The state, to be merged with others."""
        self._summarise_pending()
        return self._merger.to_bytes()

    def _summarise_pending(self) -> None:
        if self._pending:
            block = pa.concat_batches(self._pending)
            self._pending, self._pending_rows, self._pending_bytes = [], 0, 0
            self._merger.add_rows(_summarise_block(block, self.request))


class ProfileMerger:
    """Merges states as they come. Of each level few are held: those that are merged already, those that are twice."""

    def __init__(self, max_slices: int = MAX_STATE_SLICES) -> None:
        self._max_slices = max_slices
        self._levels: list[list[pa.Table]] = []
        self._level_bytes: list[int] = []

    def add(self, state: bytes) -> None:
        """One more state. Another order of states gives other points, within the error of a rank."""
        self.add_rows(read_state(state))

    def add_rows(self, rows: pa.Table, level: int = 0) -> None:
        """The same of a state's rows."""
        if level == len(self._levels):
            self._levels.append([])
            self._level_bytes.append(0)
        held = self._levels[level]
        held.append(rows)
        self._level_bytes[level] += rows.nbytes
        if len(held) >= _FAN_IN or (len(held) >= _LEAST_FAN_IN and self._level_bytes[level] >= _HELD_BYTES):
            self._levels[level], self._level_bytes[level] = [], 0
            self.add_rows(merge_states(held, max_slices=self._max_slices), level + 1)

    def to_bytes(self) -> bytes:
        """All of them together."""
        held = [rows for level in reversed(self._levels) for rows in level]
        return write_state(merge_states(held or [STATE_SCHEMA.empty_table()], max_slices=self._max_slices))


def _copy_small_slice(rows: pa.RecordBatch) -> pa.RecordBatch:
    """The same rows, without the rest of the memory that they are a small part of."""
    is_small = rows.get_total_buffer_size() > _MOST_HELD_TIMES * max(rows.nbytes, _LEAST_COPIED_BYTES)
    return rows.take(pa.array(np.arange(rows.num_rows))) if is_small else rows


def merge_profile_states(states: Iterable[bytes]) -> bytes:
    """States of one request together: one summary per column and slice, at most `MAX_STATE_SLICES` of a segment.

    Equal states in the same order give equal bytes. `ProfileMerger` takes them one by one, in bounded memory.
    """
    merger = ProfileMerger()
    for state in states:
        merger.add(state)
    return merger.to_bytes()


def _summarise_block(rows: pa.RecordBatch, request: ProfileRequest) -> pa.Table:
    """Every column over all rows and over the slices of each segment, from one encoding of it."""
    segments = [_encode_segment(name, rows.column(name), request.max_state_slices) for name in request.segments]
    parts = [
        _summarise_slices(name, rows.column(name), [one for one in segments if one.segment != name and one.values])
        for name in request.columns
    ]
    return pa.Table.from_batches(parts, STATE_SCHEMA)


def _summarise_slices(name: str, values: pa.Array, segments: Sequence["_SegmentSlices"]) -> pa.RecordBatch:
    column = encode_column(values)
    cells = [count_cells(column), *(count_cells(column, one.codes, len(one.values)) for one in segments)]
    slices = [(one.segment, value) for one in segments for value in one.values]
    sizes = np.array([SUMMARY_SIZE] + [SLICE_SUMMARY_SIZE] * len(slices))
    return label_summaries(summarise_cells(column, join_cells(cells), sizes), name, [(None, None), *slices])


@dataclass(frozen=True, slots=True)
class _SegmentSlices:
    segment: str
    values: list[str]
    codes: npt.NDArray[np.int32]
    """Per row the number of its value; that of no value for rows that are in no slice."""


def _encode_segment(segment: str, values: pa.Array, max_slices: int) -> _SegmentSlices:
    """The values with the most rows, of equal ones the first."""
    encoded = values.cast(pa.string()).fill_null("NULL").dictionary_encode()
    counts = np.bincount(encoded.indices.to_numpy(), minlength=len(encoded.dictionary))
    kept = _largest_values(encoded.dictionary, counts, max_slices)
    codes = np.full(len(counts), len(kept), np.int32)
    codes[kept] = np.arange(len(kept))
    return _SegmentSlices(
        segment, encoded.dictionary.take(pa.array(kept)).to_pylist(), codes[encoded.indices.to_numpy()]
    )


def _largest_values(values: pa.Array, counts: Integers, most: int) -> Integers:
    if len(values) <= most:
        return np.arange(len(values))
    least = np.partition(counts, len(counts) - most)[len(counts) - most]
    above, equal = np.flatnonzero(counts > least), np.flatnonzero(counts == least)
    options = pc.SelectKOptions(k=most - len(above), sort_keys=[("value", "ascending")])
    chosen = pc.select_k_unstable(values.take(pa.array(equal)), options=options)
    return np.concatenate((above, equal[chosen.to_numpy()]))
