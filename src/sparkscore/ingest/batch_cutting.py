"""Row groups of a range of a Parquet file, cut into batches. Executors use it: pyarrow only."""

import math
from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

BATCH_ROWS = 20_000
"""As many as a page of Parquet has in most writers: 81 ns a row, 90 with 10,000, 97 with 16,384 (20 doubles)."""
BATCH_BYTES = 64 << 20


def sample_batches(
    file: pq.ParquetFile, groups: list[int], columns: list[str], *, rows: int, share: float
) -> Iterator[tuple[pa.RecordBatch, int]]:
    """Batches of a share of each row group, from its beginning, each with where its row group begins."""
    end = 0
    for group in groups:
        size = file.metadata.row_group(group).num_rows
        left = _sampled_rows(size, share)
        batches = file.iter_batches(min(rows, max(left, 1)), row_groups=[group], columns=columns, use_threads=False)
        while left > 0:
            batch = next(batches)
            yield batch.slice(0, left), end
            left -= batch.num_rows
        end += size


def find_sample_slices(groups: Sequence[int], end: int, rows: int, *, share: float) -> list[tuple[int, int]]:
    """The rows of a batch that `sample_batches` gives: (first, how many).

    Needs:   the rows of each row group of its range, and where in them the batch ends.
    """
    start, begin, slices = end - rows, 0, []
    for size in groups:
        low, high = max(start, begin), min(end, begin + _sampled_rows(size, share))
        if low < high:
            slices.append((low - start, high - low))
        begin += size
    return slices


def _sampled_rows(size: int, share: float) -> int:
    return math.ceil(size * share)


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


def choose_batch_rows(metadata: pq.FileMetaData, groups: Sequence[int], columns: Sequence[str]) -> int:
    """Rows of a batch: fewer where rows are long, so that a batch stays within its bytes."""
    size = rows = 0
    for index in groups:
        group = metadata.row_group(index)
        chunks = [group.column(column) for column in range(group.num_columns)]
        size += sum(chunk.total_uncompressed_size for chunk in chunks if chunk.path_in_schema.split(".")[0] in columns)
        rows += group.num_rows
    return max(1, min(BATCH_ROWS, BATCH_BYTES * rows // max(size, 1)))


def select_row_groups(metadata: pq.FileMetaData, start: int, end: int) -> list[int]:
    """The row groups whose middle lies in the range."""
    return [
        group for group in range(metadata.num_row_groups) if start <= _row_group_middle(metadata.row_group(group)) < end
    ]


def _row_group_middle(group: pq.RowGroupMetaData) -> float:
    chunks = [group.column(index) for index in range(group.num_columns)]
    starts = [chunk.dictionary_page_offset or chunk.data_page_offset for chunk in chunks]
    return float(min(starts) + sum(chunk.total_compressed_size for chunk in chunks) / 2)
