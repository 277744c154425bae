"""Contributions add up to what the model computes, for every kind of model that is explained."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.compose import ColumnTransformer
from sklearn.decomposition import PCA
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.feature_selection import SelectKBest
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression, PoissonRegressor, Ridge
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    KBinsDiscretizer,
    MinMaxScaler,
    OneHotEncoder,
    PolynomialFeatures,
    SplineTransformer,
    StandardScaler,
)
from sklearn.svm import LinearSVC

from sparkscore.errors import ModelError
from sparkscore.workloads.reasons.column_groups import trace_column_groups
from sparkscore.workloads.reasons.contributions import TOLERANCE
from sparkscore.workloads.reasons.explainers import find_feature_explainer

INPUTS = ["c", "x", "y", "z"]


def make_rows(rows: int = 300, *, seed: int = 0) -> pd.DataFrame:
    random = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "c": random.choice(list("abcd"), rows),
            "x": random.normal(3, 2, rows),
            "y": random.normal(-1, 1, rows),
            "z": random.gamma(2, 1, rows),
        }
    )
    frame.loc[frame.index[::7], "x"] = np.nan
    return frame


ROWS = make_rows()
NUMBERS = ROWS[["x", "y", "z"]].fillna(0.0)
AMOUNT = ROWS["y"] * 2 + ROWS["z"] + (ROWS["c"] == "a")
BINARY = (AMOUNT > 0.5).astype(int)
THREE = pd.qcut(AMOUNT, 3, labels=False)


def encoded(*numbers: Any) -> ColumnTransformer:
    parts = numbers or (SimpleImputer(add_indicator=True), StandardScaler())
    one_hot = OneHotEncoder(min_frequency=10, handle_unknown="infrequent_if_exist")
    columns = [("c", one_hot, ["c"]), ("n", make_pipeline(*parts), ["x", "y"])]
    return ColumnTransformer(columns, remainder="passthrough")


def find_sums(model: Any, rows: pd.DataFrame) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """What base value and contributions make, and the raw score."""
    found = find_feature_explainer(model, list(rows.columns)).explain(rows)
    assert found.find_gap() <= 1
    return found.base_value + found.values.sum(axis=1), found.raw_score


def assert_additive(model: Any, rows: pd.DataFrame, raw: Any) -> None:
    sums, told = find_sums(model, rows)
    expected = np.asarray(raw, np.float64)
    if expected.ndim == 2:
        expected = expected[:, 1] if expected.shape[1] == 2 else expected.max(axis=1)
    scale = np.maximum(1, np.abs(expected))
    assert np.max(np.abs(told - expected) / scale) <= TOLERANCE
    assert np.max(np.abs(sums - expected) / scale) <= TOLERANCE


@given(seed=st.integers(0, 10_000), classes=st.sampled_from([2, 3]))
@settings(max_examples=15)
def test_contributions_to_linear_models_add_up_behind_any_steps(seed: int, classes: int) -> None:
    random = np.random.default_rng(seed)
    steps: list[list[Any]] = [
        [],
        [SimpleImputer(), PolynomialFeatures(2)],
        [SimpleImputer(), FeatureUnion([("s", StandardScaler()), ("m", MinMaxScaler())])],
        [SimpleImputer(), KBinsDiscretizer(4)],
        [SimpleImputer(), SplineTransformer()],
        [SimpleImputer(), FunctionTransformer(np.rint)],
        [SimpleImputer(), FunctionTransformer(lambda values: values[:, :1])],
    ]
    target = THREE if classes == 3 else BINARY
    model = make_pipeline(encoded(*steps[random.integers(len(steps))]), LogisticRegression(max_iter=50, tol=0.1))
    model.fit(ROWS, target)
    rows = make_rows(40, seed=seed)
    assert_additive(model, rows, model.decision_function(rows))


@pytest.mark.parametrize(
    ("model", "target"),
    [
        (Ridge(), AMOUNT),
        (LinearRegression(), AMOUNT),
        (LinearSVC(), BINARY),
        (LinearDiscriminantAnalysis(), THREE),
        (make_pipeline(SelectKBest(k=2), LogisticRegression()), BINARY),
    ],
)
def test_linear_models_without_steps_are_explained_too(model: Any, target: Any) -> None:
    model.fit(NUMBERS, target)
    assert_additive(model, NUMBERS, (getattr(model, "decision_function", None) or model.predict)(NUMBERS))


def test_the_raw_score_of_a_model_with_a_link_is_before_the_link() -> None:
    model = PoissonRegressor().fit(NUMBERS, AMOUNT - AMOUNT.min())
    assert_additive(model, NUMBERS, np.log(model.predict(NUMBERS)))


def test_a_contribution_is_the_coefficient_times_the_distance_to_the_average() -> None:
    model = LinearRegression().fit(NUMBERS, AMOUNT)
    found = find_feature_explainer(model, list(NUMBERS.columns), NUMBERS)
    values = found.explain(NUMBERS).values
    np.testing.assert_allclose(values, (NUMBERS - NUMBERS.mean()) * model.coef_, rtol=0, atol=1e-9)
    np.testing.assert_allclose(found.explain(NUMBERS).base_value, AMOUNT.mean(), rtol=0, atol=1e-9)


def test_columns_go_back_to_the_inputs_that_they_come_of() -> None:
    steps = encoded(SimpleImputer(), PolynomialFeatures(2, include_bias=False)).fit(ROWS)
    model = make_pipeline(steps, Ridge()).fit(ROWS, AMOUNT)
    assert find_feature_explainer(model, INPUTS).features == ("c", "x", "y", "x × y", "z")
    incoming = [frozenset([name]) for name in INPUTS]
    width = steps.transform(ROWS).shape[1]
    groups = trace_column_groups(steps, incoming, width)
    assert groups.count(frozenset("c")) == len(steps.named_transformers_["c"].get_feature_names_out())


def test_a_step_that_mixes_all_inputs_and_a_model_without_exact_reasons_are_refused() -> None:
    mixed = make_pipeline(PCA(2), LogisticRegression()).fit(NUMBERS, BINARY)
    with pytest.raises(ModelError, match="mix all 3 inputs"):
        find_feature_explainer(mixed, list(NUMBERS.columns))
    with pytest.raises(ModelError, match="GaussianNB has no exact reasons"):
        find_feature_explainer(GaussianNB().fit(NUMBERS, BINARY), list(NUMBERS.columns))


@pytest.mark.parametrize("target", [AMOUNT * 100, BINARY, THREE], ids=["numbers", "binary", "three"])
@pytest.mark.parametrize("library", ["lightgbm", "xgboost", "catboost"])
def test_contributions_to_boosted_trees_add_up(library: str, target: Any) -> None:
    module = pytest.importorskip(library)
    kind = "Regressor" if target.nunique() > 3 else "Classifier"
    names = {"lightgbm": f"LGBM{kind}", "xgboost": f"XGB{kind}", "catboost": f"CatBoost{kind}"}
    options: dict[str, dict[str, Any]] = {
        "lightgbm": {"verbose": -1, "n_jobs": 1},
        "xgboost": {"enable_categorical": True, "n_jobs": 1, "max_depth": 8},
        "catboost": {"verbose": 0, "cat_features": ["c"], "allow_writing_files": False, "thread_count": 1},
    }
    trees = {"lightgbm": "n_estimators", "xgboost": "n_estimators", "catboost": "iterations"}
    rows = ROWS if library == "catboost" else ROWS.assign(c=ROWS["c"].astype("category"))
    model = getattr(module, names[library])(**options[library], **{trees[library]: 60}).fit(rows, target)
    raw: dict[str, Any] = {
        "lightgbm": lambda: model.predict(rows, raw_score=True),
        "xgboost": lambda: model.predict(rows, output_margin=True),
        "catboost": lambda: model.predict(rows, prediction_type="RawFormulaVal"),
    }
    assert_additive(model, rows, raw[library]())


def test_boosted_trees_behind_a_pipeline_are_explained_by_its_inputs() -> None:
    lightgbm = pytest.importorskip("lightgbm")
    model = make_pipeline(encoded(), lightgbm.LGBMClassifier(verbose=-1, n_estimators=20, n_jobs=1)).fit(ROWS, BINARY)
    assert find_feature_explainer(model, INPUTS).features == ("c", "x", "y", "z")
    assert_additive(model, ROWS, model[-1].predict(model[0].transform(ROWS), raw_score=True))


@pytest.mark.parametrize("target", [AMOUNT, BINARY], ids=["numbers", "binary"])
@pytest.mark.parametrize("name", ["HistGradientBoosting", "RandomForest", "GradientBoosting", "ExtraTrees"])
def test_contributions_to_trees_of_scikit_learn_add_up_by_shap(name: str, target: Any) -> None:
    pytest.importorskip("shap")
    import sklearn.ensemble

    kind = "Regressor" if target.nunique() > 3 else "Classifier"
    size = {"max_iter": 10} if name.startswith("Hist") else {"n_estimators": 10, "max_depth": 6}
    model = getattr(sklearn.ensemble, f"{name}{kind}")(random_state=0, **size).fit(NUMBERS, target)
    score = getattr(model, "decision_function", None) or getattr(model, "predict_proba", None) or model.predict
    assert_additive(model, NUMBERS, score(NUMBERS))


def test_a_background_for_trees_is_refused() -> None:
    lightgbm = pytest.importorskip("lightgbm")
    model = lightgbm.LGBMRegressor(verbose=-1, n_estimators=2, n_jobs=1).fit(NUMBERS, AMOUNT)
    with pytest.raises(ModelError, match=r"reasons\.background with a LGBMRegressor"):
        find_feature_explainer(model, list(NUMBERS.columns), NUMBERS)
