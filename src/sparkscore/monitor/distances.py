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
    return None if p is None or q is None else float(((p - q) * np.log(p / q)).sum())


def jensen_shannon(current: Numbers, reference: Numbers) -> float | None:
    """Jensen-Shannon distance of two rows of counts per bin, base 2: 0 for equal shares, 1 where no bin is in both.

    The root of the divergence, so small differences look large; of few rows it is about sqrt((b - 1)(1/n + 1/m) / 5.5).

    Shapes:  (b,), (b,) counts.
    Source:  Lin, Divergence measures based on the Shannon entropy, 1991; Endres and Schindelin, 2003.
    """
    p, q = _bin_shares(current), _bin_shares(reference)
    if p is None or q is None:
        return None
    middle = (p + q) / 2
    return math.sqrt(max(0.0, (_kl_divergence(p, middle) + _kl_divergence(q, middle)) / 2))


def cramers_v(current: Numbers, reference: Numbers) -> float | None:
    """Cramér's V of the chi-squared statistic over two rows of counts per bin: 0 to 1, whatever the number of rows.

    The statistic itself grows with the rows, and is no distance. Of n + m rows that have not moved V is about
    sqrt((b - 1) / (n + m)).

    Shapes:  (b,), (b,) counts.
    Source:  Pearson, 1900; Cramér, Mathematical Methods of Statistics, 1946.
    """
    table = np.array([current, reference], dtype=float)
    table = table[:, table.sum(axis=0) > 0]
    rows = table.sum()
    if not table.sum(axis=1).all():
        return None
    if table.shape[1] == 1:
        return 0.0
    expected = np.outer(table.sum(axis=1), table.sum(axis=0)) / rows
    statistic = (np.square(table - expected) / expected).sum()
    return float(math.sqrt(statistic / rows))


def kolmogorov_smirnov(
    current: Numbers, current_rows: Numbers, reference: Numbers, reference_rows: Numbers
) -> float | None:
    """The greatest difference of two shares of values that are at most x: 0 to 1.

    Of n and m rows that have not moved it is about sqrt((n + m) / (n m)).

    Needs:   ascending values, and how many rows each stands for.
    Source:  Kolmogorov, 1933; Smirnov, 1948: the statistic D of two samples.
    """
    return distances_of_points(current, current_rows, reference, reference_rows)[0]


def wasserstein(current: Numbers, current_rows: Numbers, reference: Numbers, reference_rows: Numbers) -> float | None:
    """How far values have to be moved on average, in their own unit: the area between two shares of at most x.

    One far value moves it; infinite ones leave it without a value.

    Needs:   ascending values, and how many rows each stands for.
    Source:  Vallender, Calculation of the Wasserstein distance between probability distributions on the line, 1974.
    """
    return distances_of_points(current, current_rows, reference, reference_rows)[1]


def distances_of_points(
    current: Numbers, current_rows: Numbers, reference: Numbers, reference_rows: Numbers
) -> tuple[float | None, float | None]:
    """`kolmogorov_smirnov` and `wasserstein`, from one walk over the values of both sides."""
    ends = _cumulative_shares(current, current_rows, reference, reference_rows)
    if ends is None:
        return None, None
    grid, differences = ends[0], np.abs(ends[1] - ends[2])
    area = float((differences[:-1] * np.diff(grid)).sum()) if np.isfinite(grid[[0, -1]]).all() else None
    return float(differences.max()), area


def _bin_shares(counts: Numbers, *, fill: float = 0.0) -> npt.NDArray[np.float64] | None:
    totals = np.asarray(counts, dtype=float)
    if not totals.sum():
        return None
    totals = np.where(totals == 0, fill, totals)
    return np.asarray(totals / totals.sum())


def _kl_divergence(p: npt.NDArray[np.float64], q: npt.NDArray[np.float64]) -> float:
    in_p = p > 0
    return float((p[in_p] * np.log2(p[in_p] / q[in_p])).sum())


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
