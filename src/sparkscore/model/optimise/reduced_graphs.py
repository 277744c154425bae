"""Smaller graphs of a graph: optimised offline, with weights of 8 or 16 bits, without units that do nothing.

Runs in the optimiser's process.
"""

import tempfile
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import deepcopy
from pathlib import Path
from typing import Any

from sparkscore.model.optimise.unit_pruning import prune_units
from sparkscore.model.signature.numpy_inputs import NumpyArray

_MATRIX_OPERATORS = ("Conv", "Gemm", "MatMul")
_CALIBRATION_BATCH = 500
Feeds = Sequence[Mapping[str, NumpyArray]]
"""What a graph gets for rows of the source, batch by batch."""


class NotApplicableError(Exception):
    """There is nothing in the graph that the reduction could reduce; why."""


def reduce_graph(name: str, graph: Any, feeds: Feeds) -> Any:
    """A copy of the graph, reduced as the candidate of this name is.

    Needs:   `feeds`, rows to calibrate on.
    Raises:  NotApplicableError; whatever onnxruntime raises.
    """
    return _REDUCTIONS[name](deepcopy(graph), feeds)


def _keep_graph(graph: Any, _: Feeds) -> Any:
    return graph


def _optimize_offline(graph: Any, _: Feeds) -> Any:
    """As onnxruntime optimises it when it loads it, for whatever processor."""
    import onnx
    import onnxruntime

    with _graph_file(graph) as source:
        target = source.with_name("optimized.onnx")
        options = onnxruntime.SessionOptions()
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
        options.optimized_model_filepath = str(target)
        options.log_severity_level = 3
        onnxruntime.InferenceSession(str(source), options, providers=["CPUExecutionProvider"])
        return _with_metadata(onnx.load(str(target)), graph)


def _quantize_dynamically(graph: Any, _: Feeds) -> Any:
    import onnx
    from onnxruntime.quantization import QuantType, quantize_dynamic

    _require_matrices(graph)
    with _graph_file(graph) as source:
        target = source.with_name("int8.onnx")
        quantize_dynamic(str(source), str(target), weight_type=QuantType.QInt8)
        return _with_metadata(onnx.load(str(target)), graph)


def _quantize_statically(graph: Any, feeds: Feeds) -> Any:
    import onnx
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

    _require_matrices(graph)
    batches = iter(feeds)

    class RowsReader(CalibrationDataReader):  # type: ignore[misc]  # of a package without types
        """Rows of the source."""

        def get_next(self) -> Any:
            """A batch; None after the last."""
            return next(batches, None)

    with _graph_file(graph) as source:
        target = source.with_name("static.onnx")
        quantize_static(
            str(source),
            str(target),
            RowsReader(),
            quant_format=QuantFormat.QDQ,
            weight_type=QuantType.QInt8,
            activation_type=QuantType.QUInt8,
            per_channel=True,
        )
        return _with_metadata(onnx.load(str(target)), graph)


def _halve_floats(graph: Any, _: Feeds) -> Any:
    from onnxruntime.transformers.float16 import convert_float_to_float16

    _require_matrices(graph)
    return _with_metadata(convert_float_to_float16(graph, keep_io_types=True), graph)


def _prune(graph: Any, feeds: Feeds) -> Any:
    _require_matrices(graph)
    pruned, units = prune_units(graph, feeds)
    if not units:
        raise NotApplicableError("no hidden unit gives the same value for all rows of the sample")
    return pruned


_REDUCTIONS: Mapping[str, Callable[[Any, Feeds], Any]] = {
    "onnx": _keep_graph,
    "onnx-optimized": _optimize_offline,
    "onnx-int8": _quantize_dynamically,
    "onnx-static-int8": _quantize_statically,
    "onnx-float16": _halve_floats,
    "pruned": _prune,
}


def _require_matrices(graph: Any) -> None:
    """There are weights only where matrices are multiplied: trees and look-ups have none."""
    from onnx import TensorProto

    floats = {one.name for one in graph.graph.initializer if one.data_type == TensorProto.FLOAT and len(one.dims) > 1}
    if not any(node.op_type in _MATRIX_OPERATORS and floats & set(node.input) for node in graph.graph.node):
        raise NotApplicableError("the graph multiplies by no matrix of floats")


def _with_metadata(reduced: Any, graph: Any) -> Any:
    del reduced.metadata_props[:]
    reduced.metadata_props.extend(graph.metadata_props)
    return reduced


@contextmanager
def _graph_file(graph: Any) -> Iterator[Path]:
    import onnx

    with tempfile.TemporaryDirectory(prefix="sparkscore-graph-") as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        path = Path(folder, "model.onnx")
        onnx.save(graph, str(path))
        yield path
