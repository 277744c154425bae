"""Confidence intervals of 95 %, without resampling. Numbers only, no I/O."""

import math
from statistics import NormalDist

from sparkscore.records import Measure

CONFIDENCE = 0.95
Z = NormalDist().inv_cdf((1 + CONFIDENCE) / 2)
"""1.96: so many standard errors on each side."""


def measure_share(hits: float, trials: float) -> Measure:
    """A share, with Wilson's interval: it stays within 0 and 1, also for few trials and at its ends.

    Source:  Wilson, Probable inference, the law of succession, and statistical inference, 1927; without correction.
    """
    if not trials:
        return Measure(None)
    share = hits / trials
    scale = 1 + Z * Z / trials
    middle = (share + Z * Z / (2 * trials)) / scale
    reach = Z / scale * math.sqrt(share * (1 - share) / trials + (Z / (2 * trials)) ** 2)
    return Measure(share, max(0.0, middle - reach), min(1.0, middle + reach))


def measure_mean(total: float, squares: float, count: float) -> Measure:
    """A mean with the normal interval: 1.96 standard errors, by the variance of the sample.

    Needs:   the sum of the values and that of their squares.
    """
    if not count:
        return Measure(None)
    mean = total / count
    if count < 2 or not math.isfinite(mean):
        return Measure(mean)
    return add_normal_interval(mean, mean_error(total, squares, count))


def mean_error(total: float, squares: float, count: float) -> float:
    """The standard error of a mean, by the variance of the sample.

    Needs:   two values or more.
    """
    variance = max(0.0, squares - total * total / count) / (count - 1)
    return math.sqrt(variance / count)


def add_normal_interval(value: float, error: float, *, least: float = -math.inf, greatest: float = math.inf) -> Measure:
    """A value with 1.96 standard errors on each side, cut to the values that there are."""
    return Measure(value, max(least, value - Z * error), min(greatest, value + Z * error))


def measure_logit_share(share: float, trials: float) -> Measure:
    """A value between 0 and 1 that is no plain share, such as an average precision, with an interval on the logit's
    scale; no interval at 0 and 1.

    Source:  Boyd, Eng and Page, Area under the precision-recall curve: point estimates and confidence intervals, 2013.
    """
    if not trials or not 0 < share < 1:
        return Measure(share if trials else None)
    middle, reach = math.log(share / (1 - share)), Z / math.sqrt(trials * share * (1 - share))
    low, high = (1 / (1 + math.exp(-side)) for side in (middle - reach, middle + reach))
    return Measure(share, low, high)
