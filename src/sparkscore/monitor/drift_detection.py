"""Drift of the columns of a run from a reference: distances over the reference's bins, and verdicts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import numpy as np

from sparkscore.monitor import distances
from sparkscore.records import ColumnProfile, Drift
from sparkscore.settings import DriftSettings

QUANTILE_BINS = 10
"""Number of bins of numbers, with equal rows of the reference; further bins: below, above, NULL and NaN."""
MAX_CATEGORIES = 20
"""Number of the reference's most frequent texts; further bins: others, unseen ones and NULL."""
_QUANTILES = np.arange(1, QUANTILE_BINS) / QUANTILE_BINS
_LARGE_EDGE = 1e6
_DISTANCE_NAMES = ("psi", "jensen_shannon", "kolmogorov_smirnov", "wasserstein", "cramers_v")


DriftBin = tuple[str, float, float]
"""Its name, and the rows of both sides."""


@dataclass(frozen=True, slots=True)
class BinnedProfiles:
    """The rows of both sides in the same bins."""

    names: tuple[str, ...]
    current: tuple[float, ...]
    reference: tuple[float, ...]


def measure_drifts(
    current: Sequence[ColumnProfile],
    reference: Sequence[ColumnProfile],
    *,
    drift_type: Literal["BASELINE", "CONSECUTIVE"],
    against: str,
    limits: DriftSettings,
) -> tuple[Drift, ...]:
    """One record per column and slice of the run; with a note if the reference does not have it.

    A slice that the reference has not seen is left out: there is nothing to compare it with, and the segment's own
    column shows that it is new.
    """
    reference_by_key = {_profile_key(one): one for one in reference}
    drifts = []
    for one in current:
        other = reference_by_key.get(_profile_key(one))
        if other is None and one.slice_key is not None:
            continue
        drifts.append(_measure_column_drift(one, other, drift_type, against, limits))
    return tuple(sorted(drifts, key=lambda drift: (not drift.drifted, -(drift.psi or 0.0), drift.column)))


def bin_profiles(current: ColumnProfile, reference: ColumnProfile) -> BinnedProfiles:
    """The rows of two profiles in bins of the second, empty ones left out.

    Needs:   two profiles of numbers or two of text; of a column without any value both will do.
    """
    bins = (
        _number_bins(current, reference)
        if _is_numeric_profile(current) or _is_numeric_profile(reference)
        else _text_bins(current, reference)
    )
    bins += [("NULL", current.nulls, reference.nulls), ("NaN", current.nans, reference.nans)]
    filled = [one for one in bins if one[1] or one[2]]
    return BinnedProfiles(
        tuple(name for name, _, _ in filled), tuple(n for _, n, _ in filled), tuple(b for _, _, b in filled)
    )


def _profile_key(profile: ColumnProfile) -> tuple[str, str, str | None, str | None]:
    return profile.log_type, profile.column, profile.slice_key, profile.slice_value


def _is_numeric_profile(profile: ColumnProfile) -> bool:
    return profile.min is not None


def _measure_column_drift(
    current: ColumnProfile,
    reference: ColumnProfile | None,
    drift_type: Literal["BASELINE", "CONSECUTIVE"],
    against: str,
    limits: DriftSettings,
) -> Drift:
    def build_drift(**measures: object) -> Drift:
        return Drift(
            current.column,
            current.log_type,
            drift_type,
            against,
            current.count,
            0 if reference is None else reference.count,
            current.slice_key,
            current.slice_value,
            **measures,  # type: ignore[arg-type]
        )

    if reference is None:
        return build_drift(note="the reference has no such column")
    if (_is_numeric_profile(current) and reference.top) or (current.top and _is_numeric_profile(reference)):
        return build_drift(note=f"{current.data_type} now, {reference.data_type} in the reference")
    if not current.count or not reference.count:
        return build_drift(note="no rows to compare")
    bins = bin_profiles(current, reference)
    measures = _measure_distances(current, reference, bins)
    drifted, note = _judge_distances(measures, limits, rows=min(current.count, reference.count))
    shares = tuple(round(one / current.count, 6) for one in bins.current)
    shares_cmp = tuple(round(one / reference.count, 6) for one in bins.reference)
    return build_drift(**measures, drifted=drifted, note=note, bins=bins.names, shares=shares, shares_cmp=shares_cmp)


