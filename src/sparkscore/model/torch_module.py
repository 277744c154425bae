"""PyTorch modules without MLflow: loaded and called as its wrapper does, on the task's cores or its GPU."""

import pickle
import warnings
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from sparkscore.errors import ModelError
from sparkscore.model.arrays import Array, matrix
from sparkscore.model.foreign import foreign
from sparkscore.model.inputs import checked, features, names
from sparkscore.model.runtimes import gpu_missing, refuse_pickle
from sparkscore.model.scorer import RefusedResultError, Scorer, in_process
from sparkscore.model.shipped import ShippedModel, TorchFile


def torch_scorer(model: ShippedModel, folder: str, file: TorchFile, *, cores: int, device: str | None) -> Scorer:
    """The module as a scorer. `device`: the number of a GPU; None: the CPU.

    Runs on: executor.
    Raises:  ModelError where a GPU is asked for and missing, where loading pickles is switched off, and for forecasting
             models, which take frames.
    """
    torch = import_module("torch")
    torch.set_num_threads(cores)
    place = _place(torch, device)
    module = _loaded(torch, Path(folder, file.path), file.format, place)
    return in_process(model, _runner(torch, module, place), features if model.tensor else _floats)


def _place(torch: Any, device: str | None) -> Any:
    if device is None:
        return torch.device("cpu")
    there = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if not device.isdecimal() or int(device) >= there:
        raise gpu_missing(device, f"PyTorch sees {there}")
    return torch.device(f"cuda:{device}")


def _loaded(torch: Any, folder: Path, form: str, place: Any) -> Any:
    """The module, in evaluation mode. MLflow loads it by the same calls."""
    refuse_pickle("set it on the executors, or set model.runtime to pyfunc: MLflow can look into models saved as pt2")
    if form == "pt2":
        with foreign():
            exported = torch.export.load(folder / "model.pt2").module()
        return _on(place, exported)
    with warnings.catch_warnings(), foreign():
        warnings.filterwarnings("ignore", message=".*TorchScript archive")  # which torch.load takes as well
        module = torch.load(folder / "model.pth", map_location=place, weights_only=False, pickle_module=pickle)
    if any(base.__module__.startswith("pytorch_forecasting") for base in type(module).__mro__):
        raise ModelError(
            "a model of pytorch_forecasting", "one that takes tensors", "set model.runtime to pyfunc: it takes frames"
        )
    with foreign():
        module.eval()
        return module.to(place)


def _on(place: Any, exported: Any) -> Any:
    """An exported module stays where its author had it."""
    found = {tensor.device.type for tensor in (*exported.parameters(), *exported.buffers())}
    if found - {place.type}:
        raise ModelError(
            f"a model that was exported on {', '.join(sorted(found))}",
            f"one that was exported on {place.type}, where this task runs",
            f'log it again: mlflow.pytorch.log_model(model.to("{place.type}"), …)',
        )
    return exported


def _floats(columns: Sequence[pa.Array], model: ShippedModel) -> Array:
    """Columns as MLflow's wrapper gives them: floats, column after column in memory, so that the bits are the same."""
    return matrix(checked(columns, model), names(model.inputs), np.float32, rows_first=False)


def _runner(torch: Any, module: Any, place: Any) -> Callable[[Array], Any]:
    def predict(given: Array) -> Any:
        with torch.inference_mode():
            result = module(torch.from_numpy(given).to(place))
            if not isinstance(result, torch.Tensor):
                raise RefusedResultError(
                    f"the module returned a {type(result).__name__} instead of one tensor",
                    "one tensor, as MLflow expects of a module",
                    "log a module whose forward returns one tensor",
                )
            return result.cpu().numpy()

    return predict
