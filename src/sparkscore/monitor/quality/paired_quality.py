"""Two models over the same rows: whether one was better, with the confidence of the difference. Arrays in, numbers out.

Both saw the same rows, so their values go up and down together: an interval of the difference is far narrower than
those of the two values would make believe.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

from sparkscore.monitor.quality.binary_quality import NO_BOTH_CLASSES
from sparkscore.monitor.quality.intervals import Z

Floats = npt.NDArray[np.float64]
Booleans = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class PairedDifference:
    """The second model's value minus the first's, over the same rows."""

    first: float | None
    second: float | None
    difference: float | None
    """None where a value is not defined."""
    low: float | None = None
    """End of the interval of 95 %; None where it is not known."""
    high: float | None = None
    p_value: float | None = None
    """Two-sided: how often chance alone makes such a difference, or a greater one."""
    count: int = 0
    """Rows that both have predicted."""
    note: str = ""

    @property
    def is_surely_higher(self) -> bool:
        """The whole interval lies above 0: the second model's value is the greater one."""
        return self.low is not None and self.low > 0

    @property
    def is_surely_lower(self) -> bool:
        """The whole interval lies below 0."""
        return self.high is not None and self.high < 0


def compare_areas(first: Floats, second: Floats, truths: Booleans) -> PairedDifference:
    """The difference of two ROC AUCs over the same rows, by DeLong's covariance of placements.

    Shapes:  (n,) scores of each model, without NaN; (n,) truths.
    Source:  DeLong, DeLong and Clarke-Pearson, 1988; Sun and Xu, Fast implementation of DeLong's algorithm, 2014.
    """
    count = len(truths)
    positives, negatives = int(truths.sum()), int(count - truths.sum())
    if not (positives and negatives):
        return PairedDifference(None, None, None, count=count, note=NO_BOTH_CLASSES)
    placements = [_placements(scores, truths) for scores in (first, second)]
    areas = float(placements[0][0].mean()), float(placements[1][0].mean())
    if min(positives, negatives) < 2:
        return PairedDifference(
            areas[0], areas[1], areas[1] - areas[0], count=count, note="one row of a class: no interval"
        )
    variance = sum(
        float(np.var(after - before, ddof=1)) / len(before)
        for before, after in zip(placements[0], placements[1], strict=True)
    )
    return _to_difference(areas[0], areas[1], math.sqrt(variance), count)


def compare_shares(first: Booleans, second: Booleans) -> PairedDifference:
    """The difference of two shares over the same rows, such as accuracies from which rows each has right.

    Only rows that one model has right and the other wrong tell the models apart. The interval is the normal one of
    paired shares; the p-value McNemar's, exact up to 25 such rows, else with the normal distribution.

    Source:  McNemar, Note on the sampling error of the difference between correlated proportions, 1947.
    """
    count = len(first)
    if not count:
        return PairedDifference(None, None, None)
    lost, won = int((first & ~second).sum()), int((~first & second).sum())
    difference = (won - lost) / count
    error = math.sqrt(max(0.0, (won + lost) - (won - lost) ** 2 / count)) / count
    low, high = difference - Z * error, difference + Z * error
    p = _mcnemar_p_value(lost, won)
    return PairedDifference(float(first.mean()), float(second.mean()), difference, low, high, p, count)


def compare_means(first: Floats, second: Floats) -> PairedDifference:
    """The difference of two means over the same rows, such as of squared errors or log losses; normal interval.

    Needs:   the value of each row for each model; for an RMSE compare the squared errors.
    """
    count = len(first)
    if not count:
        return PairedDifference(None, None, None)
    means = float(first.mean()), float(second.mean())
    if count < 2:
        return PairedDifference(means[0], means[1], means[1] - means[0], count=count, note="one row: no interval")
    error = float(np.std(second - first, ddof=1)) / math.sqrt(count)
    return _to_difference(means[0], means[1], error, count)


def compare_mean_sums(firsts: float, seconds: float, squares: float, count: int) -> PairedDifference:
    """As `compare_means`, from sums that merge.

    Needs:   the sums of both models' values, and that of the squared differences of each row.
    """
    if not count:
        return PairedDifference(None, None, None)
    total = seconds - firsts
    variance = max(0.0, squares - total * total / count) / max(1, count - 1)
    return _to_difference(firsts / count, seconds / count, math.sqrt(variance / count), count)


def _to_difference(first: float, second: float, error: float, count: int) -> PairedDifference:
    difference = second - first
    low, high = difference - Z * error, difference + Z * error
    return PairedDifference(first, second, difference, low, high, _normal_p_value(difference, error), count)


def _normal_p_value(difference: float, error: float) -> float:
    if not error:
        return 1.0 if difference == 0 else 0.0
    return 2 * NormalDist().cdf(-abs(difference / error))


_MOST_EXACT = 25


def _mcnemar_p_value(lost: int, won: int) -> float:
    rows = lost + won
    if not rows:
        return 1.0
    if rows > _MOST_EXACT:
        return _normal_p_value(won - lost, math.sqrt(rows))
    tail = float(sum(math.comb(rows, i) for i in range(min(lost, won) + 1))) / float(2**rows)
    return min(1.0, 2 * tail)


def _placements(scores: Floats, truths: Booleans) -> Sequence[Floats]:
    """Of each positive row the share of negatives below it, of each negative one that of positives above it."""
    positive, negative = np.sort(scores[truths]), np.sort(scores[~truths])
    below = _middle_places(negative, scores[truths]) / len(negative)
    above = 1 - _middle_places(positive, scores[~truths]) / len(positive)
    return below, above


def _middle_places(ordered: Floats, values: Floats) -> Floats:
    """How many of the ordered values lie below each value; equal ones count half."""
    left, right = (np.searchsorted(ordered, values, side=side) for side in ("left", "right"))
    return np.asarray((left + right) / 2, dtype=np.float64)
