"""Which of two models is better over the same rows with a known truth, and how sure that is."""

import math
from collections.abc import Sequence
from dataclasses import replace
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

from sparkscore.errors import ConfigError
from sparkscore.monitor.quality.binary_quality import SMALLEST_PROBABILITY
from sparkscore.monitor.quality.intervals import Z
from sparkscore.monitor.quality.paired_quality import (
    PairedDifference,
    compare_areas,
    compare_means,
    compare_shares,
)
from sparkscore.records import METRICS_BY_NAME, ModelGain

Floats = npt.NDArray[np.float64]
BINARY_GAINS = ("roc_auc", "log_loss", "brier", "accuracy")
NUMBER_GAINS = ("mae", "rmse")
CLASS_GAINS = ("accuracy",)
_PAIRED_METRICS = tuple(dict.fromkeys((*BINARY_GAINS, *NUMBER_GAINS)))


def check_gain_metric(metric: str) -> None:
    """Refuse a metric whose difference between two models has no interval here.

    Raises:  ConfigError.
    """
    if metric not in _PAIRED_METRICS:
        raise ConfigError(f"promotion.metric {metric}", f"one of {', '.join(_PAIRED_METRICS)}", "name one of them")


def measure_gains(
    metrics: Sequence[str],
    truths: npt.NDArray[np.generic],
    predictions: tuple[npt.NDArray[np.generic], npt.NDArray[np.generic]],
    *,
    threshold: float | None,
    confidence: float = 0.95,
) -> tuple[ModelGain, ...]:
    """The gain of each metric, positive where the challenger is better.

    Needs:   the predictions of the champion and of the challenger, without NULL and NaN; of probabilities the truth as
             booleans, of numbers as numbers, of classes as texts.
    """
    made = [(metric, _compare_metric(metric, truths, *predictions, threshold=threshold)) for metric in metrics]
    return tuple(_to_gain(metric, found, confidence) for metric, found in made)


def _compare_metric(
    metric: str,
    truths: npt.NDArray[np.generic],
    first: npt.NDArray[np.generic],
    second: npt.NDArray[np.generic],
    *,
    threshold: float | None,
) -> PairedDifference:
    if metric == "roc_auc":
        return compare_areas(first.astype(np.float64), second.astype(np.float64), truths.astype(np.bool_))
    if metric == "accuracy":
        return compare_shares(*(_is_right(truths, side, threshold) for side in (first, second)))
    sides = [side.astype(np.float64) for side in (first, second)]
    losses = [_row_losses(metric, truths.astype(np.float64), side) for side in sides]
    found = compare_means(losses[0], losses[1])
    return _to_roots(found) if metric == "rmse" else found


def _is_right(
    truths: npt.NDArray[np.generic], predicted: npt.NDArray[np.generic], threshold: float | None
) -> npt.NDArray[np.bool_]:
    if threshold is None:
        return np.asarray(predicted.astype(str) == truths.astype(str))
    return np.asarray((predicted.astype(np.float64) >= threshold) == truths.astype(np.bool_))


def _row_losses(metric: str, truths: Floats, predicted: Floats) -> Floats:
    if metric == "log_loss":
        sure = np.clip(predicted, SMALLEST_PROBABILITY, 1 - SMALLEST_PROBABILITY)
        return np.asarray(-np.where(truths > 0, np.log(sure), np.log1p(-sure)))
    errors = predicted - truths
    return np.abs(errors) if metric == "mae" else errors**2


def _to_roots(found: PairedDifference) -> PairedDifference:
    """Of mean squared errors the roots; the interval by the delta method: the slope of the root at their mean."""
    if found.first is None or found.second is None or found.difference is None:
        return found
    roots = math.sqrt(found.first), math.sqrt(found.second)
    slope = 1 / (sum(roots) or 1.0)  # b² - a² = (b - a)(b + a)
    ends = [None if end is None else end * slope for end in (found.low, found.high)]
    return replace(found, first=roots[0], second=roots[1], difference=roots[1] - roots[0], low=ends[0], high=ends[1])


def _to_gain(metric: str, found: PairedDifference, confidence: float) -> ModelGain:
    sign = 1.0 if METRICS_BY_NAME[metric].is_better_high else -1.0
    gain = None if found.difference is None else sign * found.difference
    low = high = None
    if gain is not None and found.low is not None and found.high is not None:
        half = (found.high - found.low) / 2 * NormalDist().inv_cdf(0.5 + confidence / 2) / Z
        low, high = gain - half, gain + half
    return ModelGain(metric, found.first, found.second, gain, low, high, found.count, found.note)
