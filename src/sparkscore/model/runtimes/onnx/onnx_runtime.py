"""Runs ONNX graphs without MLflow: onnxruntime on Arrow columns. Runs on executors."""

import os
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

from sparkscore.model.distribution.shipped_model import OnnxFile, ShippedModel
from sparkscore.model.runtimes.onnx.binding import build_input_feed, group_results_by_field
from sparkscore.model.runtimes.onnx.graph import Graph, NodeArg
from sparkscore.model.runtimes.onnx.graph_inputs import plan_graph_feeds
from sparkscore.model.runtimes.onnx.graph_outputs import choose_graph_outputs
from sparkscore.model.runtimes.pyfunc_runtime import import_runtime_library, missing_gpu_error
from sparkscore.model.runtimes.scorer import Scorer, build_local_scorer
from sparkscore.model.signature.numpy_inputs import NumpyArray

_SPINNING_KEY = "session.intra_op.allow_spinning"
_THREAD_KEY_PREFIXES = ("session.intra_op", "session.inter_op")


def load_onnx_scorer(model: ShippedModel, folder: str, file: OnnxFile, *, cores: int, device: str | None) -> Scorer:
    """The graph as a scorer. `device`: the number of a GPU; None: the CPU.

    Runs on: executor.
    Raises:  ModelError if a GPU is requested and missing; SignatureError if graph and signature do not fit.
    """
    session = open_onnx_session(Path(folder, file.path), file, cores=cores, device=device)
    graph = Graph(_session_node_args(session.get_inputs()), _session_node_args(session.get_outputs()))
    output_names = choose_graph_outputs(graph, file.outputs, model.output)
    return build_local_scorer(
        model,
        _build_onnx_predictor(session, output_names, model),
        partial(build_input_feed, plan_graph_feeds(graph, model.inputs)),
    )


def open_onnx_session(path: Path, file: OnnxFile, *, cores: int, device: str | None) -> Any:
    """The session: as many threads as the task has cores, on the requested device and on no other.

    Raises:  ModelError where a GPU is asked for and missing.
    """
    onnxruntime = _import_onnxruntime()
    options = _build_session_options(onnxruntime, file, cores)
    if device is None:
        return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    if not device.isdecimal():
        raise missing_gpu_error(device, "its address is no number")
    with suppress(AttributeError):  # before 1.21
        onnxruntime.preload_dlls()  # else it does not find CUDA's libraries where pip has put them
    providers = [("CUDAExecutionProvider", {"device_id": device})]
    session = onnxruntime.InferenceSession(str(path), options, providers=providers)
    if "CUDAExecutionProvider" not in session.get_providers():  # it falls back to the CPU with no more than a warning
        raise missing_gpu_error(device, f"onnxruntime offers {', '.join(session.get_providers())}")
    return session


def _import_onnxruntime() -> Any:
    """The module, with nothing sent and nothing written to the home folder."""
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # it opens a store when it is imported
    onnxruntime = import_runtime_library(
        "onnxruntime", install='pip install "sparkscore[onnx]", or "sparkscore[gpu]" for a GPU; never both'
    )
    onnxruntime.disable_telemetry_events()
    return onnxruntime


def _build_session_options(onnxruntime: Any, file: OnnxFile, cores: int) -> Any:
    """Threads by the task, all else by the model's author.

    No spinning: threads that wait actively for the next batch gained nothing and cost as much CPU again (two threads,
    2 ms between batches of 10,000 rows through an MLP: 5.7 ms of CPU per batch against 3.0, both in 2.9 ms).
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = cores
    options.inter_op_num_threads = 1
    options.add_session_config_entry(_SPINNING_KEY, "0")
    for key, value in file.config:
        if not key.startswith(_THREAD_KEY_PREFIXES):
            options.add_session_config_entry(key, value)
    if file.optimisation is not None:
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel(file.optimisation)
    return options


def _session_node_args(node_args: Any) -> tuple[NodeArg, ...]:
    return tuple(NodeArg(one.name, one.type, _to_open_shape(one.shape) or None) for one in node_args)


def _to_open_shape(sizes: Any) -> tuple[int | None, ...]:
    return tuple(size if isinstance(size, int) and size > 0 else None for size in sizes)


def _build_onnx_predictor(
    session: Any, output_names: tuple[str, ...], model: ShippedModel
) -> Callable[[dict[str, NumpyArray]], Any]:
    def predict(inputs: dict[str, NumpyArray]) -> Any:
        return group_results_by_field(
            session.run(list(output_names), inputs), model.output, multiple=len(output_names) > 1
        )

    return predict
