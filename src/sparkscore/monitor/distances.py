"""Distances between the distributions of two columns. Numbers only, no I/O.

Each measures how large a difference is, never how certain it is: with enough rows every p-value rejects. Each docstring
says how few rows affect the distance.
"""

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Numbers = Sequence[float] | npt.NDArray[np.float64]


def psi(now: Numbers, before: Numbers) -> float | None:
    """Population stability index of two rows of counts per bin: 0 where shares are equal, without a greatest value.

    0.1 and 0.25 are taken as limits by convention. An empty bin is given half a row, so that it is finite. Of n and m
    rows in b bins that have not moved it is about (b - 1)(1/n + 1/m).

    Shapes:  (b,), (b,) counts.
    Source:  Yurdakul, Statistical properties of population stability index, 2018; sum of (p - q) ln(p / q).
    """
    p, q = _bin_shares(now, fill=0.5), _bin_shares(before, fill=0.5)
    return None if p is None or q is None else float(((p - q) * np.log(p / q)).sum())


def jensen_shannon(now: Numbers, before: Numbers) -> float | None:
    """Jensen-Shannon distance of two rows of counts per bin, base 2: 0 for equal shares, 1 where no bin is in both.

    The root of the divergence, so small differences look large; of few rows it is about sqrt((b - 1)(1/n + 1/m) / 5.5).

    Shapes:  (b,), (b,) counts.
    Source:  Lin, Divergence measures based on the Shannon entropy, 1991; Endres and Schindelin, 2003.
    """
    p, q = _bin_shares(now), _bin_shares(before)
    if p is None or q is None:
        return None
    middle = (p + q) / 2
    return math.sqrt(max(0.0, (_kl_divergence(p, middle) + _kl_divergence(q, middle)) / 2))


def cramers_v(now: Numbers, before: Numbers) -> float | None:
    """Cramér's V of the chi-squared statistic over two rows of counts per bin: 0 to 1, whatever the number of rows.

    The statistic itself grows with the rows, and is no distance. Of n + m rows that have not moved V is about
    sqrt((b - 1) / (n + m)).

    Shapes:  (b,), (b,) counts.
    Source:  Pearson, 1900; Cramér, Mathematical Methods of Statistics, 1946.
    """
    table = np.array([now, before], dtype=float)
    table = table[:, table.sum(axis=0) > 0]
    rows = table.sum()
    if not table.sum(axis=1).all():
        return None
    if table.shape[1] == 1:
        return 0.0
    expected = np.outer(table.sum(axis=1), table.sum(axis=0)) / rows
    statistic = (np.square(table - expected) / expected).sum()
    return float(math.sqrt(statistic / rows))


def kolmogorov_smirnov(now: Numbers, now_rows: Numbers, before: Numbers, before_rows: Numbers) -> float | None:
    """The greatest difference of two shares of values that are at most x: 0 to 1.

    Of n and m rows that have not moved it is about sqrt((n + m) / (n m)).

    Needs:   ascending values, and how many rows each stands for.
    Source:  Kolmogorov, 1933; Smirnov, 1948: the statistic D of two samples.
    """
    ends = _cumulative_shares(now, now_rows, before, before_rows)
    return None if ends is None else float(np.abs(ends[1] - ends[2]).max())


def wasserstein(now: Numbers, now_rows: Numbers, before: Numbers, before_rows: Numbers) -> float | None:
    """How far values have to be moved on average, in their own unit: the area between two shares of at most x.

    One far value moves it; infinite ones leave it without a value.

    Needs:   ascending values, and how many rows each stands for.
    Source:  Vallender, Calculation of the Wasserstein distance between probability distributions on the line, 1974.
    """
    ends = _cumulative_shares(now, now_rows, before, before_rows)
    if ends is None or not np.isfinite(ends[0]).all():
        return None
    return float((np.abs(ends[1] - ends[2])[:-1] * np.diff(ends[0])).sum())


def _bin_shares(counts: Numbers, *, fill: float = 0.0) -> npt.NDArray[np.float64] | None:
    found = np.asarray(counts, dtype=float)
    if not found.sum():
        return None
    found = np.where(found == 0, fill, found)
    return np.asarray(found / found.sum())


def _kl_divergence(p: npt.NDArray[np.float64], q: npt.NDArray[np.float64]) -> float:
    there = p > 0
    return float((p[there] * np.log2(p[there] / q[there])).sum())


def _cumulative_shares(
    now: Numbers, now_rows: Numbers, before: Numbers, before_rows: Numbers
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64], npt.NDArray[np.float64]] | None:
    """All values, and at each the share of either side's rows that are at most it."""
    if not len(now) or not len(before):
        return None
    at = np.union1d(now, before)
    shares = []
    for values, rows in ((now, now_rows), (before, before_rows)):
        below = np.concatenate(([0.0], np.cumsum(rows)))
        shares.append(below[np.searchsorted(values, at, side="right")] / below[-1])
    return at, shares[0], shares[1]
