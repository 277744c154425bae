"""States of profiles: a row per column and slice, their bytes, and how they merge. Runs on executors and the driver."""

from collections.abc import Sequence
from dataclasses import dataclass
from zlib import crc32

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from sparkscore.monitor.summary_merge import merge_summary_rows
from sparkscore.monitor.summary_rows import SUMMARY_SCHEMA, group_starts
from sparkscore.monitor.value_cells import Integers, rank_texts

MAX_SLICES = 50
"""Greatest number of values of a segment, those with the most rows; a hundred slices give no overview."""
MAX_STATE_SLICES = 4 * MAX_SLICES
"""Values of a segment in a state: those that are frequent in all rows may be rarer in some."""

_AT_ONCE_BYTES = 8 << 20

_LABELS = [("column", pa.string()), ("slice_key", pa.string()), ("slice_value", pa.string())]
STATE_SCHEMA = pa.schema([*_LABELS, *SUMMARY_SCHEMA])


def label_summaries(
    summaries: pa.RecordBatch, column: str, slices: Sequence[tuple[str | None, str | None]]
) -> pa.RecordBatch:
    """Summaries of one column as rows of a state."""
    rows = [(column, *one) for one in slices]
    labels = [pa.array(names, pa.string()) for names in zip(*rows, strict=True)]
    return pa.record_batch([*labels, *summaries.columns], schema=STATE_SCHEMA)


def read_state(state: bytes) -> pa.Table:
    """A state's rows, as `STATE_SCHEMA` says."""
    return pa.ipc.open_stream(state).read_all()


def write_state(rows: pa.Table) -> bytes:
    """The bytes of a state's rows."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, STATE_SCHEMA, options=pa.ipc.IpcWriteOptions(compression="lz4")) as writer:
        writer.write_table(rows)
    return bytes(sink.getvalue().to_pybytes())


def partition_state(state: bytes, parts: int) -> list[bytes]:
    """A state as so many, each slice in one of them."""
    if parts == 1:
        return [state]
    rows = read_state(state)
    slices = (
        pc.binary_join_element_wise(
            rows["slice_key"], rows["slice_value"], "=", null_handling="replace", null_replacement=""
        )
        .combine_chunks()
        .dictionary_encode()
    )
    number = np.array([crc32(str(one).encode()) % parts for one in slices.dictionary], np.int64)
    of_row = number[slices.indices.to_numpy()]
    return [write_state(rows.filter(pa.array(of_row == part))) for part in range(parts)]


def merge_states(states: Sequence[pa.Table], *, max_slices: int) -> pa.Table:
    """The rows of states together, by column and slice; of each segment the slices with the most rows.

    Large ones column by column, so that only one column's rows are copied at a time.
    """
    rows = pa.concat_tables(states)
    labels = _encode_labels(rows)
    owner = np.repeat(np.arange(len(states)), [state.num_rows for state in states])
    kept = _largest_slices(labels, owner, rows["count"].to_numpy(), max_slices)
    if len(states) == 1 and kept.all():
        return rows
    at_once = labels.columns if rows.nbytes <= _AT_ONCE_BYTES else 1
    merged = [
        _merge_columns(rows, labels, kept & (first <= labels.column) & (labels.column < first + at_once))
        for first in range(0, labels.columns, at_once)
    ]
    return pa.Table.from_batches([batch for batch in merged if batch.num_rows], STATE_SCHEMA)


@dataclass(frozen=True, slots=True)
class _RowLabels:
    """Numbers of the rows' columns and slices, in the order of their names."""

    column: Integers
    columns: int
    slice: Integers
    segment: Integers
    """0 for all rows."""


def _encode_labels(rows: pa.Table) -> _RowLabels:
    ranked = [rank_texts(rows[name].combine_chunks()) for name, _ in _LABELS]
    column, segment, value = (ranks.astype(np.int64) for ranks, _ in ranked)
    (_, columns), _, (_, values) = ranked
    _, slices = np.unique(segment * (len(values) + 1) + value, return_inverse=True)
    return _RowLabels(column - 1, len(columns), slices.reshape(-1), segment)


def _largest_slices(labels: _RowLabels, owner: Integers, counts: Integers, max_slices: int) -> npt.NDArray[np.bool_]:
    """Which rows are of a slice that is kept: of equal ones the first."""
    slices = int(labels.slice.max(initial=-1)) + 1
    largest = np.zeros((int(owner.max(initial=-1)) + 1, slices), np.int64)
    np.maximum.at(largest, (owner, labels.slice), counts)
    segment = np.zeros(slices, np.int64)
    segment[labels.slice] = labels.segment
    order = np.lexsort((np.arange(slices), -largest.sum(axis=0), segment))
    position = np.empty(slices, np.int64)
    position[order] = np.arange(slices) - group_starts(segment[order], int(segment.max(initial=0)) + 1)[segment[order]]
    return np.asarray(((position < max_slices) | (segment == 0))[labels.slice])


def _merge_columns(rows: pa.Table, labels: _RowLabels, wanted: npt.NDArray[np.bool_]) -> pa.RecordBatch:
    found = rows.filter(pa.array(wanted)).combine_chunks()
    keys = labels.column[wanted] * (labels.slice.max(initial=0) + 1) + labels.slice[wanted]
    keys, first, group = np.unique(keys, return_index=True, return_inverse=True)
    batch = pa.RecordBatch.from_arrays(
        [found[name].combine_chunks() for name in STATE_SCHEMA.names], schema=STATE_SCHEMA
    )
    summaries = merge_summary_rows(batch, group.reshape(-1), len(keys))
    names = [batch[name].take(pa.array(first)) for name, _ in _LABELS]
    return pa.record_batch([*names, *summaries.columns], schema=STATE_SCHEMA)
