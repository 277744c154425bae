"""What each feature adds to a prediction: the result of every explainer, and what holds of it. Runs on executors."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
TOLERANCE = 1e-6
"""How far base value and contributions together may be from the raw score, in shares of it where that is above 1."""


@dataclass(frozen=True, slots=True)
class Contributions:
    """Of n rows: `base_value` + the sum of a row's `values` = its `raw_score`."""

    values: Floats
    """(n, features)."""
    base_value: Floats
    """(n,): the raw score of the average row, as far as the model knows it."""
    raw_score: Floats
    """(n,): what the model computes before it makes a probability or a class of it."""

    def find_gap(self) -> float:
        """The greatest distance between both sides, in units of `TOLERANCE`; 0 for no rows."""
        if not len(self.raw_score):
            return 0.0
        gap = np.abs(self.base_value + self.values.sum(axis=1) - self.raw_score)
        scale = np.maximum(1.0, np.abs(self.raw_score))
        return float(np.nanmax(np.where(np.isfinite(gap), gap / scale, 0.0)) / TOLERANCE)

    def sum_groups(self, indicator: Floats) -> "Contributions":
        """The same with columns added up: `indicator` (columns, features) is 1 where a column belongs to a feature."""
        return Contributions(self.values @ indicator, self.base_value, self.raw_score)


Explain = Callable[[Any], Contributions]
"""What a model is given -> the contributions of its columns."""


def choose_class(values: Floats, base_values: Floats, raw_scores: Floats) -> Contributions:
    """Of several classes those of the one with the greatest raw score, row by row; of two the second one.

    Shapes:  values (n, classes, features), base values (classes,) or (n, classes), raw scores (n, classes).
    """
    rows = np.arange(len(raw_scores))
    chosen = np.ones(len(rows), int) if raw_scores.shape[1] == 2 else np.argmax(raw_scores, axis=1)
    bases = np.broadcast_to(base_values, raw_scores.shape)
    return Contributions(values[rows, chosen], bases[rows, chosen], raw_scores[rows, chosen])


def to_indicator(features: Sequence[int], count: int) -> Floats:
    """Which column belongs to which of so many features: (columns, count), 0 or 1."""
    indicator = np.zeros((len(features), count))
    indicator[np.arange(len(features)), list(features)] = 1.0
    return indicator
