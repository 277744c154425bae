"""Executes a model by MLflow's pyfunc, or by scikit-learn itself, without the import of MLflow on executors.

The other two are in `onnx/onnx_runtime.py` and `torch_runtime.py`.
"""

import json
import os
import pickle
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, TypeAlias, Union

from sparkscore.errors import ModelError, PredictError
from sparkscore.model.distribution.shipped_model import ShippedModel, SklearnFile
from sparkscore.model.host.process_sharing import refuse_imported_modules
from sparkscore.model.runtimes.foreign_code import guard_foreign_code
from sparkscore.model.runtimes.thread_limits import limit_model_threads
from sparkscore.model.runtimes.trained_categories import with_trained_categories
from sparkscore.model.runtimes.transformers_pipelines import (
    adapt_transformers_model,
    choose_pipeline_device,
    is_transformers_wrapper,
)
from sparkscore.model.signature.numpy_inputs import NumpyArray
from sparkscore.records.model_files import offer_model_files

if TYPE_CHECKING:
    import pandas as pd

Features: TypeAlias = Union["pd.DataFrame", NumpyArray, dict[str, NumpyArray]]
Predictor = Callable[[Features], Any]
"""A loaded model: a batch's features -> whatever the model returns, one prediction per row."""


@dataclass(frozen=True, slots=True)
class LoadedPyfunc:
    """A model that MLflow has loaded."""

    predict: Predictor
    end_task: Callable[[], Any] | None
    """What it wants to have called when a task ends; None: nothing."""
    takes_arrow: bool = False
    """`predict` takes a RecordBatch."""


def load_sklearn(folder: str, file: SklearnFile, *, cores: int = 1) -> Predictor:
    """The method that predicts, bound to the loaded object. The same call as MLflow's, so the same bits.

    Runs on: executor.
    Raises:  ModelError where loading is switched off, or a file leaves the folder.
    """
    refuse_pickle("set it on the executors, or use another flavour")
    with guard_foreign_code():
        model = _read_sklearn_object(Path(folder, file.path), file)
        limit_model_threads(model, cores)
        method: Predictor = getattr(model, file.method)
    return method


def refuse_pickle(advice: str) -> None:
    """Raise ModelError if the environment of this machine forbids MLflow to load pickles."""
    if os.environ.get("MLFLOW_ALLOW_PICKLE_DESERIALIZATION", "true").lower() in ("false", "0"):
        raise ModelError("MLFLOW_ALLOW_PICKLE_DESERIALIZATION is false", "true, for a model that you trust", advice)


def import_runtime_library(name: str, *, install: str) -> Any:
    """The module that executes a model.

    Raises:  PredictError where it is not installed; `install` says what brings it.
    """
    try:
        return import_module(name)
    except ModuleNotFoundError as error:
        if error.name != name:
            raise
        raise PredictError(
            f"{name} is not installed in the executors' Python", f"{name}, which the model needs", install
        ) from error


def missing_gpu_error(device: str, reason: str) -> ModelError:
    """The error for a task to which Spark assigned a GPU that the library cannot use."""
    return ModelError(
        f"the GPU of the task (address {device}) cannot be used: {reason}",
        "a numbered GPU, CUDA, and a library that is built for it on every executor that has GPU tasks",
        "install them there; set model.residency to executor if addresses are no numbers; or request no GPU",
    )


def _read_sklearn_object(path: Path, file: SklearnFile) -> Any:
    if file.format == "skops":
        return import_module("skops.io").load(path, trusted=file.trusted)
    loader = pickle if file.format == "pickle" else import_module("cloudpickle")
    with path.open("rb") as content:
        return loader.load(content)


def load_pyfunc(folder: str, shipped: ShippedModel, *, cores: int, device: str | None = None) -> LoadedPyfunc:
    """MLflow's own function for the model, configured, params bound. Importing MLflow costs a worker about two seconds,
    once. `device`: the address of the task's GPU, for pipelines of transformers.

    Runs on: executor.
    Raises:  ModelError where another module of such a name is imported, or a pipeline's GPU is missing.
    """
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("MLFLOW_DISABLE_SCHEMA_DETAILS", "true")  # else its errors carry rows
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # else importing onnxruntime writes to the home folder
    sys.dont_write_bytecode = True  # else a model's own code leaves files in the folder, and its digest changes
    pyfunc = import_module("mlflow.pyfunc")
    refuse_imported_modules(shipped.code, folder)
    with choose_pipeline_device(folder, device), guard_foreign_code(), offer_model_files(shipped.files):
        model = pyfunc.load_model(
            folder, suppress_warnings=True, model_config=None if shipped.config is None else json.loads(shipped.config)
        )
        limit_model_threads(getattr(model, "_model_impl", None), cores)
        model = _adapt_model(model, shipped)
    # MLflow takes lists for params of the shape (-1,), and no tuples
    model_params = {name: list(one) if isinstance(one, tuple) else one for name, one in shipped.params} or None
    predict_batch = getattr(getattr(model, "_model_impl", None), "predict_batch", None)
    predict = partial(predict_batch if callable(predict_batch) else model.predict, params=model_params)
    return LoadedPyfunc(predict, _find_end_task(model), takes_arrow=callable(predict_batch))


def _find_end_task(model: Any) -> Callable[[], Any] | None:
    """`end_task` of what the model's `_load_pyfunc` has returned, or of its PythonModel."""
    loaded = getattr(model, "_model_impl", None)
    owners = (loaded, getattr(loaded, "python_model", None))
    found = (getattr(owner, "end_task", None) for owner in owners)
    return next((method for method in found if callable(method)), None)


def _adapt_model(model: Any, shipped: ShippedModel) -> Any:
    """What MLflow has loaded, as batches need it."""
    if is_transformers_wrapper(getattr(model, "_model_impl", None)):
        return adapt_transformers_model(model, shipped.config)
    return model if shipped.tensor else _restore_categories(model, shipped)


def _restore_categories(model: Any, shipped: ShippedModel) -> Any:
    """MLflow's function, whose library is given the categories that it was trained on. They are put in behind MLflow's
    own comparison with the signature, which refuses them."""
    wrapper = model._model_impl  # noqa: SLF001  which MLflow calls stable
    if not hasattr(wrapper, "get_raw_model"):
        return model
    name = model.metadata.flavors["python_function"].get("predict_fn", "predict")
    predict = with_trained_categories(getattr(wrapper, name), wrapper.get_raw_model(), shipped.inputs)
    if predict is None:
        return model
    return import_module("mlflow.pyfunc").PyFuncModel(model.metadata, SimpleNamespace(predict=predict))
