"""ONNX graphs without MLflow: onnxruntime fed from Arrow columns. Runs on executors."""

import os
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

from sparkscore.model.arrays import Array
from sparkscore.model.feeding import by_field, prepared
from sparkscore.model.graph import Graph, Node
from sparkscore.model.graph_inputs import feeds
from sparkscore.model.graph_outputs import chosen_outputs
from sparkscore.model.runtimes import gpu_missing
from sparkscore.model.scorer import Scorer, in_process
from sparkscore.model.shipped import OnnxFile, ShippedModel

_SPINNING = "session.intra_op.allow_spinning"
_THREADS = ("session.intra_op", "session.inter_op")


def onnx_scorer(model: ShippedModel, folder: str, file: OnnxFile, *, cores: int, device: str | None) -> Scorer:
    """The graph as a scorer. `device`: the number of a GPU; None: the CPU.

    Runs on: executor.
    Raises:  ModelError where a GPU is asked for and missing; SignatureError where graph and signature do not fit.
    """
    session = opened(Path(folder, file.path), file, cores=cores, device=device)
    graph = Graph(_nodes(session.get_inputs()), _nodes(session.get_outputs()))
    wanted = chosen_outputs(graph, file.outputs, model.output)
    return in_process(model, _runner(session, wanted, model), partial(prepared, feeds(graph, model.inputs)))


def opened(path: Path, file: OnnxFile, *, cores: int, device: str | None) -> Any:
    """The session: as many threads as the task has cores, on the device that was asked for and on no other.

    Raises:  ModelError where a GPU is asked for and missing.
    """
    onnxruntime = _onnxruntime()
    options = _options(onnxruntime, file, cores)
    if device is None:
        return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    if not device.isdecimal():
        raise gpu_missing(device, "its address is no number")
    with suppress(AttributeError):  # before 1.21
        onnxruntime.preload_dlls()  # else it does not find CUDA's libraries where pip has put them
    asked = [("CUDAExecutionProvider", {"device_id": device})]
    session = onnxruntime.InferenceSession(str(path), options, providers=asked)
    if "CUDAExecutionProvider" not in session.get_providers():  # it falls back to the CPU with no more than a warning
        raise gpu_missing(device, f"onnxruntime offers {', '.join(session.get_providers())}")
    return session


def _onnxruntime() -> Any:
    """The module, with nothing sent and nothing written to the home folder."""
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # it opens a store when it is imported
    onnxruntime = import_module("onnxruntime")
    onnxruntime.disable_telemetry_events()
    return onnxruntime


def _options(onnxruntime: Any, file: OnnxFile, cores: int) -> Any:
    """Threads by the task, all else by the model's author.

    No spinning: threads that wait actively for the next batch gained nothing and cost as much CPU again (two threads,
    2 ms between batches of 10,000 rows through an MLP: 5.7 ms of CPU per batch against 3.0, both in 2.9 ms).
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = cores
    options.inter_op_num_threads = 1
    options.add_session_config_entry(_SPINNING, "0")
    for key, value in file.config:
        if not key.startswith(_THREADS):
            options.add_session_config_entry(key, value)
    if file.optimisation is not None:
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel(file.optimisation)
    return options


def _nodes(found: Any) -> tuple[Node, ...]:
    return tuple(Node(one.name, one.type, _shape(one.shape) or None) for one in found)


def _shape(sizes: Any) -> tuple[int | None, ...]:
    return tuple(size if isinstance(size, int) and size > 0 else None for size in sizes)


def _runner(session: Any, wanted: tuple[str, ...], model: ShippedModel) -> Callable[[dict[str, Array]], Any]:
    def predict(given: dict[str, Array]) -> Any:
        return by_field(session.run(list(wanted), given), model.output, several=len(wanted) > 1)

    return predict
