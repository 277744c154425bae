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
"""Of numbers, each with as many rows of the reference; beside them one below, one above, NULL and NaN."""
MAX_CATEGORIES = 20
"""Of text, the reference's most frequent ones; beside them others, unseen ones and NULL."""
_LARGE_EDGE = 1e6
_DISTANCE_NAMES = ("psi", "jensen_shannon", "kolmogorov_smirnov", "wasserstein", "cramers_v")


DriftBin = tuple[str, float, float]
"""Its name, and the rows of both sides."""


@dataclass(frozen=True, slots=True)
class BinnedProfiles:
    """The rows of both sides in the same bins."""

    names: tuple[str, ...]
    now: tuple[float, ...]
    before: tuple[float, ...]


def measure_drifts(
    now: Sequence[ColumnProfile],
    before: Sequence[ColumnProfile],
    *,
    drift_type: Literal["BASELINE", "CONSECUTIVE"],
    against: str,
    limits: DriftSettings,
) -> tuple[Drift, ...]:
    """One record per column and slice of the run; with a note if the reference does not have it.

    A slice that the reference has not seen is left out: there is nothing to compare it with, and the segment's own
    column shows that it is new.
    """
    known = {_profile_key(one): one for one in before}
    made = []
    for one in now:
        other = known.get(_profile_key(one))
        if other is None and one.slice_key is not None:
            continue
        made.append(_measure_column_drift(one, other, drift_type, against, limits))
    return tuple(sorted(made, key=lambda drift: (not drift.drifted, -(drift.psi or 0.0), drift.column)))


def bin_profiles(now: ColumnProfile, before: ColumnProfile) -> BinnedProfiles:
    """The rows of two profiles in bins of the second, empty ones left out.

    Needs:   two profiles of numbers or two of text; of a column without any value both will do.
    """
    bins = (
        _number_bins(now, before)
        if _is_numeric_profile(now) or _is_numeric_profile(before)
        else _text_bins(now, before)
    )
    bins += [("NULL", now.nulls, before.nulls), ("NaN", now.nans, before.nans)]
    there = [one for one in bins if one[1] or one[2]]
    return BinnedProfiles(
        tuple(name for name, _, _ in there), tuple(n for _, n, _ in there), tuple(b for _, _, b in there)
    )


def _profile_key(one: ColumnProfile) -> tuple[str, str, str | None, str | None]:
    return one.log_type, one.column, one.slice_key, one.slice_value


def _is_numeric_profile(one: ColumnProfile) -> bool:
    return one.min is not None


def _measure_column_drift(
    now: ColumnProfile,
    before: ColumnProfile | None,
    drift_type: Literal["BASELINE", "CONSECUTIVE"],
    against: str,
    limits: DriftSettings,
) -> Drift:
    def made(**found: object) -> Drift:
        return Drift(
            now.column,
            now.log_type,
            drift_type,
            against,
            now.count,
            0 if before is None else before.count,
            now.slice_key,
            now.slice_value,
            **found,  # type: ignore[arg-type]
        )

    if before is None:
        return made(note="the reference has no such column")
    if (_is_numeric_profile(now) and before.top) or (now.top and _is_numeric_profile(before)):
        return made(note=f"{now.data_type} now, {before.data_type} in the reference")
    if not now.count or not before.count:
        return made(note="no rows to compare")
    bins = bin_profiles(now, before)
    found = _measure_distances(now, before, bins)
    drifted, note = _judge_distances(found, limits, rows=min(now.count, before.count))
    shares = tuple(round(one / now.count, 6) for one in bins.now)
    shares_cmp = tuple(round(one / before.count, 6) for one in bins.before)
    return made(**found, drifted=drifted, note=note, bins=bins.names, shares=shares, shares_cmp=shares_cmp)


def _measure_distances(now: ColumnProfile, before: ColumnProfile, bins: BinnedProfiles) -> dict[str, float | None]:
    found: dict[str, float | None] = {
        "psi": distances.psi(bins.now, bins.before),
        "jensen_shannon": distances.jensen_shannon(bins.now, bins.before),
        "cramers_v": distances.cramers_v(bins.now, bins.before),
    }
    if now.points and before.points:
        sides = (now.points, now.weights, before.points, before.weights)
        found["kolmogorov_smirnov"] = distances.kolmogorov_smirnov(*sides)
        moved = distances.wasserstein(*sides)
        # a constant reference has no deviation to measure by
        found["wasserstein"] = moved / before.stddev if moved is not None and before.stddev else None
    return found


