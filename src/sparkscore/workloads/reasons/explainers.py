"""Finds how a fitted model is explained, by the names of its inputs. Runs on executors."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from sparkscore.errors import ModelError
from sparkscore.workloads.reasons.column_groups import Group, name_group, trace_column_groups
from sparkscore.workloads.reasons.contributions import Contributions, Explain, to_indicator
from sparkscore.workloads.reasons.linear_explainer import build_linear_explainer, is_linear_model
from sparkscore.workloads.reasons.tree_explainers import find_tree_explainer


@dataclass(frozen=True, slots=True)
class FeatureExplainer:
    """Explains rows by features: inputs, or several of them together where a pipeline mixes them."""

    features: tuple[str, ...]
    members: tuple[Group, ...]
    """The inputs of each feature."""
    explain: Explain
    """Rows as the model gets them -> contributions, one column per feature."""


def find_feature_explainer(model: Any, inputs: Sequence[str], background: Any = None) -> FeatureExplainer:
    """How a model is explained. `background`: rows whose average is the base of a linear model.

    Needs:   a fitted model of scikit-learn, LightGBM, XGBoost or CatBoost, or a pipeline that ends with one.
    Raises:  ModelError for other models, and where a pipeline mixes all inputs into one.
    """
    model = getattr(model, "best_estimator_", model)
    steps, final = _split_steps(model)
    groups = _trace_steps(steps, final, inputs)
    features = list(dict.fromkeys(groups))
    if len(features) == 1 < len(inputs):
        raise ModelError(
            f"the steps before the {type(final).__name__} mix all {len(inputs)} inputs in each of its columns",
            "a pipeline of which is known what each column comes from: scalers, encoders, imputers, ColumnTransformer",
            "leave `reasons` out of the config, or train the model without such a step",
        )
    indicator = to_indicator([features.index(group) for group in groups], len(features))
    if is_linear_model(final):
        known = None if background is None else _transform(steps, background)
        explain = build_linear_explainer(final, indicator, None if known is None else _to_numbers(known))
        explain = _after_steps(steps, explain, converts=True)
    else:
        of_trees = find_tree_explainer(final)
        if of_trees is None:
            raise ModelError(
                f"a {type(final).__module__.partition('.')[0]} {type(final).__name__} has no exact reasons here",
                "a linear model, or trees of LightGBM, XGBoost, CatBoost or scikit-learn",
                "leave `reasons` out of the config",
            )
        if background is not None:
            raise ModelError(
                f"reasons.background with a {type(final).__name__}, whose trees know the average of its training rows",
                "a background for linear models alone",
                "remove reasons.background",
            )
        explain = _add_up(_after_steps(steps, of_trees), indicator)
    if frozenset() in features:  # columns of ones
        explain = _move_to_base(explain, features.index(frozenset()))
        features.remove(frozenset())
    return FeatureExplainer(tuple(name_group(group, inputs) for group in features), tuple(features), explain)


def _split_steps(model: Any) -> tuple[list[Any], Any]:
    """The steps of pipelines inside of pipelines, and what ends them."""
    steps: list[Any] = []
    while hasattr(model, "steps") and hasattr(model, "named_steps"):
        *before, (_, model) = model.steps
        steps += [step for _, step in before if step not in ("passthrough", None)]
    return steps, model


def _trace_steps(steps: Sequence[Any], final: Any, inputs: Sequence[str]) -> list[Group]:
    groups = [frozenset([name]) for name in inputs]
    for step, following in zip(steps, [*steps, final][1:], strict=True):
        groups = trace_column_groups(step, groups, _count_columns(following, len(groups)))
    return groups


def _count_columns(model: Any, otherwise: int) -> int:
    """How many columns a fitted step takes."""
    return int(getattr(model, "n_features_in_", None) or getattr(model, "n_features_", None) or otherwise)


def _transform(steps: Sequence[Any], rows: Any) -> Any:
    for step in steps:
        rows = step.transform(rows)
    return rows


def _to_numbers(matrix: Any) -> Any:
    """Numbers, dense or sparse."""
    return matrix if hasattr(matrix, "toarray") else np.asarray(matrix, dtype=np.float64)


def _after_steps(steps: Sequence[Any], explain: Explain, *, converts: bool = False) -> Explain:
    def explain_rows(rows: Any) -> Contributions:
        given = _transform(steps, rows)
        return explain(_to_numbers(given) if converts else given)

    return explain_rows


def _move_to_base(explain: Explain, place: int) -> Explain:
    """A column that comes of no input is a part of the base value."""

    def explain_rows(rows: Any) -> Contributions:
        found = explain(rows)
        base = found.base_value + found.values[:, place]
        return Contributions(np.delete(found.values, place, axis=1), base, found.raw_score)

    return explain_rows


def _add_up(explain: Explain, indicator: Any) -> Explain:
    is_same = indicator.shape[0] == indicator.shape[1] and bool((indicator == np.eye(len(indicator))).all())
    return explain if is_same else lambda rows: explain(rows).sum_groups(indicator)
