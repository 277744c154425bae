"""Fits smoothing to series, and saves the parameters as a model. Runs on the driver."""

import json
import tempfile
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from sparkscore.errors import ConfigError
from sparkscore.workloads.forecasts.forecast_model import ALL_SERIES, FORECAST_FILE
from sparkscore.workloads.forecasts.series_smoothing import SmoothingForm, fit_smoothing

_LOADER = "sparkscore.workloads.forecasts.forecast_model"


def save_forecaster(path: str | Path, histories: Mapping[str, ArrayLike], **options: Any) -> None:
    """Save a model of series as an MLflow model in a new folder. Options: those of `log_forecaster`.

    Raises:  ConfigError.
    """
    import mlflow

    with _write_series_data(histories, **options) as arguments:
        mlflow.pyfunc.save_model(str(path), **arguments)


def log_forecaster(
    name: str,
    histories: Mapping[str, ArrayLike],
    *,
    registered_model_name: str | None = None,
    **options: Any,
) -> Any:
    """Log a model of series as an MLflow model: name and history of a series -> `array<struct<step, forecast, lower,
    upper>>`, exponential smoothing with additive errors.

    `histories`: the values of each series on which its parameters are fitted, by its name, the oldest first. Later jobs
    forecast from the history of the row, with these parameters. Options:
    `horizon`: steps ahead. `season`: steps of a season. `trend` (True), `damped` (True). `level`: of intervals (0.8).
    `shared`: other series are forecast with the median of all parameters (True), else they are rejects.
    `series`, `history`: names of the job's inputs.

    Returns: MLflow's ModelInfo.
    Jobs:    none; a fit takes some tenths of a second per series.
    Raises:  ConfigError for histories or options that do not fit.
    """
    import mlflow

    with _write_series_data(histories, **options) as arguments:
        return mlflow.pyfunc.log_model(name=name, registered_model_name=registered_model_name, **arguments)


@contextmanager
def _write_series_data(  # noqa: PLR0913 - what the public functions take
    histories: Mapping[str, ArrayLike],
    *,
    horizon: int,
    season: int | None = None,
    trend: bool = True,
    damped: bool = True,
    level: float = 0.8,
    shared: bool = True,
    series: str = "series",
    history: str = "history",
) -> Iterator[dict[str, Any]]:
    """The arguments of `mlflow.pyfunc.save_model`, as long as the block lasts."""
    form = SmoothingForm(horizon, season, trend, damped, level)
    _check_form(form)
    params = {name: _fit_series(name, values, form) for name, values in histories.items()}
    if not params:
        raise ConfigError("no histories", "one series at least", "give the values of each series by its name")
    if shared:
        params[ALL_SERIES] = {
            name: float(np.median([one[name] for one in params.values()])) for name in next(iter(params.values()))
        }
    saved = {"form": asdict(form), "params": params, "series": series, "history": history}
    with tempfile.TemporaryDirectory(prefix="sparkscore-forecasts-") as folder:
        data = Path(folder, "forecaster")
        data.mkdir()
        (data / FORECAST_FILE).write_text(json.dumps(saved, indent=2), encoding="utf-8")
        yield {
            "loader_module": _LOADER,
            "data_path": str(data),
            "signature": _make_series_signature(series, history),
            "pip_requirements": ["sparkscore", "statsmodels"],
        }


def _check_form(form: SmoothingForm) -> None:
    if form.horizon < 1 or not 0 < form.level < 1 or (form.season is not None and form.season < 2):
        raise ConfigError(
            f"horizon {form.horizon}, season {form.season}, level {form.level}",
            "horizon >= 1, season >= 2 or None, 0 < level < 1",
            "change what is outside",
        )


def _fit_series(name: str, values: ArrayLike, form: SmoothingForm) -> Mapping[str, float]:
    numbers = np.asarray(values, float)
    if name == ALL_SERIES or numbers.ndim != 1 or len(numbers) < form.least_length or not np.isfinite(numbers).all():
        raise ConfigError(
            f"series {name!r:.80} with {numbers.size:,} values",
            f"at least {form.least_length} finite numbers, and a name other than {ALL_SERIES}",
            "leave it out: series without parameters of their own are forecast with those of all",
        )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return fit_smoothing(numbers, form)


def _make_series_signature(series: str, history: str) -> Any:
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, Schema
    from mlflow.types.schema import Array, Object, Property

    numbers = [Property(name, "double") for name in ("forecast", "lower", "upper")]
    step = Object([Property("step", "long"), *numbers])
    inputs = [ColSpec("string", series), ColSpec(Array("double"), history, required=False)]
    return ModelSignature(Schema([*inputs]), Schema([ColSpec(Array(step))]))
