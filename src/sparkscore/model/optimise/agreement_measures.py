"""How far two models' predictions for the same rows are apart. Pure: arrays in, numbers out."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from sparkscore.model.optimise.output_selection import to_prediction_array
from sparkscore.model.signature.numpy_inputs import NumpyArray
from sparkscore.records import Agreement

_HALF = 0.5


@dataclass(frozen=True, slots=True)
class LabelRule:
    """What is a label of predictions."""

    threshold: float | None = None
    """`output.threshold`; None: a half, for probabilities."""


def measure_agreement(
    parent: pa.Array, candidate: pa.Array, *, rule: LabelRule, truth: pa.Array | None = None
) -> Agreement:
    """The differences of numbers, the rows with other labels, and the candidate's ROC AUC.

    Needs:   `truth`, which rows are positive, NULL where it is not known; predictions of one shape. Missing
             predictions on both sides are equal, on one side infinitely different.
    """
    first, second = to_prediction_array(parent), to_prediction_array(candidate)
    flips = np.count_nonzero(_labels(first, rule) != _labels(second, rule))
    differences = _differences(first, second) if first.dtype.kind in "fiub" else None
    return Agreement(
        max_difference=None if differences is None else float(differences.max(initial=0.0)),
        mean_difference=None if differences is None else float(differences.mean()) if differences.size else 0.0,
        flips=int(flips),
        flip_ratio=float(flips / len(first)) if len(first) else 0.0,
        auc=None if truth is None else measure_auc(candidate, truth),
    )


def measure_auc(predictions: pa.Array, truth: pa.Array) -> float | None:
    """The area under the ROC curve of a probability, or of the last of a list of them; None without both classes."""
    scores = to_prediction_array(predictions)
    known = truth.is_valid().to_numpy(zero_copy_only=False)
    if scores.dtype.kind not in "fiu":
        return None
    ranked = (scores if scores.ndim == 1 else scores[:, -1]).astype(np.float64)[known]
    return area_under_curve(ranked, truth.drop_null().to_numpy(zero_copy_only=False).astype(bool))


def area_under_curve(scores: NumpyArray, positive: NumpyArray) -> float | None:
    """The share of pairs of a positive and another row in which the positive one scores higher; ties count half."""
    positives, others = int(positive.sum()), int((~positive).sum())
    if not positives or not others or np.isnan(scores).any():
        return None
    _, places, counts = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[places]
    return float((ranks[positive].sum() - positives * (positives + 1) / 2) / (positives * others))


def _labels(predictions: NumpyArray, rule: LabelRule) -> NumpyArray:
    """The class of a list of several; the side of the threshold of a probability; else what is predicted."""
    if predictions.ndim == 2 and predictions.shape[1] > 2:
        return np.asarray(np.argmax(np.nan_to_num(predictions, nan=-np.inf), axis=1))
    if predictions.dtype.kind != "f":
        return predictions if predictions.ndim == 1 else predictions[:, -1]
    values = predictions if predictions.ndim == 1 else predictions[:, -1]
    is_probability = bool(len(values)) and bool(np.all((values >= 0) & (values <= 1) | np.isnan(values)))
    if rule.threshold is None and not is_probability:
        return np.isnan(values)
    return np.where(np.isnan(values), -1, values >= (_HALF if rule.threshold is None else rule.threshold))


def _differences(first: NumpyArray, second: NumpyArray) -> NumpyArray:
    a, b = first.astype(np.float64), second.astype(np.float64)
    with np.errstate(invalid="ignore"):
        apart = np.where((a == b) | (np.isnan(a) & np.isnan(b)), 0.0, np.abs(a - b))
    return np.where(np.isnan(apart), np.inf, apart)
