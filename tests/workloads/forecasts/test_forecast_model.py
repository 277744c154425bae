"""A saved model of series forecasts what statsmodels does, and says of what it cannot forecast why."""

from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from sparkscore import ConfigError, save_forecaster
from sparkscore.workloads.forecasts.forecast_model import ForecastModel, load_forecast_model

pytest.importorskip("statsmodels", reason="the extra forecasts is not installed")
from statsmodels.tsa.exponential_smoothing.ets import ETSModel

DAYS = np.arange(140)
SOURCE = np.random.default_rng(5)
A = 100 + 20 * np.sin(DAYS * 2 * np.pi / 7) + SOURCE.normal(size=140)
B = 50 + 0.2 * DAYS + SOURCE.normal(size=140)
FORM: dict[str, Any] = {"horizon": 14, "season": 7}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> ForecastModel:
    folder = tmp_path_factory.mktemp("series")
    save_forecaster(folder / "model", {"a": A, "b": B}, **FORM)
    return load_forecast_model(str(folder / "model" / "data" / "forecaster"))


def batch(**histories: Any) -> pa.RecordBatch:
    values = pa.array([None if one is None else list(one) for one in histories.values()], pa.list_(pa.float64()))
    return pa.record_batch([pa.array(list(histories), pa.string()), values], ["series", "history"])


def test_steps_are_those_of_statsmodels_with_the_fitted_parameters(model: ForecastModel) -> None:
    answer = model.predict_batch(batch(a=A, b=B))
    assert (answer.rejects, dict(answer.counts)) == ({}, {"forecast_series": 2, "series_without_own_params": 0})
    for place, history in enumerate((A, B)):
        fitted = ETSModel(
            pd.Series(history),
            trend="add",
            damped_trend=True,
            seasonal="add",
            seasonal_periods=7,
            initialization_method="heuristic",
        ).fit(disp=False)
        expected = fitted.get_prediction(start=140, end=153).summary_frame(alpha=0.2)
        steps = pd.DataFrame(answer.predictions.to_pylist()[place])
        assert steps["step"].tolist() == list(range(1, 15))
        for ours, theirs in (("forecast", "mean"), ("lower", "pi_lower"), ("upper", "pi_upper")):
            np.testing.assert_allclose(steps[ours], expected[theirs], rtol=1e-9)


def test_the_intervals_hold_about_as_much_of_what_comes_as_they_say(model: ForecastModel) -> None:
    ahead = np.arange(140, 154)
    comes = 100 + 20 * np.sin(ahead * 2 * np.pi / 7) + np.random.default_rng(9).normal(size=14)
    steps = pd.DataFrame(model.predict_batch(batch(a=A)).predictions.to_pylist()[0])
    held = ((steps["lower"] <= comes) & (comes <= steps["upper"])).mean()
    assert held >= 0.6
    assert np.abs(steps["forecast"] - comes).mean() < 2


def test_a_series_of_its_own_and_one_that_is_new_are_forecast_from_the_history_of_the_row(model: ForecastModel) -> None:
    answer = model.predict_batch(batch(a=A + 1000, new=A))
    first, second = (np.array([step["forecast"] for step in row]) for row in answer.predictions.to_pylist())
    assert (first > 1000).all()
    assert answer.counts["series_without_own_params"] == 1
    assert np.abs(second - (first - 1000)).max() < 20


def test_series_without_a_usable_history_are_rejects_with_their_reason(model: ForecastModel) -> None:
    broken = [*A[:-1], float("inf")]
    answer = model.predict_batch(batch(a=None, b=[], c=A[:13], d=broken, e=[*A[:-1], None], f=A * 1e305, g=A))
    found = {place: reject.code for place, reject in answer.rejects.items()}
    assert found == {
        0: "no_history",
        1: "no_history",
        2: "short_history",
        3: "history_not_finite",
        4: "history_not_finite",
        5: "no_forecast",
    }
    assert [len(row) for row in answer.predictions.to_pylist()] == [0, 0, 0, 0, 0, 0, 14]


def test_without_shared_parameters_a_new_series_is_a_reject(tmp_path: Path) -> None:
    save_forecaster(tmp_path / "model", {"a": A}, shared=False, **FORM)
    model = load_forecast_model(str(tmp_path / "model" / "data" / "forecaster"))
    assert model.predict_batch(batch(b=A)).rejects[0].code == "unknown_series"


def test_mlflows_own_function_gives_the_same(tmp_path: Path, model: ForecastModel) -> None:
    save_forecaster(tmp_path / "model", {"a": A, "b": B}, **FORM)
    frame = pd.DataFrame({"series": ["a"], "history": [A]})
    theirs = mlflow.pyfunc.load_model(str(tmp_path / "model")).predict(frame)
    assert theirs.predictions.to_pylist() == model.predict_batch(batch(a=A)).predictions.to_pylist()


@pytest.mark.parametrize(
    ("histories", "options", "text"),
    [
        ({}, FORM, "no histories"),
        ({"a": A}, {"horizon": 0}, "horizon 0"),
        ({"a": A}, {"horizon": 1, "season": 1}, "season 1"),
        ({"a": A}, {"horizon": 1, "level": 1.0}, "level 1.0"),
        ({"a": A[:13]}, FORM, "13 values"),
        ({"*": A}, FORM, "series '\\*'"),
    ],
)
def test_histories_and_options_that_do_not_fit_are_refused(
    tmp_path: Path, histories: dict[str, Any], options: dict[str, Any], text: str
) -> None:
    with pytest.raises(ConfigError, match=text):
        save_forecaster(tmp_path / "model", histories, **options)