def _judge_distances(found: Mapping[str, float | None], limits: DriftSettings, *, rows: int) -> tuple[bool, str]:
    broken = []
    for name in _DISTANCE_NAMES:
        limit, value = getattr(limits, name), found.get(name)
        if limit is not None and value is not None and value > limit:
            broken.append(f"{name} {value:.3g} above {limit:g}")
    if not broken:
        return False, ""
    if rows < limits.min_rows:
        return False, f"{'; '.join(broken)}, but {rows:,} rows are too few for an alert (drift.min_rows)"
    return True, "; ".join(broken)


def _number_bins(now: ColumnProfile, before: ColumnProfile) -> list[DriftBin]:
    if not _is_numeric_profile(before) or before.min is None or before.max is None:
        return [("unseen", now.values, 0)]
    if not before.points:  # infinite values alone
        return []
    edges = _quantile_edges(before, before.min, before.max)
    ends = [before.min, *edges, before.max]
    single = len(before.points) <= MAX_CATEGORIES and set(now.points) <= set(before.points)
    names = [
        _edge_text(high) if single or low == high else f"{_edge_text(low)} to {_edge_text(high)}"
        for low, high in pairwise(ends)
    ]
    mine = _rows_per_bin(now, before.min, edges, before.max)
    theirs = _rows_per_bin(before, before.min, edges, before.max)
    names = [f"below {_edge_text(before.min)}", *names, f"above {_edge_text(before.max)}"]
    return list(zip(names, mine, theirs, strict=True))


def _quantile_edges(before: ColumnProfile, low: float, high: float) -> list[float]:
    """Where bins end: at each value where there are few, else so that bins hold equal shares of the rows."""
    if len(before.points) <= MAX_CATEGORIES:
        return [one for one in before.points if one < high]
    levels = np.arange(1, QUANTILE_BINS) / QUANTILE_BINS
    inner = {one for one in (before.quantile(float(level)) for level in levels) if one is not None}
    return sorted(one for one in inner if low < one < high)


def _rows_per_bin(one: ColumnProfile, low: float, edges: Sequence[float], high: float) -> list[float]:
    """Rows below `low`, up to each edge and up to `high`, above `high`."""
    if not one.points:
        return [0.0] * (len(edges) + 3)
    below = np.concatenate(([0.0], np.cumsum(one.weights)))
    first = below[np.searchsorted(one.points, low, side="left")] if one.min is not None and one.min < low else 0.0
    inner = [below[np.searchsorted(one.points, edge, side="right")] for edge in edges]
    above = one.max is not None and one.max > high
    last = below[np.searchsorted(one.points, high, side="right")] if above else below[-1]
    return [float(rows) for rows in np.diff([0.0, first, *inner, last, below[-1]])]


def _text_bins(now: ColumnProfile, before: ColumnProfile) -> list[DriftBin]:
    shown, known = dict(before.top[:MAX_CATEGORIES]), dict(before.top)
    mine = dict(now.top)
    bins: list[DriftBin] = [(_quote_bin_name(value), mine.get(value, 0), rows) for value, rows in shown.items()]
    complete = sum(known.values()) >= before.values
    unseen = sum(rows for value, rows in mine.items() if value not in known) if complete else 0
    rest_now = now.values - sum(mine.get(value, 0) for value in shown) - unseen
    others = ("others", max(0, rest_now), before.values - sum(shown.values()))
    return [*bins, others, ("unseen", unseen, 0)]


def _quote_bin_name(value: str) -> str:
    """Give a value that has the name of a special bin another name."""
    return f'"{value}"' if value in ("NULL", "NaN", "others", "unseen") else value


def _edge_text(value: float) -> str:
    return f"{value:.6g}" if abs(value) < _LARGE_EDGE else f"{value:,.0f}"
