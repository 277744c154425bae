"""Opens sessions of onnxruntime on the execution providers that were asked for, and on no others. Runs on executors.

onnxruntime leaves out a provider that it lacks, or that cannot start, with no more than a warning in a log.
"""

import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from sparkscore.errors import ModelError, PredictError
from sparkscore.model.runtimes.pyfunc_runtime import import_runtime_library, missing_gpu_error
from sparkscore.records import PROVIDER_CLASSES, AcceleratorOptions

_ON_A_GPU = frozenset({"tensorrt", "cuda", "rocm", "migraphx"})
"""Those that take the number of a GPU."""


def open_provider_session(
    onnxruntime: Any, graph: Path | bytes, options: Any, *, device: str | None, accelerator: AcceleratorOptions
) -> Any:
    """The session. Without providers that were asked for: CUDA where the task has a GPU, else the CPU.

    Raises:  ModelError where it lacks one that was asked for, unless the CPU may take its place.
    """
    if accelerator.providers:
        return _open_asked_session(onnxruntime, graph, options, device=device, accelerator=accelerator)
    if device is None:
        return onnxruntime.InferenceSession(_graph_source(graph), options, providers=["CPUExecutionProvider"])
    _require_number(device)
    _load_gpu_libraries(onnxruntime)
    providers = [("CUDAExecutionProvider", {"device_id": device})]
    session = onnxruntime.InferenceSession(_graph_source(graph), options, providers=providers)
    if "CUDAExecutionProvider" not in session.get_providers():
        raise missing_gpu_error(device, f"onnxruntime offers {', '.join(session.get_providers())}")
    return session


def import_onnxruntime() -> Any:
    """The module, with nothing sent and nothing written to the home folder.

    Raises:  PredictError where it is not installed.
    """
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # it opens a store when it is imported
    onnxruntime = import_runtime_library(
        "onnxruntime", install='pip install "sparkscore[onnx]", or "sparkscore[gpu]" for a GPU; never both'
    )
    onnxruntime.disable_telemetry_events()
    return onnxruntime


def list_available_providers() -> tuple[str, ...] | None:
    """The execution providers that this Python's onnxruntime was built with; None where it has none.

    Runs on: executor.
    """
    try:
        return tuple(import_onnxruntime().get_available_providers())
    except (ImportError, PredictError):
        return None


def check_available_providers(found: Sequence[str], accelerator: AcceleratorOptions) -> tuple[str, ...]:
    """What to warn of where the executors' onnxruntime lacks providers that were asked for, and the CPU steps in.

    Raises:  ModelError where it may not.
    """
    missing = _compare_providers(accelerator.providers, found, "onnxruntime on an executor has", accelerator)
    left = [PROVIDER_CLASSES[name] for name in accelerator.providers if PROVIDER_CLASSES[name] in found]
    if not missing:
        return ()
    return (
        f"the executors' onnxruntime lacks {', '.join(missing)}: {', '.join(left or ['CPUExecutionProvider'])} computes"
        " instead, as model.provider_fallback allows",
    )


def _open_asked_session(
    onnxruntime: Any, graph: Path | bytes, options: Any, *, device: str | None, accelerator: AcceleratorOptions
) -> Any:
    asked = accelerator.providers
    if _ON_A_GPU.intersection(asked):
        if device is not None:
            _require_number(device)
        _load_gpu_libraries(onnxruntime)
    offered = onnxruntime.get_available_providers()
    _compare_providers(asked, offered, "onnxruntime on this executor has", accelerator)
    usable = [name for name in asked if PROVIDER_CLASSES[name] in offered]
    providers = [_describe_provider(name, device) for name in usable] or ["CPUExecutionProvider"]
    session = onnxruntime.InferenceSession(_graph_source(graph), options, providers=providers)
    _compare_providers(asked, session.get_providers(), "onnxruntime could start", accelerator)
    return session


def _graph_source(graph: Path | bytes) -> str | bytes:
    return graph if isinstance(graph, bytes) else str(graph)


def _compare_providers(
    asked: Sequence[str], found: Sequence[str], where: str, accelerator: AcceleratorOptions
) -> list[str]:
    """Those that are missing, where the CPU may step in."""
    missing = [PROVIDER_CLASSES[name] for name in asked if PROVIDER_CLASSES[name] not in found]
    if missing and not accelerator.provider_fallback:
        raise ModelError(
            f"of the execution providers that were asked for, {', '.join(missing)} is missing: {where}"
            f" {', '.join(found)}",
            f"{', '.join(asked)}, as in model.providers",
            "install an onnxruntime that has it, with its libraries, on every executor (onnxruntime-gpu,"
            " onnxruntime-openvino …); or set model.provider_fallback to true, and the CPU takes its place",
        )
    return missing


def _describe_provider(name: str, device: str | None) -> Any:
    full = PROVIDER_CLASSES[name]
    return (full, {"device_id": device}) if name in _ON_A_GPU and device is not None else full


def _require_number(device: str) -> None:
    if not device.isdecimal():
        raise missing_gpu_error(device, "its address is no number")


def _load_gpu_libraries(onnxruntime: Any) -> None:
    with suppress(AttributeError):  # before 1.21
        onnxruntime.preload_dlls()  # else it does not find CUDA's libraries where pip has put them
