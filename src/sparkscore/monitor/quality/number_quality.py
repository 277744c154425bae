"""Predicted numbers: how far they were from the truth. Sums in, numbers out."""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sparkscore.monitor.quality.intervals import Z, mean_error, measure_mean
from sparkscore.records import Measure, Quality

NO_VARIANCE = "all truths are equal: R² is not defined"
ZERO_TRUTHS = "truths of 0 are left out of MAPE"


@dataclass(frozen=True, slots=True)
class ErrorSums:
    """Of all rows with a truth and a prediction, both finite. Errors are prediction minus truth."""

    count: float
    absolute: float
    squared: float
    fourth: float
    """Sum of the fourth powers: how certain the mean squared error is."""
    relative: float
    """Sum of |error| / |truth| where the truth is not 0."""
    relative_squared: float
    relative_count: float
    truth_squares: float
    """Sum of the squared differences of the truths from their mean."""


def sum_errors(predictions: npt.NDArray[np.float64], truths: npt.NDArray[np.float64]) -> ErrorSums:
    """The sums of some rows in memory.

    Shapes:  (n,), (n,), all finite.
    """
    errors, is_relative = predictions - truths, truths != 0
    relative = np.abs(errors[is_relative] / truths[is_relative])
    return ErrorSums(
        count=float(len(errors)),
        absolute=float(np.abs(errors).sum()),
        squared=float((errors**2).sum()),
        fourth=float((errors**4).sum()),
        relative=float(relative.sum()),
        relative_squared=float((relative**2).sum()),
        relative_count=float(is_relative.sum()),
        truth_squares=float(((truths - truths.mean()) ** 2).sum()) if len(truths) else 0.0,
    )


def measure_errors(sums: ErrorSums) -> Quality:
    """MAE, RMSE, MAPE as a share, and R²; with the normal intervals of their means."""
    notes = []
    if sums.count and not sums.truth_squares:
        notes.append(NO_VARIANCE)
    if sums.relative_count < sums.count:
        notes.append(ZERO_TRUTHS)
    measures = {
        "mae": measure_mean(sums.absolute, sums.squared, sums.count),
        "rmse": _measure_rmse(sums),
        "mape": measure_mean(sums.relative, sums.relative_squared, sums.relative_count),
        "r2": Measure(1 - sums.squared / sums.truth_squares if sums.truth_squares else None),
    }
    return Quality(int(sums.count), measures, tuple(notes))


def _measure_rmse(sums: ErrorSums) -> Measure:
    """The root of the mean squared error, and the roots of the ends of its normal interval."""
    if not sums.count:
        return Measure(None)
    mean = sums.squared / sums.count
    if sums.count < 2:
        return Measure(math.sqrt(mean))
    reach = Z * mean_error(sums.squared, sums.fourth, sums.count)
    return Measure(math.sqrt(mean), math.sqrt(max(0.0, mean - reach)), math.sqrt(mean + reach))
