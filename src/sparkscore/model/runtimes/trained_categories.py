"""Categories of pandas that a model was trained on, from its own metadata. Runs on executors.

A signature says `string` for such a column, so that texts arrive, and the codes that the library computes with are
positions in the list of the training frame. That list is in the model: LightGBM's `pandas_categorical`, and XGBoost's
categories since 3.1. CatBoost takes the texts themselves.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from inspect import signature
from typing import Any

import pyarrow as pa

from sparkscore.errors import ModelError
from sparkscore.records import ModelInput

_FEATURE_INFOS = "feature_infos="


@dataclass(frozen=True, slots=True)
class TrainedCategories:
    """The categories of a model's inputs, by position."""

    by_position: Mapping[int, Sequence[Any]]
    keeps_unseen: bool
    """The library is shown a category that training never saw; else such a value is a missing one to it."""

    def restore(self, frame: Any) -> Any:
        """The frame with the columns of the training frame's type."""
        import pandas as pd

        restored = frame.copy(deep=False)
        for position, trained in self.by_position.items():
            values, label = frame.iloc[:, position], frame.columns[position]
            unseen = [one for one in values.dropna().unique() if one not in trained] if self.keeps_unseen else []
            restored[label] = pd.Categorical(values, categories=pd.Index([*trained, *unseen]))
        return restored


def find_trained_categories(raw: Any, inputs: Sequence[ModelInput]) -> TrainedCategories | None:
    """The categories of a loaded model; None where it has none, or says nothing of them.

    Raises:  ModelError where they do not fit the signature, so that the wrong ones could be taken.
    """
    library = next((name for name in ("lightgbm", "xgboost") if _is_class_of(raw, name)), None)
    if library is None:
        return None
    booster = getattr(raw, "booster_", raw) if library == "lightgbm" else _xgboost_booster(raw)
    found = _lightgbm_categories(booster, inputs) if library == "lightgbm" else _xgboost_categories(booster)
    for position, trained in found.items():
        if position >= len(inputs) or not _fits_input(trained, inputs[position].type):
            raise _unfit_categories_error(library, position, inputs)
    return TrainedCategories(found, keeps_unseen=library == "xgboost") if found else None


def with_trained_categories(
    predict: Callable[..., Any], raw: Any, inputs: Sequence[ModelInput]
) -> Callable[..., Any] | None:
    """The function that predicts, given a frame with the categories of the training frame; None where it needs none.

    `predict`: what the library, or MLflow's wrapper of it, is called by.
    """
    categories = find_trained_categories(raw, inputs)
    if categories is None:
        return None
    if _is_class_of(raw, "xgboost") and not hasattr(raw, "get_booster"):
        predict = _make_booster_predictor(raw)
    takes_params = "params" in signature(predict).parameters

    def predict_categories(frame: Any, params: Mapping[str, Any] | None = None) -> Any:
        restored = categories.restore(frame)
        return predict(restored, params=params) if takes_params else predict(restored)

    return predict_categories


def _make_booster_predictor(booster: Any) -> Callable[..., Any]:
    """MLflow's own makes a matrix that takes no categories."""
    xgboost = import_module("xgboost")
    known = set(signature(booster.predict).parameters) - {"data", "validate_features"}

    def predict(frame: Any, params: Mapping[str, Any] | None = None) -> Any:
        chosen = {name: value for name, value in (params or {}).items() if name in known}
        return booster.predict(xgboost.DMatrix(frame, enable_categorical=True), validate_features=True, **chosen)

    return predict


def _is_class_of(raw: Any, library: str) -> bool:
    return any(base.__module__.partition(".")[0] == library for base in type(raw).__mro__)


def _xgboost_booster(raw: Any) -> Any:
    return raw.get_booster() if hasattr(raw, "get_booster") else raw


def _lightgbm_categories(booster: Any, inputs: Sequence[ModelInput]) -> Mapping[int, Sequence[Any]]:
    """The lists are in the order of the training frame's columns; which columns they are, the header of the model says,
    but for ordered categories and columns of one value."""
    lists = getattr(booster, "pandas_categorical", None)
    if not lists:
        return {}
    header = booster.model_to_string(num_iteration=1).splitlines()
    infos = next(line for line in header if line.startswith(_FEATURE_INFOS)).removeprefix(_FEATURE_INFOS).split()
    texts = {position for position, one in enumerate(inputs) if pa.types.is_string(one.type)}
    known = sorted(texts | {position for position, info in enumerate(infos) if ":" in info and info[0] != "["})
    if len(known) != len(lists):
        raise ModelError(
            f"the model was trained on {len(lists)} columns of categories, and {len(known)} of its inputs can be these",
            "as many inputs that are text, or categories in the model",
            "train it with unordered categories of text, and log it with a signature inferred from the training frame",
        )
    return dict(zip(known, lists, strict=True))


def _xgboost_categories(booster: Any) -> Mapping[int, Sequence[Any]]:
    """Nothing of a model that an XGBoost before 3.1 has saved: it keeps the codes alone."""
    if "c" not in (booster.feature_types or ()) or not hasattr(booster, "get_categories"):
        return {}
    arrays = booster.get_categories(export_to_arrow=True).to_arrow() or []
    return {position: one.to_pylist() for position, (_, one) in enumerate(arrays) if one is not None}


def _fits_input(trained: Sequence[Any], kind: pa.DataType) -> bool:
    """Whether values of an input can be among the categories: else each would be one that training never saw."""
    found = {type(one) for one in trained}
    if pa.types.is_string(kind):
        return found <= {str}
    if pa.types.is_boolean(kind):
        return found <= {bool}
    is_number = pa.types.is_integer(kind) or pa.types.is_floating(kind)
    return is_number and found <= ({int} if pa.types.is_integer(kind) else {int, float})


def _unfit_categories_error(library: str, position: int, inputs: Sequence[ModelInput]) -> ModelError:
    name = inputs[position].name if position < len(inputs) else None
    return ModelError(
        f"the input {position if name is None else name} was a category of another type when {library} trained the"
        " model than its signature says",
        "categories of the input's type",
        "log the model with a signature inferred from the training frame",
    )
