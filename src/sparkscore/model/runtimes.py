"""What executes a model: MLflow's pyfunc, or scikit-learn itself, which spares executors the import of MLflow."""

import os
import pickle
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy.typing as npt
import pandas as pd

from sparkscore.errors import ModelError

Features = pd.DataFrame | npt.NDArray[Any]
Predictor = Callable[[Features], Any]
"""A loaded model: a batch's features -> whatever the model returns, one prediction per row."""

SKLEARN_FORMATS = ("skops", "cloudpickle", "pickle")
SKLEARN_METHODS = ("predict", "predict_proba", "predict_log_proba", "predict_joint_log_proba")
"""What MLflow's wrapper hands to the scikit-learn object unchanged."""


@dataclass(frozen=True, slots=True)
class SklearnFile:
    """A scikit-learn object in a model's folder."""

    path: str
    format: str
    trusted: tuple[str, ...] | None
    """Types that the model's author told skops to load; nothing is added."""
    method: str


def load_sklearn(folder: str, file: SklearnFile) -> Predictor:
    """The method that predicts, bound to the loaded object. The same call as MLflow's, so the same bits.

    Runs on: executor.
    Raises:  ModelError where loading is switched off, or a file leaves the folder.
    """
    if os.environ.get("MLFLOW_ALLOW_PICKLE_DESERIALIZATION", "true").lower() in ("false", "0"):
        raise ModelError(
            "MLFLOW_ALLOW_PICKLE_DESERIALIZATION is false",
            "true, for a model that is trusted",
            "set it on the executors, or use another flavour",
        )
    model = _read(Path(folder, file.path), file)
    method: Predictor = getattr(model, file.method)
    return method


def _read(path: Path, file: SklearnFile) -> Any:
    if file.format == "skops":
        return import_module("skops.io").load(path, trusted=file.trusted)
    loader = pickle if file.format == "pickle" else import_module("cloudpickle")
    with path.open("rb") as content:
        return loader.load(content)


def load_pyfunc(folder: str, params: Mapping[str, Any]) -> Predictor:
    """MLflow's own function for the model, params bound. Importing MLflow costs a worker about two seconds, once.

    Runs on: executor.
    """
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("MLFLOW_DISABLE_SCHEMA_DETAILS", "true")  # else its errors carry rows
    sys.dont_write_bytecode = True  # else a model's own code leaves files in the folder, and its digest changes
    model = import_module("mlflow.pyfunc").load_model(folder, suppress_warnings=True)
    bound = dict(params) or None
    return lambda features: model.predict(features, params=bound)
