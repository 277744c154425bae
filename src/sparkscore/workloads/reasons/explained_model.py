"""A model with its reasons: what MLflow loads in the place of the model that it explains. Runs on executors.

Its folder (`model.registry.explained_copies`) has the files of that model as they are, and `reasons.json`.
"""

import time
from dataclasses import dataclass
from importlib import import_module
from inspect import Parameter, signature
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from sparkscore.errors import PredictError
from sparkscore.records import ScoredRows
from sparkscore.records.reason_records import REASONS_FILE, ReasonsRequest
from sparkscore.schemas import REASON_TYPE
from sparkscore.workloads.reasons.contributions import Contributions
from sparkscore.workloads.reasons.explainers import FeatureExplainer, find_feature_explainer

HIDDEN_FEATURE = "(sensitive)"
"""The name of every feature that comes of a sensitive column."""


def _load_pyfunc(path: str) -> "ExplainedModel":
    """The model in a folder that `build_explained_folder` has made. MLflow calls it."""
    folder = Path(path)
    request = ReasonsRequest.from_json((folder / REASONS_FILE).read_text(encoding="utf-8"))
    inner = import_module(request.loader)._load_pyfunc(str(folder / request.data))  # noqa: SLF001  as MLflow calls it
    explainer = find_feature_explainer(inner.get_raw_model(), request.inputs, _build_background(request))
    return ExplainedModel(inner, request.predict_fn, explainer, request.top, frozenset(request.hidden))


def _build_background(request: ReasonsRequest) -> Any:
    if request.background is None:
        return None
    import pandas as pd

    kinds = request.background_types
    return pd.DataFrame({name: pd.Series(values, dtype=kinds[name]) for name, values in request.background.items()})


@dataclass(slots=True)
class ExplainedModel:
    """Predicts as the model that it explains does, and gives the features that contributed most."""

    inner: Any
    predict_fn: str
    explainer: FeatureExplainer
    top: int
    hidden: frozenset[str]
    """Inputs whose names and contributions are not shown."""

    def get_raw_model(self) -> Any:
        """The model of the library."""
        return self.inner.get_raw_model()

    def predict(self, model_input: Any, params: dict[str, Any] | None = None) -> ScoredRows:
        """Columns: `prediction` as the model returns it, and those of `schemas.REASON_COLUMNS`.

        Adds:    counts: the seconds that predicting and explaining took.
        Raises:  PredictError where contributions do not add up to the raw score.
        """
        started = time.perf_counter()
        prediction = self._call_model(model_input, params)
        predicted = time.perf_counter()
        found = self.explainer.explain(model_input)
        if found.find_gap() > 1:
            raise PredictError(
                f"the contributions of features differ from the raw score by {found.find_gap():,.1f} x 1e-6",
                "base value and contributions that add up to it",
                "leave `reasons` out of the config: this kind of model is not explained exactly",
            )
        reasons = self._list_reasons(found)
        columns = {
            "prediction": prediction,
            "base_value": found.base_value,
            "raw_score": found.raw_score,
            "reasons": reasons,
        }
        explained = time.perf_counter()
        return ScoredRows(
            columns, counts={"predict_seconds": predicted - started, "explain_seconds": explained - predicted}
        )

    def _call_model(self, model_input: Any, params: dict[str, Any] | None) -> Any:
        """As MLflow calls it."""
        function = getattr(self.inner, self.predict_fn)
        taken = signature(function).parameters.get("params")
        is_asked = taken is not None and taken.kind is not Parameter.VAR_KEYWORD  # pipelines have a **params
        return function(model_input, params=params) if is_asked else function(model_input)

    def _list_reasons(self, found: Contributions) -> pa.ListArray:
        """The greatest contributions of each row; of equal ones the feature that is first among the inputs."""
        rows, width = found.values.shape
        count = min(self.top, width)
        order = np.argsort(-np.abs(found.values), axis=1, kind="stable")[:, :count]
        values = np.take_along_axis(found.values, order, axis=1)
        is_hidden = np.array([bool(members & self.hidden) for members in self.explainer.members])
        names = [
            HIDDEN_FEATURE if hidden else name for name, hidden in zip(self.explainer.features, is_hidden, strict=True)
        ]
        features = pa.DictionaryArray.from_arrays(pa.array(order.ravel(), pa.int32()), pa.array(names, pa.string()))
        numbers = pa.array(values.ravel(), pa.float64(), mask=is_hidden[order].ravel())
        items = pa.StructArray.from_arrays([features.cast(pa.string()), numbers], fields=list(REASON_TYPE))
        offsets = pa.array(np.arange(rows + 1, dtype=np.int32) * count)
        return pa.ListArray.from_arrays(offsets, items)
