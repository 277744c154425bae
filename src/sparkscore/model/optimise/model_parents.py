"""The object that a registered model holds, as its own library has it: what the converters take.

Runs in the optimiser's process: loading a model runs its author's code.
"""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from sparkscore.errors import ModelError
from sparkscore.model.distribution.shipped_model import ShippedModel, SklearnFile
from sparkscore.model.runtimes.pyfunc_runtime import load_sklearn

LIBRARY_LOADERS: Mapping[str, str] = {
    "mlflow.sklearn": "scikit-learn",
    "mlflow.lightgbm": "LightGBM",
    "mlflow.xgboost": "XGBoost",
    "mlflow.catboost": "CatBoost",
    "mlflow.pytorch": "PyTorch",
    "mlflow.onnx": "ONNX",
}
"""Loaders of MLflow whose models have a way to ONNX."""


@dataclass(frozen=True, slots=True)
class ModelParent:
    """A model that is to be made faster."""

    library: str
    estimator: Any
    """The library's own object."""


def check_parent_library(loader: str) -> str:
    """The library of a model's loader.

    Runs on: driver; nothing is loaded.
    Raises:  ModelError for models without a way to ONNX.
    """
    if loader not in LIBRARY_LOADERS:
        raise ModelError(
            f"the model is loaded by {loader or 'nothing known'}: its steps are Python code, which no converter reads",
            f"a model of {', '.join(LIBRARY_LOADERS.values())}",
            "log the estimator itself with its own flavour of MLflow, and put what comes before and after it into a"
            " pipeline of scikit-learn, or into model.inputs",
        )
    return LIBRARY_LOADERS[loader]


def load_model_parent(library: str, model: ShippedModel, folder: str) -> ModelParent:
    """The object that a model's folder holds.

    Needs:   files whose digest and trust were checked.
    """
    if library == "scikit-learn" and isinstance(model.file, SklearnFile):
        return ModelParent(library, load_sklearn(folder, model.file).__self__)  # type: ignore[attr-defined]  # a method
    loader = next(name for name, one in LIBRARY_LOADERS.items() if one == library)
    more = {"map_location": "cpu"} if library == "PyTorch" else {}
    estimator = import_module(loader).load_model(folder, **more)
    if library == "PyTorch":
        with suppress(NotImplementedError):  # an exported module stays as it was exported
            estimator.eval()
    return ModelParent(library, estimator)
