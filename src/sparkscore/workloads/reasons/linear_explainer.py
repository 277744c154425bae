"""Contributions to linear models: coefficient x (value - mean), exact. Runs on executors."""

from typing import Any

import numpy as np

from sparkscore.workloads.reasons.contributions import Contributions, Explain, Floats, choose_class

_MODULES = ("sklearn.linear_model.", "sklearn.discriminant_analysis")
_CLASSES = ("LinearSVC", "LinearSVR")


def is_linear_model(model: Any) -> bool:
    """Whether its raw score is the sum of coefficient x value, and an intercept."""
    kind = type(model)
    is_known = kind.__module__.startswith(_MODULES) or kind.__name__ in _CLASSES
    return is_known and hasattr(model, "coef_") and hasattr(model, "intercept_")


def build_linear_explainer(model: Any, indicator: Floats, background: Any) -> Explain:
    """Contributions of features to a linear model; `background`: the values that its columns have on average.

    Needs:   `indicator` (columns, features): which column belongs to which feature. Without a background the average
             row is the one whose columns are all 0, as they are behind a StandardScaler.
    Shapes:  the explainer takes (n, columns), dense or sparse; it returns features.
    """
    coefficients = np.atleast_2d(np.asarray(model.coef_, dtype=np.float64))
    intercepts = np.broadcast_to(np.asarray(model.intercept_, dtype=np.float64).ravel(), (len(coefficients),))
    columns = coefficients.shape[1]
    means = np.zeros(columns) if background is None else np.asarray(background.mean(axis=0), np.float64).ravel()
    bases = intercepts + coefficients @ means
    weights = [one[:, None] * indicator for one in coefficients]  # (columns, features), of each class
    centres = [means @ one for one in weights]

    def explain(matrix: Any) -> Contributions:
        values = np.stack([matrix @ one - centre for one, centre in zip(weights, centres, strict=True)], axis=1)
        raw = np.asarray(matrix @ coefficients.T + intercepts)
        if len(weights) == 1:
            return Contributions(values[:, 0], np.full(len(raw), bases[0]), raw[:, 0])
        return choose_class(values, bases, raw)

    return explain
