"""The model of series that MLflow's pyfunc loads: a row per series, with its history -> steps ahead. On executors."""

import json
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from sparkscore.records.scored_rows import RowReject, ScoredRows
from sparkscore.workloads.forecasts.series_smoothing import Series, SeriesForecast, SmoothingForm, forecast_series

NO_HISTORY = RowReject("no_history", "the series has no history")
SHORT_HISTORY = RowReject("short_history", "the history has fewer values than two seasons, or than ten")
NOT_FINITE = RowReject("history_not_finite", "the history holds NULL, NaN or an infinity")
UNKNOWN_SERIES = RowReject("unknown_series", "the model has no parameters for this series, and none for all")
NO_FORECAST = RowReject("no_forecast", "the forecast of this history is no finite number")
FORECAST_FILE = "forecasts.json"
ALL_SERIES = "*"
"""Names the parameters of every series that has none of its own."""


def load_forecast_model(data_path: str) -> "ForecastModel":
    """A saved model."""
    import statsmodels.tsa.exponential_smoothing.ets  # noqa: F401 - with the model, not with its first batch

    saved = json.loads(Path(data_path, FORECAST_FILE).read_text(encoding="utf-8"))
    return ForecastModel(SmoothingForm(**saved["form"]), saved["params"], saved["series"], saved["history"])


_load_pyfunc = load_forecast_model  # the name that MLflow calls


@dataclass(frozen=True, slots=True)
class ForecastModel:
    """The parameters of all series that it knows."""

    form: SmoothingForm
    params: Mapping[str, Mapping[str, float]]
    series: str
    """The input with the name of the series."""
    history: str
    """The input with its values, the oldest first."""

    def predict(self, model_input: Any, params: Mapping[str, Any] | None = None) -> ScoredRows:
        """As `predict_batch`, for a frame: MLflow's own function calls it."""
        return self.predict_batch(pa.RecordBatch.from_pandas(model_input, preserve_index=False), params)

    def predict_batch(self, batch: pa.RecordBatch, params: Mapping[str, Any] | None = None) -> ScoredRows:
        """The steps ahead of each series: `array<struct<step, forecast, lower, upper>>`, step 1 first.

        Counts:  forecast_series; series_without_own_params, which were forecast with those of all series.
        """
        names = batch.column(self.series).to_pylist()
        forecasts: list[SeriesForecast | None] = [None] * len(names)
        rejects, shared = dict[int, RowReject](), 0
        for place, (name, history) in enumerate(zip(names, batch.column(self.history), strict=True)):
            known = self.params.get(name, self.params.get(ALL_SERIES))
            values = _read_history(history)
            reject = self._find_reject(values, known)
            if reject is None and values is not None and known is not None:
                forecasts[place] = self._forecast_values(values, known)
                shared += name not in self.params
                reject = NO_FORECAST if forecasts[place] is None else None
            if reject is not None:
                rejects[place] = reject
        counts = {"forecast_series": len(names) - len(rejects), "series_without_own_params": shared}
        return ScoredRows(self._build_lists(forecasts), rejects, counts)

    def _find_reject(self, values: Series | None, known: Mapping[str, float] | None) -> RowReject | None:
        if values is None or not len(values):
            return NO_HISTORY
        if len(values) < self.form.least_length:
            return SHORT_HISTORY
        if not np.isfinite(values).all():
            return NOT_FINITE
        return UNKNOWN_SERIES if known is None else None

    def _forecast_values(self, values: Series, known: Mapping[str, float]) -> SeriesForecast | None:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            found = forecast_series(values, known, self.form)
        is_finite = all(np.isfinite(one).all() for one in (found.forecast, found.lower, found.upper))
        return found if is_finite else None

    def _build_lists(self, forecasts: list[SeriesForecast | None]) -> pa.ListArray:
        there = [one for one in forecasts if one is not None]
        columns = {
            name: pa.array(np.concatenate([getattr(one, name) for one in there]) if there else np.zeros(0))
            for name in ("forecast", "lower", "upper")
        }
        steps = np.tile(np.arange(1, self.form.horizon + 1, dtype=np.int64), len(there))
        columns["step"] = pa.array(steps)
        names = sorted(columns)  # as MLflow sorts the fields of a signature
        pairs = pa.StructArray.from_arrays([columns[name] for name in names], names=names)
        sizes = [0 if one is None else self.form.horizon for one in forecasts]
        return pa.ListArray.from_arrays(pa.array(np.concatenate([[0], np.cumsum(sizes)]).astype(np.int32)), pairs)


def _read_history(history: pa.Scalar) -> Series | None:
    if not history.is_valid:
        return None
    values: Series = history.values.cast(pa.float64()).fill_null(float("nan")).to_numpy(zero_copy_only=False)
    return values
