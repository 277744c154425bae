"""Summarises the groups of a column from its cells. Runs on executors: numpy, pandas and pyarrow only."""

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from sparkscore.monitor.summary_rows import (
    SUMMARY_SCHEMA,
    join_by_group,
    sum_runs,
    to_hash_lists,
    to_lists,
    to_nullable,
    to_text_counts,
)
from sparkscore.monitor.value_cells import EncodedColumn, Floats, Integers, ValueCells, first_of_runs

_HASH_SIGN, _LEAST_HASH = np.uint64(1 << 63), -(2.0**63)


def _hash_values(column: EncodedColumn) -> Integers:
    """The hashes of a column's values, less 2^63; none of what is neither number nor text."""
    import pandas as pd  # late: a worker that profiles nothing does not wait for it

    if column.texts is not None and column.width:
        found = pd.util.hash_array(column.texts.to_numpy(zero_copy_only=False).astype(object))
    else:
        found = pd.util.hash_array(np.zeros(0) if column.numbers is None else column.numbers)
    return np.asarray(found ^ _HASH_SIGN).view(np.int64)


def summarise_cells(column: EncodedColumn, cells: ValueCells, sizes: Integers) -> pa.RecordBatch:
    """One summary per group, of its size, as `SUMMARY_SCHEMA` says."""
    hashes = _hash_values(column)
    columns = {
        "size": pa.array(sizes),
        "count": pa.array(cells.counts),
        "nulls": pa.array(cells.nulls),
        "nans": pa.array(cells.nans),
        **_summarise_numbers(column.numbers, cells, sizes),
        "hashes": _to_smallest_hashes(hashes, cells, sizes),
        "top": _to_frequent_texts(column.texts, cells, sizes),
    }
    return pa.record_batch([columns[name] for name in SUMMARY_SCHEMA.names], schema=SUMMARY_SCHEMA)


def _summarise_numbers(numbers: Floats | None, cells: ValueCells, sizes: Integers) -> dict[str, pa.Array]:
    groups = len(cells.counts)
    if numbers is None or not len(cells.group):
        lists = to_lists(np.zeros(0), np.zeros(0, np.int64), groups)
        nothing, zeros = pa.nulls(groups, pa.float64()), pa.array(np.zeros(groups))
        moments = {"finite": pa.array(np.zeros(groups, np.int64)), "mean": zeros, "squares": zeros}
        return {"min": nothing, "max": nothing, **moments, "points": lists, "weights": lists}
    values, first = numbers[cells.value], first_of_runs(cells.group)
    filled, last = cells.group[first], np.append(first[1:], len(values)) - 1
    points, weights, group = _group_points(values, cells, sizes)
    return {
        "min": to_nullable(values[first], filled, groups),
        "max": to_nullable(values[last], filled, groups),
        **_group_moments(values, cells),
        "points": to_lists(points, group, groups),
        "weights": to_lists(weights, group, groups),
    }


def _group_moments(values: Floats, cells: ValueCells) -> dict[str, pa.Array]:
    """Mean and sum of squared differences per group, of finite values: infinite ones are the ends alone."""
    groups = len(cells.counts)
    means, squares, is_finite = np.zeros(groups), np.zeros(groups), np.isfinite(values)
    group, rows, values = cells.group[is_finite], cells.rows[is_finite].astype(np.float64), values[is_finite]
    first = first_of_runs(group)
    filled = group[first]
    means[filled] = sum_runs(first, values * rows) / sum_runs(first, rows)
    squares[filled] = sum_runs(first, np.square(values - means[group]) * rows)
    finite = np.bincount(group, weights=rows, minlength=groups).astype(np.int64)
    return {"finite": pa.array(finite), "mean": pa.array(means), "squares": pa.array(squares)}


def _group_points(values: Floats, cells: ValueCells, sizes: Integers) -> tuple[Floats, Floats, Integers]:
    """Points, weights, groups: the values as they are where they are few, else points of equal weight."""
    is_large = np.bincount(cells.group, minlength=len(sizes)) > sizes
    rows = cells.rows.astype(np.float64)
    if not is_large.any():
        return values, rows, cells.group
    few = ~is_large[cells.group]
    parts = [(values[few], rows[few], cells.group[few])]
    parts += [
        _equal_weight_points(values, cells, np.flatnonzero(is_large & (sizes == size)), size)
        for size in np.unique(sizes[is_large]).tolist()
    ]
    return join_by_group(parts)


def _equal_weight_points(
    values: Floats, cells: ValueCells, large: npt.NDArray[np.int64], size: int
) -> tuple[Floats, Floats, Integers]:
    """So many points per group, each the middle of an equal share of its rows; equal ones together."""
    totals = np.bincount(cells.group, weights=cells.rows, minlength=len(cells.counts))
    before = (np.cumsum(totals) - totals).astype(np.int64)
    bounds = np.linspace(0, totals[large], size + 1, axis=1)
    middles = ((bounds[:, :-1] + bounds[:, 1:]) / 2).astype(np.int64) + before[large, None]
    points = values[np.searchsorted(np.cumsum(cells.rows), middles.ravel(), side="right")]
    weights, group = np.diff(bounds, axis=1).ravel(), np.repeat(large, size)
    first = first_of_runs(group, points)
    return points[first], sum_runs(first, weights), group[first]


def _to_smallest_hashes(hashes: Integers, cells: ValueCells, sizes: Integers) -> pa.Array:
    """Of many hashes only those below a bound are sorted, which so many are in all likelihood; else all of them."""
    if not len(hashes):
        return to_lists(hashes, np.zeros(0, np.int64), len(sizes))
    found, group = hashes[cells.value], cells.group
    totals = np.bincount(group, minlength=len(sizes))
    shares = (sizes + 8 * np.sqrt(sizes) + 8) / np.maximum(totals, 1)
    bounds = np.where(shares < 1, _LEAST_HASH + shares * 2.0**64, np.inf)
    below = found <= bounds[group]
    too_few = np.bincount(group[below], minlength=len(sizes)) < np.minimum(sizes, totals)
    below |= too_few[group]
    return to_hash_lists(found[below], group[below], sizes)


def _to_frequent_texts(texts: pa.Array | None, cells: ValueCells, sizes: Integers) -> pa.Array:
    if texts is None:
        nothing = np.zeros(0, np.int64)
        return to_text_counts(pa.array([], pa.string()), nothing, nothing, nothing, sizes)
    return to_text_counts(texts, cells.value, cells.rows, cells.group, sizes)