def _measure_distances(
    current: ColumnProfile, reference: ColumnProfile, bins: BinnedProfiles
) -> dict[str, float | None]:
    measures: dict[str, float | None] = {
        "psi": distances.psi(bins.current, bins.reference),
        "jensen_shannon": distances.jensen_shannon(bins.current, bins.reference),
        "cramers_v": distances.cramers_v(bins.current, bins.reference),
    }
    if current.points and reference.points:
        sides = (current.points, current.weights, reference.points, reference.weights)
        measures["kolmogorov_smirnov"], distance = distances.distances_of_points(*sides)
        # a constant reference has no deviation to measure by
        measures["wasserstein"] = distance / reference.stddev if distance is not None and reference.stddev else None
    return measures


def _judge_distances(measures: Mapping[str, float | None], limits: DriftSettings, *, rows: int) -> tuple[bool, str]:
    exceeded = []
    for name in _DISTANCE_NAMES:
        limit, value = getattr(limits, name), measures.get(name)
        if limit is not None and value is not None and value > limit:
            exceeded.append(f"{name} {value:.3g} above {limit:g}")
    if not exceeded:
        return False, ""
    if rows < limits.min_rows:
        return False, f"{'; '.join(exceeded)}, but {rows:,} rows are too few for an alert (drift.min_rows)"
    return True, "; ".join(exceeded)


def _number_bins(current: ColumnProfile, reference: ColumnProfile) -> list[DriftBin]:
    if not _is_numeric_profile(reference) or reference.min is None or reference.max is None:
        return [("unseen", current.values, 0)]
    if not reference.points:  # infinite values alone
        return []
    edges = _quantile_edges(reference, reference.min, reference.max)
    ends = [reference.min, *edges, reference.max]
    is_discrete = len(reference.points) <= MAX_CATEGORIES and set(current.points) <= set(reference.points)
    names = [
        _edge_text(high) if is_discrete or low == high else f"{_edge_text(low)} to {_edge_text(high)}"
        for low, high in pairwise(ends)
    ]
    current_rows = _rows_per_bin(current, reference.min, edges, reference.max)
    reference_rows = _rows_per_bin(reference, reference.min, edges, reference.max)
    names = [f"below {_edge_text(reference.min)}", *names, f"above {_edge_text(reference.max)}"]
    return list(zip(names, current_rows, reference_rows, strict=True))


def _quantile_edges(reference: ColumnProfile, low: float, high: float) -> list[float]:
    """Where bins end: at each value where there are few, else so that bins hold equal shares of the rows."""
    if len(reference.points) <= MAX_CATEGORIES:
        return [one for one in reference.points if one < high]
    below = np.cumsum(reference.weights)
    at = np.searchsorted(below, _QUANTILES * below[-1])
    inner = {reference.points[min(index, len(below) - 1)] for index in at.tolist()}
    return sorted(one for one in inner if low < one < high)


def _rows_per_bin(profile: ColumnProfile, low: float, edges: Sequence[float], high: float) -> list[float]:
    """Rows below `low`, up to each edge and up to `high`, above `high`."""
    if not profile.points:
        return [0.0] * (len(edges) + 3)
    points = np.asarray(profile.points)
    below = np.concatenate(([0.0], np.cumsum(profile.weights)))
    up_to = below[np.searchsorted(points, [*edges, high], side="right")]
    is_lower, is_higher = (
        profile.min is not None and profile.min < low,
        profile.max is not None and profile.max > high,
    )
    first = below[np.searchsorted(points, low, side="left")] if is_lower else 0.0
    last = up_to[-1] if is_higher else below[-1]
    ends: list[float] = np.concatenate(([0.0, first], up_to[:-1], [last, below[-1]])).tolist()
    return [after - before for before, after in pairwise(ends)]


def _text_bins(current: ColumnProfile, reference: ColumnProfile) -> list[DriftBin]:
    listed, reference_counts = dict(reference.top[:MAX_CATEGORIES]), dict(reference.top)
    counts = dict(current.top)
    bins: list[DriftBin] = [(_quote_bin_name(value), counts.get(value, 0), rows) for value, rows in listed.items()]
    complete = sum(reference_counts.values()) >= reference.values
    unseen = sum(rows for value, rows in counts.items() if value not in reference_counts) if complete else 0
    rest_current = current.values - sum(counts.get(value, 0) for value in listed) - unseen
    others = ("others", max(0, rest_current), reference.values - sum(listed.values()))
    return [*bins, others, ("unseen", unseen, 0)]


def _quote_bin_name(value: str) -> str:
    """Give a value that has the name of a special bin another name."""
    return f'"{value}"' if value in ("NULL", "NaN", "others", "unseen") else value


def _edge_text(value: float) -> str:
    return f"{value:.6g}" if abs(value) < _LARGE_EDGE else f"{value:,.0f}"
