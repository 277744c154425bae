"""Which errors say that memory ran out."""

import errno
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from sparkscore.errors import BatchOutOfMemory
from sparkscore.model.host.error_messages import decode_host_error, encode_host_error
from sparkscore.model.runtimes.foreign_code import ForeignError
from sparkscore.model.runtimes.memory_errors import is_out_of_memory


def of_library(module: str, name: str, message: str, base: type[Exception] = Exception) -> Exception:
    """An error as a library has it that is not here."""
    error: Exception = type(name, (base,), {"__module__": module})(message)
    return error


def raised_from(cause: BaseException) -> Exception:
    error = ValueError("the pipeline failed")
    error.__cause__ = cause
    return error


RAN_OUT: list[Any] = [
    MemoryError(),
    OSError(errno.ENOMEM, "Cannot allocate memory"),
    of_library("torch", "OutOfMemoryError", "CUDA out of memory. Tried to allocate 36.00 MiB", RuntimeError),
    RuntimeError("[enforce fail at alloc_cpu.cpp:117] . DefaultCPUAllocator: can't allocate memory: you tried"),
    RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
    of_library(
        "onnxruntime.capi.onnxruntime_pybind11_state",
        "RuntimeException",
        "[ONNXRuntimeError] : 6 : RUNTIME_EXCEPTION : bfc_arena.cc:376 Failed to allocate memory for requested buffer",
    ),
    of_library("onnxruntime.capi.onnxruntime_pybind11_state", "Fail", "[ONNXRuntimeError] : 1 : FAIL : bad allocation"),
    of_library("xgboost.core", "XGBoostError", "Memory allocation error: std::bad_alloc: cudaErrorMemoryAllocation"),
    of_library("tensorflow.python.framework.errors_impl", "ResourceExhaustedError", "OOM when allocating tensor"),
    raised_from(MemoryError()),
    ForeignError(MemoryError()),
]


@pytest.mark.parametrize("error", RAN_OUT)
def test_what_says_that_memory_ran_out_is_known_without_the_library_that_says_it(error: Exception) -> None:
    assert is_out_of_memory(error)


@pytest.mark.parametrize(
    "error",
    [
        ValueError("out of memory"),  # a row's text may be in it
        OSError(errno.ENOENT, "out of memory"),
        RuntimeError("mat1 and mat2 shapes cannot be multiplied"),
        of_library("onnxruntime.capi.onnxruntime_pybind11_state", "InvalidArgument", "Got invalid dimensions"),
    ],
)
def test_other_errors_do_not(error: Exception) -> None:
    assert not is_out_of_memory(error)


def test_numpy_and_arrow_say_it_by_pythons_class() -> None:
    with pytest.raises(MemoryError) as of_numpy:
        np.ones(1 << 45)
    with pytest.raises(MemoryError) as of_arrow:
        pa.allocate_buffer(1 << 60)
    assert is_out_of_memory(of_numpy.value)
    assert is_out_of_memory(of_arrow.value)


def test_a_model_process_says_it_in_a_class_of_its_own() -> None:
    error = decode_host_error(encode_host_error(MemoryError("of the mapping")))
    assert isinstance(error, BatchOutOfMemory)
    assert error.raised == "MemoryError"
