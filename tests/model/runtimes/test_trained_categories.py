"""Models that were trained on categories of pandas predict of texts what they predict of the training frame."""

from collections.abc import Callable
from functools import partial
from typing import Any

import mlflow
import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pytest
from mlflow.models import infer_signature

from sparkscore.errors import ModelError, RowsNotPredicted
from sparkscore.model.runtimes.trained_categories import find_trained_categories
from sparkscore.records import ModelInput
from tests.model.shelf import Placed, Shelf

lightgbm = pytest.importorskip("lightgbm")
xgboost = pytest.importorskip("xgboost")
catboost = pytest.importorskip("catboost")
pytestmark = pytest.mark.usefixtures("own_environment")


def training_frame(rows: int = 200) -> pd.DataFrame:
    """Categories of text and of numbers, in an order of their own, beside a number."""
    random = np.random.default_rng(7)
    carriers, stops = random.choice(["AA", "UA", "B6"], rows), random.choice([10, 20, 30], rows)
    return pd.DataFrame(
        {
            "carrier": pd.Categorical(carriers, categories=["UA", "B6", "AA"]),
            "delay": random.normal(size=rows),
            "stop": pd.Categorical(stops, categories=[30, 10, 20]),
        }
    )


FRAME = training_frame()
LATE = (
    FRAME["carrier"].astype(str).map({"AA": 1.0, "UA": -1.0, "B6": 3.0})
    + FRAME["stop"].astype(int) / 10
    + FRAME["delay"]
)
ROWS = [pa.array(FRAME["carrier"].astype(str)), pa.array(FRAME["delay"]), pa.array(FRAME["stop"].astype("int64"))]
"""What a table holds of the frame: texts and numbers."""
SIGNED = infer_signature(FRAME, LATE.to_numpy())


def native(frame: pd.DataFrame) -> Any:
    """LightGBM's own model."""
    return lightgbm.train({"verbose": -1, "num_threads": 1}, lightgbm.Dataset(frame, LATE), 10)


def booster(frame: pd.DataFrame) -> Any:
    """XGBoost's own model."""
    return xgboost.train({"nthread": 1}, xgboost.DMatrix(frame, LATE, enable_categorical=True), 10)


def lightgbm_regressor() -> Any:
    return lightgbm.LGBMRegressor(n_estimators=10, verbose=-1, n_jobs=1).fit(FRAME, LATE)


def xgboost_regressor() -> Any:
    return xgboost.XGBRegressor(n_estimators=10, enable_categorical=True, n_jobs=1).fit(FRAME, LATE)


def catboost_regressor() -> Any:
    model = catboost.CatBoostRegressor(
        iterations=10, verbose=0, thread_count=1, cat_features=["carrier", "stop"], allow_writing_files=False
    )
    return model.fit(FRAME, LATE)


MODELS: dict[str, tuple[Callable[[], Any], Callable[..., Any], Callable[[Any, pd.DataFrame], npt.NDArray[Any]]]] = {
    "lightgbm": (lambda: native(FRAME), mlflow.lightgbm.log_model, lambda model, frame: model.predict(frame)),
    "lightgbm-sklearn": (lightgbm_regressor, mlflow.sklearn.log_model, lambda model, frame: model.predict(frame)),
    "xgboost": (
        lambda: booster(FRAME),
        mlflow.xgboost.log_model,
        lambda model, frame: model.predict(xgboost.DMatrix(frame, enable_categorical=True)),
    ),
    "xgboost-sklearn": (xgboost_regressor, mlflow.xgboost.log_model, lambda model, frame: model.predict(frame)),
    "catboost": (catboost_regressor, mlflow.catboost.log_model, lambda model, frame: model.predict(frame)),
}


@pytest.fixture(scope="module")
def models(shelf: Shelf) -> dict[str, tuple[Any, Placed]]:
    """Each model, and as an executor has it."""
    made = {}
    for name, (make, log, _) in MODELS.items():
        model = make()
        more = {"serialization_format": "cloudpickle"} if log is mlflow.sklearn.log_model else {}
        made[name] = (model, shelf.placed(shelf.logged(f"cats-{name}", partial(log, model), SIGNED, **more)))
    return made


@pytest.mark.parametrize("name", MODELS)
def test_a_model_predicts_of_texts_what_it_predicts_of_the_training_frame(
    models: dict[str, tuple[Any, Placed]], name: str
) -> None:
    model, placed = models[name]
    expected = MODELS[name][2](model, FRAME)
    score = placed.scorer()
    np.testing.assert_array_equal(np.array(score(ROWS).predictions.to_pylist()), np.asarray(expected, float))
    few = [column[5:7] for column in ROWS]  # where not every category occurs
    np.testing.assert_array_equal(np.array(score(few).predictions.to_pylist()), np.asarray(expected, float)[5:7])


@pytest.mark.parametrize("name", ["lightgbm", "lightgbm-sklearn", "catboost"])
def test_a_category_that_training_never_saw_is_what_it_is_to_the_library(
    models: dict[str, tuple[Any, Placed]], name: str
) -> None:
    model, placed = models[name]
    frame = FRAME.head(3).assign(carrier=pd.Categorical(["ZZ", "AA", "UA"], categories=["AA", "UA", "ZZ"]))
    rows = [pa.array(["ZZ", "AA", "UA"]), *(column[:3] for column in ROWS[1:])]
    np.testing.assert_array_equal(
        np.array(placed.scorer()(rows).predictions.to_pylist()), np.asarray(MODELS[name][2](model, frame), float)
    )


@pytest.mark.parametrize("name", ["xgboost", "xgboost-sklearn"])
def test_xgboost_fails_on_the_rows_with_a_category_that_training_never_saw(
    models: dict[str, tuple[Any, Placed]], name: str
) -> None:
    score = models[name][1].scorer()
    with pytest.raises(RowsNotPredicted, match="Found a category not in the training set"):
        score([pa.array(["ZZ", "AA"]), *(column[:2] for column in ROWS[1:])])


@pytest.mark.parametrize("name", ["lightgbm", "xgboost"])
def test_a_missing_category_is_missing_to_the_library(models: dict[str, tuple[Any, Placed]], name: str) -> None:
    model, placed = models[name]
    frame = FRAME.head(2).assign(carrier=pd.Categorical([None, "AA"], categories=["UA", "B6", "AA"]))
    rows = [pa.array([None, "AA"]), *(column[:2] for column in ROWS[1:])]
    expected = np.asarray(MODELS[name][2](model, frame), float)
    np.testing.assert_array_equal(np.array(placed.scorer()(rows).predictions.to_pylist()), expected)


def inputs(*kinds: pa.DataType) -> list[ModelInput]:
    return [ModelInput(f"x{position}", kind, required=True) for position, kind in enumerate(kinds)]


@pytest.mark.parametrize("make", [native, booster])
def test_categories_that_cannot_be_the_inputs_are_refused(make: Callable[[pd.DataFrame], Any]) -> None:
    model = make(FRAME)
    with pytest.raises(ModelError, match="the input x2 was a category of another type"):
        find_trained_categories(model, inputs(pa.string(), pa.float64(), pa.timestamp("ns")))
    assert find_trained_categories(make(FRAME[["delay"]]), inputs(pa.float64())) is None


def test_columns_of_which_it_is_not_certain_that_they_were_categories_are_refused() -> None:
    ordered = FRAME.assign(stop=FRAME["stop"].cat.as_ordered())
    with pytest.raises(ModelError, match="trained on 2 columns of categories, and 1 of its inputs can be these"):
        find_trained_categories(native(ordered), inputs(pa.string(), pa.float64(), pa.int64()))
