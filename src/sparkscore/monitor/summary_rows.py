"""Summaries as Arrow rows, and the lists in them. Runs on executors: numpy and pyarrow only."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from sparkscore.monitor.value_cells import Floats, Integers, first_of_runs

SUMMARY_SIZE, SLICE_SUMMARY_SIZE = 256, 64
"""Points and hashes of a column: 2 kB each, and a quarter of it in a slice."""
MAX_FREQUENT_VALUES, MAX_SLICE_FREQUENT_VALUES = 1_000, 250
"""Number of different texts of a task that are counted exactly, of all rows and of a slice; the rarest are dropped."""
_TEXT_BYTES = 64
"""Average length up to which so many texts are counted; of longer ones fewer are."""

_TEXT_COUNTS = pa.struct([("value", pa.string()), ("rows", pa.int64())])
SUMMARY_SCHEMA = pa.schema(
    [
        *((name, pa.int64()) for name in ("size", "count", "nulls", "nans", "finite")),
        *((name, pa.float64()) for name in ("min", "max", "mean", "squares")),
        *((name, pa.list_(pa.float64())) for name in ("points", "weights")),
        ("hashes", pa.list_(pa.int64())),
        ("top", pa.list_(_TEXT_COUNTS)),
    ]
)
"""One row per summary: `ColumnSummary` says what the columns hold."""


def to_lists(values: pa.Array | npt.NDArray[Any], group: Integers, groups: int) -> pa.Array:
    """A list per group of values that are in the groups' order."""
    offsets = np.zeros(groups + 1, np.int32)
    np.cumsum(np.bincount(group, minlength=groups), out=offsets[1:])
    return pa.ListArray.from_arrays(pa.array(offsets), values if isinstance(values, pa.Array) else pa.array(values))


def join_by_group(parts: Sequence[tuple[Floats, Floats, Integers]]) -> tuple[Floats, Floats, Integers]:
    """Points, weights and groups of several parts, in the groups' order; each part is in it already."""
    points, weights, group = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
    order = np.argsort(group, kind="stable")
    return points[order], weights[order], group[order]


def to_nullable(values: npt.NDArray[Any], at: Integers, groups: int) -> pa.Array:
    """A number per group; NULL in those that have none."""
    found, absent = np.zeros(groups), np.ones(groups, bool)
    found[at], absent[at] = values, False
    return pa.array(found, mask=absent)


def sum_runs(first: Integers, values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """The sums of runs, by where each begins."""
    return np.add.reduceat(values, first) if len(first) else values[:0]


def group_starts(group: Integers, groups: int) -> Integers:
    """Where each group begins, in an array that is in the groups' order."""
    counts = np.bincount(group, minlength=groups)
    return np.cumsum(counts) - counts


def to_hash_lists(hashes: Integers, group: Integers, sizes: Integers) -> pa.Array:
    """Of each group as many different hashes as its size says, the smallest ones, ascending."""
    order = np.lexsort((hashes, group))
    hashes, group = hashes[order], group[order]
    first = first_of_runs(group, hashes)
    hashes, group = hashes[first], group[first]
    kept = np.arange(len(group)) - group_starts(group, len(sizes))[group] < sizes[group]
    return to_lists(hashes[kept], group[kept], len(sizes))


def to_text_counts(texts: pa.Array, text: Integers, rows: Integers, group: Integers, sizes: Integers) -> pa.Array:
    """Of each group the most frequent texts, of equal ones the first; fewer where they are long.

    Needs:   the texts ascending, and per row the text's number, how often it occurs, and its group; each pair once.
    """
    order = np.lexsort((text, -rows, group))
    text, rows, group = text[order], rows[order], group[order]
    starts = group_starts(group, len(sizes))[group]
    ends = np.cumsum(pc.binary_length(texts).to_numpy(zero_copy_only=False)[text]) if len(text) else text
    bytes_before = np.concatenate(([0], ends))[starts]
    most = np.where(sizes > SLICE_SUMMARY_SIZE, MAX_FREQUENT_VALUES, MAX_SLICE_FREQUENT_VALUES)[group]
    kept = (np.arange(len(group)) - starts < most) & (ends - bytes_before <= most * _TEXT_BYTES)
    counts = pa.StructArray.from_arrays([texts.take(pa.array(text[kept])), pa.array(rows[kept])], ["value", "rows"])
    return to_lists(counts, group[kept], len(sizes))
