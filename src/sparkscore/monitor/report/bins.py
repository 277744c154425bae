"""A histogram with the same edges for two runs, from the points that stand for all values of a column."""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, floor, isfinite, log10

from sparkscore.records import ColumnProfile

TARGET_BINS = 24
"""About so many: steps are 1, 2 or 5 times a power of ten."""


@dataclass(frozen=True, slots=True)
class HistogramBin:
    """What share of the values of each run lies from `low` to `high`."""

    low: float
    high: float
    current: float
    previous: float | None


def histogram_bins(current: ColumnProfile, previous: ColumnProfile | None) -> tuple[HistogramBin, ...]:
    """Shares per bin; empty where all values are one, or none. The outermost thousandths fall into the outer bins."""
    profiles = [one for one in (current, previous) if one is not None and sum(one.weights) > 0]
    ends = [end for one in profiles for end in (one.quantile(0.001), one.quantile(0.999))]
    finite_ends = [end for end in ends if end is not None and isfinite(end)]
    if not sum(current.weights) or not finite_ends or min(finite_ends) == max(finite_ends):
        return ()
    edges = _histogram_edges(min(finite_ends), max(finite_ends))
    current_shares = _histogram_shares(current, edges)
    previous_shares = (
        _histogram_shares(previous, edges)
        if previous in profiles and previous is not None
        else [None] * len(current_shares)
    )
    return tuple(HistogramBin(*parts) for parts in zip(edges, edges[1:], current_shares, previous_shares, strict=False))


def _histogram_edges(low: float, high: float) -> list[float]:
    rough_step = (high - low) / TARGET_BINS
    power = 10.0 ** floor(log10(rough_step))
    step = next(step * power for step in (1, 2, 5, 10) if step * power >= rough_step * 0.999)
    first, last = floor(low / step + 1e-9), max(ceil(high / step - 1e-9), floor(low / step + 1e-9) + 1)
    return [step * index for index in range(first, last + 1)]


def _histogram_shares(profile: ColumnProfile, edges: Sequence[float]) -> list[float]:
    """Points of few values are those values; of many, the rows of each lie evenly between it and the one before."""
    exact = profile.distinct is not None and profile.distinct <= len(profile.points)
    mass, total = [0.0] * (len(edges) - 1), sum(profile.weights)
    points = [min(max(point, edges[0]), edges[-1]) for point in profile.points]
    for start, point, weight in zip(points if exact else points[:1] + points, points, profile.weights, strict=False):
        first, last = _bin_index(start, edges), _bin_index(point, edges)
        for index in range(first, last + 1):
            inside = min(point, edges[index + 1]) - max(start, edges[index])
            mass[index] += weight * (inside / (point - start) if first != last else 1)
    return [part / total for part in mass]


def _bin_index(value: float, edges: Sequence[float]) -> int:
    return min(max(bisect_right(edges, value) - 1, 0), len(edges) - 2)
