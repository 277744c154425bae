"""One series: exponential smoothing by statsmodels, its parameters as plain numbers. No pickles."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Series = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class SmoothingForm:
    """Which smoothing: additive errors, optionally a trend and seasons."""

    horizon: int
    """Steps ahead."""
    season: int | None
    """Steps of a season; None: there is none."""
    trend: bool
    damped: bool
    level: float
    """Of the interval: 0.8 holds eight of ten."""

    @property
    def least_length(self) -> int:
        """Values that a history must have."""
        return max(10, 2 * (self.season or 0))


@dataclass(frozen=True, slots=True)
class SeriesForecast:
    """Of each step ahead, from 1."""

    forecast: Series
    lower: Series
    upper: Series


def fit_smoothing(history: Series, form: SmoothingForm) -> Mapping[str, float]:
    """The parameters that fit a history best, by statsmodels' maximum likelihood. Runs on: driver."""
    fitted = _build_smoothing(history, form).fit(disp=False)
    return {name: float(value) for name, value in zip(fitted.param_names, fitted.params, strict=True)}


def forecast_series(history: Series, params: Mapping[str, float], form: SmoothingForm) -> SeriesForecast:
    """What comes after a history, with these parameters: nothing is fitted.

    The states at its beginning are statsmodels' heuristic ones, so the same history gives the same forecast, whatever
    history the parameters were fitted on.

    Runs on: executor.
    """
    model = _build_smoothing(history, form)
    smoothed = model.smooth([params[name] for name in model.param_names])
    predicted = smoothed.get_prediction(start=len(history), end=len(history) + form.horizon - 1)
    frame = predicted.summary_frame(alpha=1 - form.level)
    return SeriesForecast(*(frame[name].to_numpy(float) for name in ("mean", "pi_lower", "pi_upper")))


def _build_smoothing(history: Series, form: SmoothingForm) -> Any:
    import pandas as pd
    from statsmodels.tsa.exponential_smoothing.ets import ETSModel

    return ETSModel(
        pd.Series(history),
        error="add",
        trend="add" if form.trend else None,
        damped_trend=form.trend and form.damped,
        seasonal="add" if form.season else None,
        seasonal_periods=form.season,
        initialization_method="heuristic",
    )
