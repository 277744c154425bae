"""Two classes: how good the probabilities of the positive one were. Sums in, numbers out; sums of parts of the rows
are not merged, since a rank is one among all of them: `pipelines.evaluation` sums in one sorted pass."""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sparkscore.monitor.quality.intervals import (
    add_normal_interval,
    measure_logit_share,
    measure_mean,
    measure_share,
)
from sparkscore.records import CalibrationBin, Measure, Quality

Floats = npt.NDArray[np.float64]

CALIBRATION_BINS = 10
BIN_EDGES: tuple[float, ...] = tuple(float(edge) for edge in np.linspace(0, 1, CALIBRATION_BINS + 1))
"""Equal widths. A value on an edge belongs to the lower bin, as with scikit-learn."""
SMALLEST_PROBABILITY = float(np.finfo(np.float64).eps)
"""A probability is at least this, and at most one minus this, where its logarithm is taken, as with scikit-learn."""
NO_BOTH_CLASSES = "one class only: ROC AUC is not defined"
NO_POSITIVES = "no positive truth: PR AUC is not defined"
NO_PROBABILITIES = "scores below 0 or above 1: no log loss, Brier score and calibration"
NO_THRESHOLD = "no threshold: no accuracy, precision, recall and F1"


@dataclass(frozen=True, slots=True)
class BinSums:
    """Of the rows whose score lies in one bin."""

    count: float = 0.0
    scores: float = 0.0
    positives: float = 0.0


@dataclass(frozen=True, slots=True)
class BinarySums:
    """Of all rows with a truth and a score. Exact also for ties: rows of one score count as one step."""

    positives: float
    negatives: float
    above_positives: float
    """Sum over the positives of the negatives that score higher; ties count half."""
    above_positives_squared: float
    """The same, of the squares."""
    above_negatives: float
    """Sum over the negatives of the positives that score higher; ties count half. The pairs that are in order."""
    above_negatives_squared: float
    precisions: float
    """Sum over the positives of the precision where the threshold is their score."""
    log_losses: float
    log_losses_squared: float
    squared_errors: float
    squared_errors_squared: float
    outside: float
    """Rows whose score is no probability."""
    true_positives: float | None = None
    """Positives at the threshold or above; None without one."""
    false_positives: float | None = None
    bins: tuple[BinSums, ...] = ()


def sum_binary_scores(scores: Floats, truths: npt.NDArray[np.bool_], *, threshold: float | None = None) -> BinarySums:
    """The sums of some rows in memory.

    Shapes:  (n,) scores without NaN, (n,) truths.
    """
    values, places = np.unique(np.asarray(scores, dtype=np.float64), return_inverse=True)
    positive = np.bincount(places, truths, len(values)).astype(np.float64)
    negative = np.bincount(places, ~truths, len(values)).astype(np.float64)
    above_positive = _counts_above(negative) + negative / 2
    above_negative = _counts_above(positive) + positive / 2
    reached = _counts_above(positive) + positive
    losses = [-np.log(np.clip(side, SMALLEST_PROBABILITY, 1 - SMALLEST_PROBABILITY)) for side in (values, 1 - values)]
    inside = (values >= 0) & (values <= 1)
    is_on = np.zeros(len(values), dtype=bool) if threshold is None else values >= threshold
    return BinarySums(
        positives=float(positive.sum()),
        negatives=float(negative.sum()),
        above_positives=float((positive * above_positive).sum()),
        above_positives_squared=float((positive * above_positive**2).sum()),
        above_negatives=float((negative * above_negative).sum()),
        above_negatives_squared=float((negative * above_negative**2).sum()),
        precisions=float((positive * reached / (reached + _counts_above(negative) + negative)).sum()),
        log_losses=float((positive * losses[0] + negative * losses[1]).sum()),
        log_losses_squared=float((positive * losses[0] ** 2 + negative * losses[1] ** 2).sum()),
        squared_errors=float((positive * (1 - values) ** 2 + negative * values**2).sum()),
        squared_errors_squared=float((positive * (1 - values) ** 4 + negative * values**4).sum()),
        outside=float((positive + negative)[~inside].sum()),
        true_positives=None if threshold is None else float(positive[is_on].sum()),
        false_positives=None if threshold is None else float(negative[is_on].sum()),
        bins=_sum_bins(values, positive, negative),
    )


def _counts_above(counts: Floats) -> Floats:
    """How many lie above each of ascending values."""
    return np.asarray(counts[::-1].cumsum()[::-1] - counts, dtype=np.float64)


