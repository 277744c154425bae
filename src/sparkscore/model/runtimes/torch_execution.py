"""Calls a PyTorch module on a batch: on its device, in the type and the form that the settings ask for."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext, suppress
from typing import Any

import numpy as np
import pyarrow as pa

from sparkscore.errors import RowsNotPredicted
from sparkscore.model.distribution.shipped_model import ShippedModel
from sparkscore.model.runtimes.scorer import RefusedResultError, Scorer, summarise_model_error
from sparkscore.model.signature.numpy_inputs import NumpyArray
from sparkscore.records import AcceleratorOptions, ModelInput

_COMPILERS = ("torch._dynamo", "torch._inductor")
"""Where what a compiler raises is defined: it is no row's fault."""


def build_torch_predictor(
    torch: Any, module: Any, target: Any, accelerator: AcceleratorOptions
) -> Callable[[NumpyArray], Any]:
    """The module as a function of a batch's features.

    Runs on: executor.
    """
    call = torch.compile(module, dynamic=True) if accelerator.compile else module

    def predict(features: NumpyArray) -> Any:
        with torch.inference_mode(), _open_autocast(torch, target, accelerator):
            result = _call_module(call, _move_to_device(torch, features, target), compiled=accelerator.compile)
        if not isinstance(result, torch.Tensor):
            raise RefusedResultError(
                f"the module returned a {type(result).__name__} instead of one tensor",
                "one tensor, as MLflow expects of a module",
                "log a module whose forward returns one tensor",
            )
        if accelerator.autocast is not None and result.is_floating_point():
            result = result.float()  # numpy has no bfloat16, and the signature promises what the module itself gives
        return result.cpu().numpy()

    return predict


def compile_before_rows(score: Scorer, model: ShippedModel) -> None:
    """Have the module compiled now, with rows of zeros: the compiler's minutes are part of the load, and of no batch.

    Raises:  PredictError where it cannot be compiled.
    """
    with suppress(RowsNotPredicted, pa.ArrowInvalid, pa.ArrowNotImplementedError):  # zeros may be no row of the model's
        score([_zeros(one) for one in model.inputs])


def _zeros(one: ModelInput) -> pa.Array:
    """Two rows: of one PyTorch would make a form for one row alone."""
    value = np.zeros([max(size, 1) for size in one.shape or ()]).tolist()
    return pa.array([value, value]).cast(one.type)


def _open_autocast(torch: Any, target: Any, accelerator: AcceleratorOptions) -> AbstractContextManager[Any]:
    if accelerator.autocast is None:
        return nullcontext()
    context: AbstractContextManager[Any] = torch.autocast(target.type, dtype=getattr(torch, accelerator.autocast))
    return context


def _move_to_device(torch: Any, features: NumpyArray, target: Any) -> Any:
    """The features where the module is. On their way to a GPU they lie in memory that does not move: the GPU fetches
    them by itself, and the process prepares the call meanwhile."""
    tensor = torch.from_numpy(features)
    if target.type != "cuda":
        return tensor.to(target)
    return tensor.pin_memory().to(target, non_blocking=True)


def _call_module(call: Any, tensor: Any, *, compiled: bool) -> Any:
    try:
        return call(tensor)
    except Exception as error:
        if not compiled or not type(error).__module__.startswith(_COMPILERS):
            raise
        raise RefusedResultError(
            f"PyTorch could not compile the module: {summarise_model_error(error)}",
            "a module that can be compiled, and a C++ compiler on the executors, or Triton for a GPU",
            "install one there, or leave model.torch.compile out",
        ) from error
