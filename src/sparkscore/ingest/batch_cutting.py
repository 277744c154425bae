"""Row groups of a range of a Parquet file, cut into batches. Executors use it: pyarrow only."""

import math
from collections.abc import Iterator, Sequence
from typing import TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from sparkscore.ingest.roaring_bitmap import RoaringBitmap

KeptRows: TypeAlias = pa.BooleanArray
"""Of the rows that a batch covers: whether it has them."""
BATCH_ROWS = 20_000
"""As many as a page of Parquet has in most writers: 81 ns a row, 90 with 10,000, 97 with 16,384 (20 doubles)."""
BATCH_BYTES = 64 << 20


class RangeRows:
    """The rows of a range: those of its row groups, and which of them are deleted."""

    def __init__(self, metadata: pq.FileMetaData, groups: Sequence[int], deleted: RoaringBitmap | None = None) -> None:
        self.sizes = tuple(metadata.row_group(group).num_rows for group in groups)
        self._kept = None if deleted is None else _find_live_rows(metadata, groups, deleted)
        self._sample_ends: dict[float, list[int]] = {}

    @property
    def total(self) -> int:
        """How many there are, deleted ones too."""
        return sum(self.sizes)

    def find_kept(self, start: int, end: int) -> KeptRows | None:
        """Which rows from one to another are not deleted; None for all of them."""
        kept = None if self._kept is None else self._kept.slice(start, end - start)
        return None if kept is None or kept.true_count == len(kept) else kept

    def sample_ends(self, share: float) -> list[int]:
        """Where in each row group a sample of this share of its rows ends: deleted ones count as none."""
        if share not in self._sample_ends:
            begins = np.cumsum([0, *self.sizes]).tolist()
            self._sample_ends[share] = [
                self._sample_end(begin, size, share) for begin, size in zip(begins, self.sizes, strict=False)
            ]
        return self._sample_ends[share]

    def _sample_end(self, begin: int, size: int, share: float) -> int:
        kept = self.find_kept(begin, begin + size)
        if kept is None:
            return math.ceil(size * share)
        found = np.flatnonzero(kept.to_numpy(zero_copy_only=False))
        return int(found[math.ceil(len(found) * share) - 1]) + 1 if len(found) else 0


def _find_live_rows(metadata: pq.FileMetaData, groups: Sequence[int], deleted: RoaringBitmap) -> KeptRows:
    """Which rows of these row groups are not deleted, a bit for each: once for a range, not for each batch."""
    sizes = [metadata.row_group(group).num_rows for group in range(metadata.num_row_groups)]
    ends = np.cumsum(sizes).tolist()
    return pa.concat_arrays([pa.array(~deleted.mask(ends[group] - sizes[group], ends[group])) for group in groups])


def sample_batches(
    file: pq.ParquetFile, groups: list[int], columns: list[str], *, rows: int, ends: Sequence[int]
) -> Iterator[tuple[pa.RecordBatch, int]]:
    """Batches of each row group, from its beginning to an end of `RangeRows.sample_ends`; each with where it ends."""
    begin = 0
    for group, end in zip(groups, ends, strict=True):
        batches, done = (
            file.iter_batches(min(rows, max(end, 1)), row_groups=[group], columns=columns, use_threads=False),
            0,
        )
        while done < end:
            batch = next(batches).slice(0, end - done)
            done += batch.num_rows
            yield batch, begin + done
        begin += file.metadata.row_group(group).num_rows


def find_sample_slices(
    range_rows: RangeRows, end: int, rows: int, kept: KeptRows | None, *, share: float
) -> list[tuple[int, int]]:
    """The rows of a batch that `sample_batches` gives: (first, how many).

    Needs:   the rows of its range, where in them the batch ends, how many it covers, and which of these it has.
    """
    start, begin, slices = end - rows, 0, []
    is_kept = np.ones(rows, np.bool_) if kept is None else kept.to_numpy(zero_copy_only=False)
    places = np.concatenate([[0], np.cumsum(is_kept)])
    for size, sample_end in zip(range_rows.sizes, range_rows.sample_ends(share), strict=True):
        low, high = max(start, begin) - start, min(end, begin + sample_end) - start
        if low < high and places[low] < places[high]:
            slices.append((int(places[low]), int(places[high] - places[low])))
        begin += size
    return slices


def cut_batches(
    file: pq.ParquetFile, groups: list[int], columns: list[str], *, rows: int, wanted: tuple[int, int]
) -> Iterator[tuple[pa.RecordBatch, int]]:
    """Batches of the wanted rows (first, end), which are counted over the row groups; each with where it ends.

    Row groups that hold none of the wanted rows are not read; of the others, what comes before is thrown away.
    """
    first, last = wanted
    sizes = np.array([file.metadata.row_group(group).num_rows for group in groups])
    ends = np.cumsum(sizes)
    touched = [index for index, end in enumerate(ends.tolist()) if end > first and end - sizes[index] < last]
    if not touched:
        return
    end = int(ends[touched[0]] - sizes[touched[0]])
    for batch in file.iter_batches(
        rows, row_groups=[groups[index] for index in touched], columns=columns, use_threads=False
    ):
        start, end = end, end + batch.num_rows
        low, high = max(first, start), min(last, end)
        if low < high:
            yield (batch if (low, high) == (start, end) else batch.slice(low - start, high - low)), high
        if end >= last:
            return


def cut_by_bytes(batch: pa.RecordBatch, end: int, limit: int) -> Iterator[tuple[pa.RecordBatch, int]]:
    """The batch, which ends at a row, in parts of at most `limit` bytes or one row, each with where it ends.

    Rows of very different lengths make batches far beyond the average that `choose_batch_rows` knows.
    """
    if batch.num_rows <= 1 or batch.nbytes <= limit:
        yield batch, end
        return
    half = batch.num_rows // 2
    yield from cut_by_bytes(batch.slice(0, half), end - (batch.num_rows - half), limit)
    yield from cut_by_bytes(batch.slice(half), end, limit)


def choose_batch_rows(
    metadata: pq.FileMetaData,
    groups: Sequence[int],
    columns: Sequence[str],
    *,
    most_rows: int = BATCH_ROWS,
    most_bytes: int = BATCH_BYTES,
) -> int:
    """Rows of a batch: fewer where rows are long, so that a batch stays within its bytes."""
    size = rows = 0
    for index in groups:
        group = metadata.row_group(index)
        chunks = [group.column(column) for column in range(group.num_columns)]
        size += sum(chunk.total_uncompressed_size for chunk in chunks if chunk.path_in_schema.split(".")[0] in columns)
        rows += group.num_rows
    return max(1, min(most_rows, most_bytes * rows // max(size, 1)))


def select_row_groups(metadata: pq.FileMetaData, start: int, end: int) -> list[int]:
    """The row groups whose middle lies in the range."""
    return [
        group for group in range(metadata.num_row_groups) if start <= _row_group_middle(metadata.row_group(group)) < end
    ]


def _row_group_middle(group: pq.RowGroupMetaData) -> float:
    chunks = [group.column(index) for index in range(group.num_columns)]
    starts = [chunk.dictionary_page_offset or chunk.data_page_offset for chunk in chunks]
    return float(min(starts) + sum(chunk.total_compressed_size for chunk in chunks) / 2)
