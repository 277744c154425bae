"""Contributions to trees: TreeSHAP of the library that has trained them. Runs on executors.

The average row is that of the training rows, whose numbers the trees keep in their nodes.
"""

from importlib import import_module
from typing import Any

import numpy as np

from sparkscore.errors import ModelError
from sparkscore.workloads.reasons.contributions import Contributions, Explain, Floats, choose_class

_SINGLE_PRECISION_LOSS = 1e-3
"""Of the raw score, where thousands of trees are added up."""
_SKLEARN_TREES = ("sklearn.tree.", "sklearn.ensemble.")


def find_tree_explainer(model: Any) -> Explain | None:
    """The explainer of a model of trees, by the library that it is of; None for other models.

    Shapes:  it takes what the model takes, n rows, and returns the contributions of its columns.
    Raises:  ModelError for trees of scikit-learn where shap is not installed, or does not know them.
    """
    module = type(model).__module__
    if module.startswith("lightgbm."):
        return _explain_lightgbm(model)
    if module.startswith("xgboost."):
        return _explain_xgboost(model)
    if type(model).__name__.startswith("CatBoost"):
        return _explain_catboost(model)
    return _explain_by_shap(model) if module.startswith(_SKLEARN_TREES) else None


def _explain_lightgbm(model: Any) -> Explain:
    booster = getattr(model, "booster_", model)

    def explain(features: Any) -> Contributions:
        dense = _to_dense(features)
        found = np.asarray(booster.predict(dense, pred_contrib=True), np.float64)
        raw = np.asarray(booster.predict(dense, raw_score=True), np.float64).reshape(len(found), -1)
        return _split_last_column(found.reshape(len(found), raw.shape[1], -1), raw)

    return explain


def _explain_xgboost(model: Any) -> Explain:
    xgboost = import_module("xgboost")
    booster = model.get_booster() if hasattr(model, "get_booster") else model
    best = int(booster.attr("best_iteration") or -1) + 1  # 0: all rounds
    options = {"validate_features": False, "iteration_range": (0, best), "strict_shape": True}

    def explain(features: Any) -> Contributions:
        matrix = xgboost.DMatrix(features, missing=getattr(model, "missing", np.nan), enable_categorical=True)
        found = np.asarray(booster.predict(matrix, pred_contribs=True, **options), np.float64)
        raw = np.asarray(booster.predict(matrix, output_margin=True, **options), np.float64)
        return _share_rounding(_split_last_column(found, raw))

    return explain


def _share_rounding(found: Contributions) -> Contributions:
    """XGBoost adds up in single precision: what that loses is shared in proportion to the contributions."""
    rest = found.raw_score - found.base_value - found.values.sum(axis=1)
    is_rounding = np.abs(rest) <= _SINGLE_PRECISION_LOSS * np.maximum(1.0, np.abs(found.raw_score))
    sizes = np.abs(found.values)
    total = sizes.sum(axis=1)
    share = np.divide(np.where(is_rounding, rest, 0.0), total, out=np.zeros_like(total), where=total > 0)
    base = np.where((total == 0) & is_rounding, found.raw_score, found.base_value)
    return Contributions(found.values + sizes * share[:, None], base, found.raw_score)


def _explain_catboost(model: Any) -> Explain:
    pool_class = import_module("catboost").Pool
    kinds = {
        "cat_features": model.get_cat_feature_indices(),
        "text_features": model.get_text_feature_indices(),
    }

    def explain(features: Any) -> Contributions:
        pool = pool_class(_to_dense(features), **{name: columns for name, columns in kinds.items() if columns})
        found = np.asarray(model.get_feature_importance(pool, type="ShapValues"), np.float64)
        raw = np.asarray(model.predict(pool, prediction_type="RawFormulaVal"), np.float64).reshape(len(found), -1)
        return _split_last_column(found.reshape(len(found), raw.shape[1], -1), raw)

    return explain


def _explain_by_shap(model: Any) -> Explain:
    try:
        shap = import_module("shap")
    except ModuleNotFoundError as error:
        raise ModelError(
            f"reasons of a {type(model).__name__} need the package {error.name}, which is not installed",
            "shap, for the trees of scikit-learn",
            "install sparkscore[reasons] on the executors, or train the trees with LightGBM, XGBoost or CatBoost",
        ) from error
    try:
        explainer = shap.TreeExplainer(model, feature_perturbation="tree_path_dependent")
    except Exception as error:
        raise ModelError(
            f"shap does not explain this {type(model).__name__}: {type(error).__name__}",
            "trees, forests or boosted trees of scikit-learn with one answer per row",
            "leave `reasons` out of the config, or train the trees with LightGBM, XGBoost or CatBoost",
        ) from error
    bases = np.atleast_1d(np.asarray(explainer.expected_value, np.float64))
    score = getattr(model, "decision_function", None) or getattr(model, "predict_proba", None) or model.predict

    def explain(features: Any) -> Contributions:
        dense = _to_dense(features)
        found = np.asarray(explainer.shap_values(dense, check_additivity=False), np.float64)
        raw = np.asarray(score(dense), np.float64).reshape(len(found), -1)
        values = found[:, None, :] if found.ndim == 2 else np.moveaxis(found, 2, 1)
        return _choose(values, bases, raw)

    return explain


def _split_last_column(found: Floats, raw: Floats) -> Contributions:
    """Of (n, classes, columns + 1), where the last column is the base value."""
    return _choose(found[:, :, :-1], found[:, :, -1], raw)


def _choose(values: Floats, bases: Floats, raw: Floats) -> Contributions:
    if values.shape[1] > 1:
        return choose_class(values, bases, raw)
    return Contributions(values[:, 0], np.broadcast_to(bases, raw.shape)[:, 0], raw[:, 0])


def _to_dense(features: Any) -> Any:
    return features.toarray() if hasattr(features, "toarray") else features
