"""Files cut into byte ranges, and ranges put together into splits of about equal work. Pure."""

import numpy as np
import numpy.typing as npt
import pyarrow as pa

OPEN_COST_BYTES = 1 << 20
"""Bytes that could be read in the time that opening a file takes: 0.2 ms (21 columns), at 3.6 GB/s decoded."""
MAX_SPLIT_BYTES = 128 << 20
MIN_SPLIT_BYTES = 4 << 20
_MAX_SPLITS = 10_000
"""Splits of one scan: beyond it Spark's scheduling costs more than balance brings."""


def target_bytes(sizes: npt.NDArray[np.int64], *, slots: int, least: int = MIN_SPLIT_BYTES) -> int:
    """Bytes of one split: an equal share per slot, neither below `least` nor more than Spark's own 128 MiB."""
    work = int(sizes.sum()) + OPEN_COST_BYTES * len(sizes)
    return max(min(MAX_SPLIT_BYTES, max(least, -(-work // max(slots, 1)))), -(-work // _MAX_SPLITS))


def build_file_splits(files: pa.Table, target: int) -> list[pa.Table]:
    """The splits: each a table of ranges. The order of the files is kept, so that equal listings give equal splits.

    Needs:   `size_bytes`.
    Adds:    `start`, `length` in bytes: a range owns the row groups whose middle lies in it, so each has one owner.
    """
    sizes = files.column("size_bytes").to_numpy()
    if not len(sizes):
        return []
    pieces = np.maximum(1, -(-sizes // target))
    file = np.repeat(np.arange(len(sizes)), pieces)
    piece = np.arange(len(file)) - np.repeat(np.cumsum(pieces) - pieces, pieces)
    step = -(-sizes // pieces)
    start = piece * step[file]
    length = np.minimum(step[file], sizes[file] - start)
    work = length + OPEN_COST_BYTES
    middle = np.cumsum(work) - work / 2
    splits = np.unique((middle // target).astype(np.int64), return_index=True)[1].tolist()
    cut = files.take(pa.array(file)).append_column("start", pa.array(start)).append_column("length", pa.array(length))
    return [cut.slice(low, high - low) for low, high in zip(splits, [*splits[1:], len(file)], strict=True)]
