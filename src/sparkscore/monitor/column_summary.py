"""What one column holds, in a form that merges: moments, weighted points, smallest hashes, most frequent values.

Executors and the driver use it: numpy, pandas and pyarrow only. One sort of a column gives its quantiles, its distinct
values and its bins: 20 columns of 250,000 doubles take 0.5 s of one slow core. Spark's own sketches are fed row by row
(see docs/decisions/profile.md).
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

Floats = npt.NDArray[np.float64]

MAX_FREQUENT_VALUES = 1_000
"""Number of different texts of a task that are counted exactly; beyond that, the rarest are dropped."""
_HASH_RANGE = float(2**64)
_HASH_SHIFT = 2**63


@dataclass(frozen=True, slots=True)
class ColumnSummary:
    """A column, or a part of it. `size` points stand for its values: a rank is off by at most 1 / size.

    Source:  smallest hashes: Bar-Yossef et al., Counting distinct elements in a data stream, 2002; moments: Chan,
             Golub and LeVeque, Algorithms for computing the sample variance, 1983.
    """

    size: int
    count: int = 0
    nulls: int = 0
    nans: int = 0
    min: float | None = None
    max: float | None = None
    mean: float = 0.0
    squares: float = 0.0
    """Sum of squared differences from the mean."""
    points: tuple[float, ...] = ()
    weights: tuple[float, ...] = ()
    hashes: tuple[int, ...] = ()
    """The smallest ones, at most `size`, ascending, less 2^63."""
    top: tuple[tuple[str, int], ...] = ()

    @property
    def values(self) -> int:
        """Rows with a value."""
        return self.count - self.nulls - self.nans

    @property
    def distinct(self) -> float | None:
        """Different values: exact where there are fewer than `size`, else estimated to about 1 / sqrt(size)."""
        if not self.hashes:
            return 0.0 if self.values == 0 else None
        if len(self.hashes) < self.size:
            return float(len(self.hashes))
        return (self.size - 1) / ((self.hashes[-1] + _HASH_SHIFT + 1) / _HASH_RANGE)


def summarise_column(values: pa.Array, *, size: int) -> ColumnSummary:
    """The summary of one column's values; of nested and binary ones only how many there are.

    Needs:   numbers, booleans, text, dates or timestamps for more than counts.
    Runs on: executor.
    """
    kind = values.type
    if pa.types.is_dictionary(kind):
        return summarise_column(values.dictionary_decode(), size=size)
    if pa.types.is_boolean(kind) or pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return _summarise_texts(values, size)
    numbers = to_float_values(values)
    if numbers is None:
        return ColumnSummary(size, count=len(values), nulls=values.null_count)
    return summarise_numbers(numbers, size=size, nulls=values.null_count)


def to_float_values(values: pa.Array) -> Floats | None:
    """The values without NULL as doubles: moments in seconds, dates in days since 1970. None for what is no number."""
    kind = values.type
    if not any(fits(kind) for fits in (pa.types.is_integer, pa.types.is_floating, pa.types.is_decimal, _is_time_type)):
        return None
    present = values.drop_null() if values.null_count else values
    scale = 1.0
    if pa.types.is_timestamp(kind):
        present, scale = present.cast(pa.timestamp("us", kind.tz)).cast(pa.int64()), 1e-6
    elif pa.types.is_date(kind):
        present = present.cast(pa.date32()).cast(pa.int32())
    numbers = present.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)
    return np.asarray(numbers * scale if scale != 1 else numbers, dtype=np.float64)


def summarise_numbers(numbers: Floats, *, size: int, nulls: int = 0) -> ColumnSummary:
    """The summary of numbers, NaN among them; infinite ones are the ends, and take no part in the moments."""
    ordered = np.sort(numbers)  # NaN last
    present = ordered[: int(np.searchsorted(ordered, np.nan))]
    count, nans = len(numbers) + nulls, len(numbers) - len(present)
    if not len(present):
        return ColumnSummary(size, count, nulls, nans)
    finite = (
        present[np.isfinite(present)] if not math.isfinite(present[0]) or not math.isfinite(present[-1]) else present
    )
    mean = float(finite.mean()) if len(finite) else 0.0
    first = np.flatnonzero(np.concatenate(([True], present[1:] != present[:-1])))
    distinct, repeats = present[first], np.diff(np.append(first, len(present)))
    points, weights = (
        (distinct, repeats.astype(float)) if len(distinct) <= size else _equal_weight_points(present, size)
    )
    squares = float(np.square(finite - mean).sum()) if len(finite) else 0.0
    return ColumnSummary(
        size,
        count,
        nulls,
        nans,
        float(present[0]),
        float(present[-1]),
        mean,
        squares,
        tuple(points.tolist()),
        tuple(weights.tolist()),
        _smallest_hashes(pd.util.hash_array(distinct + 0.0), size),  # -0.0 is 0.0
    )


def merge_summaries(parts: Iterable[ColumnSummary]) -> ColumnSummary:
    """The summary of all parts together.

    Needs:   at least one part, all of one `size`.
    """
    summaries = list(parts)
    size, present = summaries[0].size, [one for one in summaries if one.values]
    count, nulls, nans = (sum(getattr(one, name) for one in summaries) for name in ("count", "nulls", "nans"))
    if not present:
        return ColumnSummary(size, count, nulls, nans)
    lows, highs = (
        [one.min for one in present if one.min is not None],
        [one.max for one in present if one.max is not None],
    )
    mean, squares = _merge_moments(present)
    points, weights = _merge_points(present, size)
    return ColumnSummary(
        size,
        count,
        nulls,
        nans,
        min(lows, default=None),
        max(highs, default=None),
        mean,
        squares,
        points,
        weights,
        tuple(sorted({one for part in present for one in part.hashes})[:size]),
        _most_frequent(
            pd.Series([n for part in present for _, n in part.top], [v for part in present for v, _ in part.top])
        ),
    )


def _is_time_type(kind: pa.DataType) -> bool:
    return bool(pa.types.is_timestamp(kind) or pa.types.is_date(kind))


def _summarise_texts(values: pa.Array, size: int) -> ColumnSummary:
    counts = pc.value_counts(values.drop_null().cast(pa.string()))
    names, rows = counts.field("values").to_numpy(zero_copy_only=False), counts.field("counts").to_numpy()
    hashes = _smallest_hashes(pd.util.hash_array(names.astype(object)), size) if len(names) else ()
    top = _most_frequent(pd.Series(rows, names))
    return ColumnSummary(size, count=len(values), nulls=values.null_count, hashes=hashes, top=top)


def _most_frequent(counts: "pd.Series[int]") -> tuple[tuple[str, int], ...]:
    if counts.empty:
        return ()
    summed = counts.groupby(level=0).sum()
    ordered = summed.iloc[np.lexsort((summed.index.to_numpy(dtype=str), -summed.to_numpy()))][:MAX_FREQUENT_VALUES]
    return tuple((str(name), int(rows)) for name, rows in ordered.items())


def _smallest_hashes(hashes: Any, size: int) -> tuple[int, ...]:
    smallest = np.partition(hashes, size - 1)[:size] if len(hashes) > size else hashes
    return tuple(int(one) - _HASH_SHIFT for one in np.unique(smallest).tolist())


def _equal_weight_points(ordered: Floats, size: int) -> tuple[Floats, Floats]:
    """So many points of equal weight, each the middle of its share; equal ones together."""
    bounds = np.linspace(0, len(ordered), size + 1)
    middles = ordered[((bounds[:-1] + bounds[1:]) / 2).astype(int)]
    return _merge_equal_points(middles, np.diff(bounds))


def _merge_equal_points(points: Floats, weights: Floats) -> tuple[Floats, Floats]:
    first = np.flatnonzero(np.concatenate(([True], points[1:] != points[:-1])))
    return points[first], np.add.reduceat(weights, first)


def _merge_points(parts: Sequence[ColumnSummary], size: int) -> tuple[tuple[float, ...], tuple[float, ...]]:
    points = np.concatenate([np.asarray(one.points) for one in parts])
    weights = np.concatenate([np.asarray(one.weights) for one in parts])
    if not len(points):
        return (), ()
    order = np.argsort(points, kind="stable")
    points, weights = _merge_equal_points(points[order], weights[order])
    if len(points) > size:
        below, total = np.cumsum(weights), weights.sum()
        middles = (np.arange(size) + 0.5) / size * total
        at = np.searchsorted(below, middles).clip(max=len(points) - 1)
        points, weights = _merge_equal_points(points[at], np.full(size, total / size))
    return tuple(points.tolist()), tuple(weights.tolist())


def _merge_moments(parts: Sequence[ColumnSummary]) -> tuple[float, float]:
    rows, mean, squares = 0, 0.0, 0.0
    for one in parts:
        total, difference = rows + one.values, one.mean - mean
        mean += difference * one.values / total
        squares += one.squares + difference * difference * rows * one.values / total
        rows = total
    return mean, squares