def _sum_bins(values: Floats, positive: Floats, negative: Floats) -> tuple[BinSums, ...]:
    places = np.searchsorted(np.array(BIN_EDGES[1:-1]), values, side="left")
    rows = positive + negative
    sums = [np.bincount(places, part, CALIBRATION_BINS) for part in (rows, rows * values, positive)]
    return tuple(BinSums(*map(float, one)) for one in zip(*sums, strict=True))


def measure_binary(sums: BinarySums) -> Quality:
    """All metrics of two classes, with what is not defined as None and a note."""
    rows, notes = sums.positives + sums.negatives, []
    if not (sums.positives and sums.negatives):
        notes.append(NO_BOTH_CLASSES)
    if not sums.positives:
        notes.append(NO_POSITIVES)
    if sums.outside:
        notes.append(NO_PROBABILITIES)
    if sums.true_positives is None:
        notes.append(NO_THRESHOLD)
    bins = () if sums.outside else _calibration_bins(sums.bins)
    measures = {"roc_auc": _measure_roc_auc(sums), "pr_auc": _measure_pr_auc(sums)}
    if not sums.outside:
        measures |= _probability_measures(sums, rows, bins)
    return Quality(int(rows), measures | _threshold_measures(sums, rows), tuple(notes) if rows else (), bins)


def _measure_roc_auc(sums: BinarySums) -> Measure:
    """The share of pairs in order, with DeLong's interval, cut to 0 and 1.

    Source:  DeLong, DeLong and Clarke-Pearson, Comparing the areas under two or more correlated receiver operating
             characteristic curves, 1988.
    """
    positives, negatives = sums.positives, sums.negatives
    if not (positives and negatives):
        return Measure(None)
    area = sums.above_negatives / (positives * negatives)
    if min(positives, negatives) < 2:
        return Measure(area)
    variance = _placement_variance(sums.above_positives, sums.above_positives_squared, positives, negatives)
    variance += _placement_variance(sums.above_negatives, sums.above_negatives_squared, negatives, positives)
    return add_normal_interval(area, math.sqrt(variance), least=0.0, greatest=1.0)


def _placement_variance(total: float, squares: float, count: float, others: float) -> float:
    """Of the mean of placements: where each of `count` rows stands among the others, 0 to 1."""
    return max(0.0, squares - total * total / count) / (count - 1) / count / others**2


def _measure_pr_auc(sums: BinarySums) -> Measure:
    """The average precision: the precision at each positive's score, on average; no interpolation."""
    if not sums.positives:
        return Measure(None)
    return measure_logit_share(sums.precisions / sums.positives, sums.positives)


def _probability_measures(sums: BinarySums, rows: float, bins: tuple[CalibrationBin, ...]) -> dict[str, Measure]:
    gaps = math.fsum(one.count * abs(one.positive_share - one.mean_prediction) for one in bins)
    return {
        "log_loss": measure_mean(sums.log_losses, sums.log_losses_squared, rows),
        "brier": measure_mean(sums.squared_errors, sums.squared_errors_squared, rows),
        "ece": Measure(gaps / rows if rows else None),
    }


def _threshold_measures(sums: BinarySums, rows: float) -> dict[str, Measure]:
    hits, false = sums.true_positives, sums.false_positives
    if hits is None or false is None:
        return {}
    return {
        "accuracy": measure_share(hits + sums.negatives - false, rows),
        "precision": measure_share(hits, hits + false),
        "recall": measure_share(hits, sums.positives),
        "f1": measure_f1(hits, false, sums.positives - hits),
    }


def measure_f1(true_positives: float, false_positives: float, false_negatives: float) -> Measure:
    """F1 = 2 J / (1 + J) for the share J of true positives among all rows that are predicted or truly positive; so
    are the ends of Wilson's interval of J."""
    share = measure_share(true_positives, true_positives + false_positives + false_negatives)
    value, low, high = (None if one is None else 2 * one / (1 + one) for one in (share.value, share.low, share.high))
    return Measure(value, low, high)


def _calibration_bins(bins: tuple[BinSums, ...]) -> tuple[CalibrationBin, ...]:
    return tuple(
        CalibrationBin(
            BIN_EDGES[i], BIN_EDGES[i + 1], int(one.count), one.scores / one.count, one.positives / one.count
        )
        for i, one in enumerate(bins)
        if one.count
    )
