"""Merges summaries that are Arrow rows. Runs on executors: numpy and pyarrow only."""

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from sparkscore.monitor.summary_rows import (
    SUMMARY_SCHEMA,
    group_starts,
    join_by_group,
    sum_runs,
    to_hash_lists,
    to_lists,
    to_nullable,
    to_text_counts,
)
from sparkscore.monitor.value_cells import Floats, Integers, first_of_runs, rank_texts


def merge_summary_rows(rows: pa.RecordBatch, group: Integers, groups: int) -> pa.RecordBatch:
    """One summary per group of rows, in the groups' order; the order of a group's rows does not matter.

    Needs:   each group has a row, all its rows one `size`.
    """
    sizes = np.zeros(groups, np.int64)
    sizes[group] = rows["size"].to_numpy()
    columns = {
        "size": pa.array(sizes),
        **{name: _sum_column(rows, name, group, groups) for name in ("count", "nulls", "nans", "finite")},
        "min": _reduce_ends(np.minimum, rows["min"], group, groups),
        "max": _reduce_ends(np.maximum, rows["max"], group, groups),
        **_merge_moments(rows, group, groups),
        **_merge_points(rows, group, sizes),
        "hashes": to_hash_lists(rows["hashes"].flatten().to_numpy(), _item_groups(rows["hashes"], group), sizes),
        "top": _merge_text_counts(rows["top"], group, sizes),
    }
    return pa.record_batch([columns[name] for name in SUMMARY_SCHEMA.names], schema=SUMMARY_SCHEMA)


def _sum_column(rows: pa.RecordBatch, name: str, group: Integers, groups: int) -> pa.Array:
    sums = np.zeros(groups, np.int64)
    np.add.at(sums, group, rows[name].to_numpy())
    return pa.array(sums)


def _reduce_ends(reduce: np.ufunc, ends: pa.Array, group: Integers, groups: int) -> pa.Array:
    known = ends.is_valid().to_numpy(zero_copy_only=False)
    group, values = group[known], ends.drop_null().to_numpy()
    order = np.argsort(group, kind="stable")
    first = first_of_runs(group[order])
    return to_nullable(reduce.reduceat(values[order], first) if len(first) else values, group[order][first], groups)


def _merge_moments(rows: pa.RecordBatch, group: Integers, groups: int) -> dict[str, pa.Array]:
    finite, mean, squares = (rows[name].to_numpy().astype(np.float64) for name in ("finite", "mean", "squares"))
    order = np.lexsort((squares, mean, finite, group))
    group, finite, mean, squares = group[order], finite[order], mean[order], squares[order]
    first = group_starts(group, groups)
    means = sum_runs(first, mean * finite) / np.maximum(sum_runs(first, finite), 1)
    means = np.where(np.bincount(group, minlength=groups) == 1, mean[first], means)  # unchanged to the last bit
    spread = sum_runs(first, squares + np.square(mean - means[group]) * finite)
    return {"mean": pa.array(means), "squares": pa.array(spread)}


def _merge_points(rows: pa.RecordBatch, group: Integers, sizes: Integers) -> dict[str, pa.Array]:
    points, weights = rows["points"].flatten().to_numpy(), rows["weights"].flatten().to_numpy()
    group = _item_groups(rows["points"], group)
    order = np.lexsort((weights, points, group))
    points, weights, group = _join_equal_points(points[order], weights[order], group[order])
    points, weights, group = _reduce_points(points, weights, group, sizes)
    return {"points": to_lists(points, group, len(sizes)), "weights": to_lists(weights, group, len(sizes))}


def _join_equal_points(points: Floats, weights: Floats, group: Integers) -> tuple[Floats, Floats, Integers]:
    first = first_of_runs(group, points)
    return points[first], sum_runs(first, weights), group[first]


def _reduce_points(
    points: Floats, weights: Floats, group: Integers, sizes: Integers
) -> tuple[Floats, Floats, Integers]:
    """At most as many points per group as its size says: those in the middle of equal shares of the weight."""
    counts = np.bincount(group, minlength=len(sizes))
    large = np.flatnonzero(counts > sizes)
    if not len(large):
        return points, weights, group
    few = counts[group] <= sizes[group]
    parts = [(points[few], weights[few], group[few])]
    parts += [
        _reduce_groups(points, weights, group, large[sizes[large] == size], size)
        for size in np.unique(sizes[large]).tolist()
    ]
    return join_by_group(parts)


def _reduce_groups(
    points: Floats, weights: Floats, group: Integers, large: npt.NDArray[np.int64], size: int
) -> tuple[Floats, Floats, Integers]:
    starts = group_starts(group, int(group[-1]) + 1)[large]
    ends = starts + np.bincount(group)[large]
    below = np.concatenate(([0.0], np.cumsum(weights)))
    totals = below[ends] - below[starts]
    middles = below[starts, None] + (np.arange(size) + 0.5) / size * totals[:, None]
    at = np.searchsorted(below[1:], middles).clip(starts[:, None], ends[:, None] - 1)
    return _join_equal_points(points[at].ravel(), np.repeat(totals / size, size), np.repeat(large, size))


def _item_groups(lists: pa.Array, group: Integers) -> Integers:
    return np.repeat(group, pc.list_value_length(lists).fill_null(0).to_numpy())


def _merge_text_counts(top: pa.Array, group: Integers, sizes: Integers) -> pa.Array:
    counts = top.flatten()
    ranks, texts = rank_texts(counts.field("value"))
    width = max(len(texts), 1)
    pairs = _item_groups(top, group) * width + (ranks - 1)
    by_pair = np.argsort(pairs, kind="stable")
    first = first_of_runs(pairs[by_pair])
    rows, pairs = sum_runs(first, counts.field("rows").to_numpy()[by_pair]), pairs[by_pair][first]
    return to_text_counts(texts, pairs % width, rows, pairs // width, sizes)
