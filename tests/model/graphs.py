"""ONNX graphs for tests, made by hand."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

onnx = pytest.importorskip("onnx", reason="the extra gpu is not installed")

from onnx import TensorProto, helper, numpy_helper  # noqa: E402 - after the look whether it is there

Sizes = Sequence[int | str | None]

OPEN: Sizes = (None, 2)
FLOAT, DOUBLE, INT64, BOOL, STRING = (
    TensorProto.FLOAT,
    TensorProto.DOUBLE,
    TensorProto.INT64,
    TensorProto.BOOL,
    TensorProto.STRING,
)


def value(name: str, kind: int = FLOAT, sizes: Sizes = OPEN) -> Any:
    """An input or output of a graph."""
    return helper.make_tensor_value_info(name, kind, sizes)


def sequence(name: str, kind: int = FLOAT) -> Any:
    """A sequence of arrays, which no column is."""
    return helper.make_value_info(name, helper.make_sequence_type_proto(helper.make_tensor_type_proto(kind, (None,))))


def graph(nodes: Sequence[Any], inputs: Sequence[Any], outputs: Sequence[Any], **weights: npt.NDArray[Any]) -> Any:
    """A model of these nodes."""
    constants = [numpy_helper.from_array(weight, name) for name, weight in weights.items()]
    made = helper.make_graph(list(nodes), "graph", list(inputs), list(outputs), constants)
    operators = [helper.make_opsetid("", 17), helper.make_opsetid("ai.onnx.ml", 3)]
    return helper.make_model(made, opset_imports=operators, ir_version=10)


def node(kind: str, inputs: str, output: str, **attributes: Any) -> Any:
    """One operator; its inputs in one text."""
    return helper.make_node(kind, inputs.split(), [output], **attributes)


def linear(weights: npt.NDArray[Any], bias: npt.NDArray[Any], *, kind: int = FLOAT) -> Any:
    """`x (n, k) -> y (n, m)`, both of the kind."""
    width, outputs = weights.shape
    dtype = helper.tensor_dtype_to_np_dtype(kind)
    return graph(
        [node("Gemm", "x w b", "y")],
        [value("x", kind, ("n", width))],
        [value("y", kind, ("n", outputs))],
        w=weights.astype(dtype),
        b=bias.astype(dtype),
    )


def perceptron(coefficients: Sequence[npt.NDArray[Any]], biases: Sequence[npt.NDArray[Any]]) -> Any:
    """scikit-learn's MLP classifier of two classes: `x (n, k) float -> y (n, 1) float`, the second's probability."""
    last = len(coefficients) - 1
    nodes, now = [], "x"
    for layer in range(len(coefficients)):
        nodes.append(node("Gemm", f"{now} w{layer} b{layer}", f"g{layer}"))
        now = f"h{layer}" if layer < last else "y"
        nodes.append(node("Relu" if layer < last else "Sigmoid", f"g{layer}", now))
    weights = {f"w{layer}": array.astype(np.float32) for layer, array in enumerate(coefficients)}
    weights |= {f"b{layer}": array.astype(np.float32) for layer, array in enumerate(biases)}
    width = coefficients[0].shape[0]
    return graph(nodes, [value("x", FLOAT, ("n", width))], [value("y", FLOAT, ("n", 1))], **weights)


def classifier(weights: npt.NDArray[Any], bias: npt.NDArray[Any]) -> Any:
    """As skl2onnx makes them without zipmap: `x (n, k) -> label (n,) int64, probabilities (n, m) float`."""
    width, classes = weights.shape
    return graph(
        [
            node("Gemm", "x w b", "scores"),
            node("Softmax", "scores", "probabilities", axis=1),
            node("ArgMax", "probabilities", "label", axis=1, keepdims=0),
        ],
        [value("x", FLOAT, (None, width))],
        [value("label", INT64, (None,)), value("probabilities", FLOAT, (None, classes))],
        w=weights.astype(np.float32),
        b=bias.astype(np.float32),
    )


def zipped(weights: npt.NDArray[Any]) -> Any:
    """As skl2onnx makes classifiers by default: the probabilities are a dict per row, by class."""
    classes = weights.shape[1]
    kind = helper.make_map_type_proto(INT64, helper.make_tensor_type_proto(FLOAT, ()))
    return graph(
        [
            node("MatMul", "x w", "scores"),
            node("Softmax", "scores", "p", axis=1),
            node("ArgMax", "p", "output_label", axis=1, keepdims=0),
            node("ZipMap", "p", "output_probability", domain="ai.onnx.ml", classlabels_int64s=list(range(classes))),
        ],
        [value("x", FLOAT, (None, weights.shape[0]))],
        [
            value("output_label", INT64, (None,)),
            helper.make_value_info("output_probability", helper.make_sequence_type_proto(kind)),
        ],
        w=weights.astype(np.float32),
    )


def saved(model: Any, path: Path) -> Path:
    """The model's file."""
    onnx.save(model, str(path))
    return path
