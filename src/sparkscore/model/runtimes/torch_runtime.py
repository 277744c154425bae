"""PyTorch modules without MLflow: loaded and called as its wrapper does, on the task's cores or its GPU."""

import pickle
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from sparkscore.errors import ModelError
from sparkscore.model.distribution.shipped_model import ShippedModel, TorchFile
from sparkscore.model.runtimes.foreign_code import guard_foreign_code
from sparkscore.model.runtimes.pyfunc_runtime import import_runtime_library, missing_gpu_error, refuse_pickle
from sparkscore.model.runtimes.scorer import Scorer, build_local_scorer
from sparkscore.model.runtimes.torch_execution import build_torch_predictor, compile_before_rows
from sparkscore.model.signature.model_inputs import build_features, cast_model_inputs, input_names
from sparkscore.model.signature.numpy_inputs import NumpyArray, to_numpy_matrix


def load_torch_scorer(model: ShippedModel, folder: str, file: TorchFile, *, cores: int, device: str | None) -> Scorer:
    """The module as a scorer. `device`: the number of a GPU; None: the CPU.

    Runs on: executor.
    Raises:  ModelError where a GPU is asked for and missing, where loading pickles is switched off, and for forecasting
             models, which take frames.
    """
    torch = import_runtime_library("torch", install='pip install torch, or "sparkscore[gpu]"')
    torch.set_num_threads(cores)
    target = _select_torch_device(torch, device)
    module = _load_torch_module(torch, Path(folder, file.path), file.format, target)
    predict = build_torch_predictor(torch, module, target, model.accelerator)
    score = build_local_scorer(model, predict, build_features if model.tensor else _to_float_matrix)
    if model.accelerator.compile:
        compile_before_rows(score, model)
    return score


def _select_torch_device(torch: Any, device: str | None) -> Any:
    if device is None:
        return torch.device("cpu")
    gpu_count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if not device.isdecimal() or int(device) >= gpu_count:
        raise missing_gpu_error(device, f"PyTorch sees {gpu_count}")
    return torch.device(f"cuda:{device}")


def _load_torch_module(torch: Any, folder: Path, file_format: str, target: Any) -> Any:
    """The module, in evaluation mode. MLflow loads it by the same calls."""
    refuse_pickle("set it on the executors, or set model.runtime to pyfunc: MLflow can look into models saved as pt2")
    if file_format == "pt2":
        with guard_foreign_code():
            exported = torch.export.load(folder / "model.pt2").module()
        return _check_exported_device(target, exported)
    with warnings.catch_warnings(), guard_foreign_code():
        warnings.filterwarnings("ignore", message=".*TorchScript archive")  # which torch.load takes as well
        module = torch.load(folder / "model.pth", map_location=target, weights_only=False, pickle_module=pickle)
    if any(base.__module__.startswith("pytorch_forecasting") for base in type(module).__mro__):
        raise ModelError(
            "the runtime torch cannot execute a model of pytorch_forecasting",
            "a model that takes tensors",
            "set model.runtime to pyfunc: it takes frames",
        )
    with guard_foreign_code():
        module.eval()
        return module.to(target)


def _check_exported_device(target: Any, exported: Any) -> Any:
    """An exported module stays where its author had it."""
    device_types = {tensor.device.type for tensor in (*exported.parameters(), *exported.buffers())}
    if device_types - {target.type}:
        raise ModelError(
            f"the model was exported on {', '.join(sorted(device_types))}",
            f"a model that was exported on {target.type}, where this task runs",
            f'log it again: mlflow.pytorch.log_model(model.to("{target.type}"), …)',
        )
    return exported


def _to_float_matrix(columns: Sequence[pa.Array], model: ShippedModel) -> NumpyArray:
    """Columns as MLflow's wrapper gives them: floats, column after column in memory, so that the bits are the same."""
    return to_numpy_matrix(cast_model_inputs(columns, model), input_names(model.inputs), np.float32, rows_first=False)
