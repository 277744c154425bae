"""Distances between the distributions of two columns. Numbers only, no I/O.

Each measures how large a difference is, never how certain it is: with enough rows every p-value rejects. Each docstring
says how few rows affect the distance.
"""

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Numbers = Sequence[float] | npt.NDArray[np.float64]


def psi(current: Numbers, reference: Numbers) -> float | None:
    """Population stability index of two rows of counts per bin: 0 where shares are equal, without a greatest value.

    0.1 and 0.25 are taken as limits by convention. An empty bin is given half a row, so that it is finite. Of n and m
    rows in b bins that have not moved it is about (b - 1)(1/n + 1/m).

    Shapes:  (b,), (b,) counts.
    Source:  Yurdakul, Statistical properties of population stability index, 2018; sum of (p - q) ln(p / q).
    """
    p, q = _bin_shares(current, fill=0.5), _bin_shares(reference, fill=0.5)
    if p is None or q is None:
        return None
    return math.fsum((one - other) * math.log(one / other) for one, other in zip(p, q, strict=True))


def jensen_shannon(current: Numbers, reference: Numbers) -> float | None:
    """Jensen-Shannon distance of two rows of counts per bin, base 2: 0 for equal shares, 1 where no bin is in both.

    The root of the divergence, so small differences look large; of few rows it is about sqrt((b - 1)(1/n + 1/m) / 5.5).

    Shapes:  (b,), (b,) counts.
    Source:  Lin, Divergence measures based on the Shannon entropy, 1991; Endres and Schindelin, 2003.
    """
    p, q = _bin_shares(current), _bin_shares(reference)
    if p is None or q is None:
        return None
    middle = [(one + other) / 2 for one, other in zip(p, q, strict=True)]
    return math.sqrt(max(0.0, (_kl_divergence(p, middle) + _kl_divergence(q, middle)) / 2))


def cramers_v(current: Numbers, reference: Numbers) -> float | None:
    """Cramér's V of the chi-squared statistic over two rows of counts per bin: 0 to 1, whatever the number of rows.

    The statistic itself grows with the rows, and is no distance. Of n + m rows that have not moved V is about
    sqrt((b - 1) / (n + m)).

    Shapes:  (b,), (b,) counts.
    Source:  Pearson, 1900; Cramér, Mathematical Methods of Statistics, 1946.
    """
    bins = [(float(one), float(other)) for one, other in zip(current, reference, strict=True) if one or other]
    sides = tuple(math.fsum(side) for side in zip(*bins, strict=True))
    if not sides or not all(sides):
        return None
    if len(bins) == 1:
        return 0.0
    rows = math.fsum(sides)
    expected = [(sides[0] * (one + other) / rows, sides[1] * (one + other) / rows) for one, other in bins]
    statistic = math.fsum(
        (found - wanted) ** 2 / wanted
        for pair, wanted_pair in zip(bins, expected, strict=True)
        for found, wanted in zip(pair, wanted_pair, strict=True)
    )
    return math.sqrt(statistic / rows)


def distances_of_points(
    current: Numbers, current_rows: Numbers, reference: Numbers, reference_rows: Numbers
) -> tuple[float | None, float | None]:
    """The Kolmogorov-Smirnov statistic and the Wasserstein distance, from one walk over the values of both sides.

    The first is the greatest difference of two shares of values that are at most x: 0 to 1. Of n and m rows that have
    not moved it is about sqrt((n + m) / (n m)). The second is how far values have to be moved on average, in their own
    unit: the area between the two shares. One far value moves it; infinite ones leave it without a value.

    Needs:   ascending values, and how many rows each stands for.
    Source:  Kolmogorov, 1933; Smirnov, 1948: the statistic D of two samples. Vallender, Calculation of the Wasserstein
             distance between probability distributions on the line, 1974.
    """
    ends = _cumulative_shares(current, current_rows, reference, reference_rows)
    if ends is None:
        return None, None
    grid, differences = ends[0], np.abs(ends[1] - ends[2])
    area = float((differences[:-1] * np.diff(grid)).sum()) if np.isfinite(grid[[0, -1]]).all() else None
    return float(differences.max()), area


def _bin_shares(counts: Numbers, *, fill: float = 0.0) -> list[float] | None:
    """Of some dozens of bins: Python is faster with them than numpy."""
    totals = [float(rows) for rows in counts]
    if not any(totals):
        return None
    filled = [rows or fill for rows in totals]
    whole = math.fsum(filled)
    return [rows / whole for rows in filled]


def _kl_divergence(p: Sequence[float], q: Sequence[float]) -> float:
    return math.fsum(one * math.log2(one / other) for one, other in zip(p, q, strict=True) if one > 0)


def _cumulative_shares(
    current: Numbers, current_rows: Numbers, reference: Numbers, reference_rows: Numbers
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64], npt.NDArray[np.float64]] | None:
    """All values, and at each the share of either side's rows that are at most it."""
    if not len(current) or not len(reference):
        return None
    sides = (np.asarray(current, dtype=float), current_rows), (np.asarray(reference, dtype=float), reference_rows)
    grid = np.union1d(sides[0][0], sides[1][0])
    shares = []
    for values, rows in sides:
        below = np.concatenate(([0.0], np.cumsum(rows)))
        shares.append(below[np.searchsorted(values, grid, side="right")] / below[-1])
    return grid, shares[0], shares[1]
