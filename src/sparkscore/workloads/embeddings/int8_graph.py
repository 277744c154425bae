"""A graph's products with constant weights, computed in 8-bit integers. Runs on the driver, needs onnx.

Weights get a scale per output column, their inputs one per row, that is per token: what a token becomes does not depend
on the texts beside it, as it does with one scale per batch (`onnxruntime.quantization.quantize_dynamic`).
"""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

_STEPS = 127
_ZERO_POINT = 128
_LEAST_MAXIMUM = 1e-30
"""In the place of a row of zeros' maximum."""


def quantise_products(graph: Any) -> int:
    """Replace each MatMul with a constant matrix by MatMulInteger, in place.

    `graph`: an onnx GraphProto. Returns: how many were replaced; 0 for a graph that has its own form of integers.
    """
    from onnx import numpy_helper

    weights = {one.name: one for one in graph.initializer}
    rewriter = _Rewriter(graph)
    nodes: list[Any] = []
    for node in graph.node:
        stored = weights.get(node.input[1]) if node.op_type == "MatMul" else None
        if stored is None or len(stored.dims) != 2:
            nodes.append(node)
            continue
        nodes.extend(rewriter.quantise_rows(node.input[0], stored.dims[0]))
        nodes.extend(rewriter.multiply(node, numpy_helper.to_array(stored)))
    del graph.node[:]
    graph.node.extend(nodes)
    _drop_unused(graph, weights)
    return rewriter.products


class _Rewriter:
    """Makes nodes and their constants, each name once."""

    def __init__(self, graph: Any) -> None:
        from onnx import helper

        self.products = 0
        self._graph, self._node = graph, helper.make_node
        self._rows: set[str] = set()
        for name, value in {
            "int8_least": np.float32(_LEAST_MAXIMUM),
            "int8_step": np.float32(1 / _STEPS),
            "int8_zero": np.uint8(_ZERO_POINT),
            "int8_flat": np.array([-1], np.int64),
            "int8_first": np.array([0], np.int64),
            "int8_last": np.array([-1], np.int64),
        }.items():
            self._store(name, np.asarray(value))

    def quantise_rows(self, name: str, width: int) -> Iterator[Any]:
        """Nodes that make `<name>:q` (rows, width) of uint8 and `<name>:scale` (rows, 1), once."""
        if name in self._rows:
            return
        self._rows.add(name)
        self._store(f"{name}:matrix", np.array([-1, width], np.int64))
        node = self._node
        yield node("Reshape", [name, f"{name}:matrix"], [f"{name}:2d"])
        yield node("Abs", [f"{name}:2d"], [f"{name}:abs"])
        yield node("ReduceMax", [f"{name}:abs"], [f"{name}:max"], axes=[1], keepdims=1)
        yield node("Max", [f"{name}:max", "int8_least"], [f"{name}:most"])
        yield node("Mul", [f"{name}:most", "int8_step"], [f"{name}:scale"])
        yield node("Reshape", [f"{name}:scale", "int8_flat"], [f"{name}:scales"])
        yield node("Shape", [f"{name}:scales"], [f"{name}:rows"])
        yield node("Expand", ["int8_zero", f"{name}:rows"], [f"{name}:zeros"])
        yield node("QuantizeLinear", [f"{name}:2d", f"{name}:scales", f"{name}:zeros"], [f"{name}:q"], axis=0)

    def multiply(self, product: Any, weights: Any) -> Iterator[Any]:
        """Nodes in the place of a product whose left side `quantise_rows` has done."""
        given, stored, output = product.input[0], product.input[1], product.output[0]
        scales = np.maximum(np.abs(weights).max(axis=0), _LEAST_MAXIMUM) / _STEPS
        self._store(f"{stored}:q", np.clip(np.rint(weights / scales), -_STEPS, _STEPS).astype(np.int8))
        self._store(f"{stored}:scale", scales.astype(np.float32))
        self._store(f"{output}:width", np.array([weights.shape[1]], np.int64))
        self.products += 1
        node = self._node
        yield node("MatMulInteger", [f"{given}:q", f"{stored}:q", "int8_zero"], [f"{output}:int"])
        yield node("Cast", [f"{output}:int"], [f"{output}:float"], to=1)
        yield node("Mul", [f"{output}:float", f"{stored}:scale"], [f"{output}:columns"])
        yield node("Mul", [f"{output}:columns", f"{given}:scale"], [f"{output}:2d"])
        yield node("Shape", [given], [f"{output}:given"])
        yield node("Slice", [f"{output}:given", "int8_first", "int8_last"], [f"{output}:outer"])
        yield node("Concat", [f"{output}:outer", f"{output}:width"], [f"{output}:shape"], axis=0)
        yield node("Reshape", [f"{output}:2d", f"{output}:shape"], [output])

    def _store(self, name: str, value: Any) -> None:
        from onnx import numpy_helper

        self._graph.initializer.append(numpy_helper.from_array(value, name))


def _drop_unused(graph: Any, replaced: Mapping[str, Any]) -> None:
    used = {name for node in graph.node for name in node.input}
    kept = [one for one in graph.initializer if one.name in used or one.name not in replaced]
    del graph.initializer[:]
    graph.initializer.extend(kept)
