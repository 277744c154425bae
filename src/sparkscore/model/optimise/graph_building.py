"""Builds ONNX graphs node by node, by onnx's own helpers. Runs in the optimiser's process."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from sparkscore.errors import ModelError
from sparkscore.model.runtimes.onnx.graph import leaf_type
from sparkscore.model.signature.numpy_inputs import NumpyArray
from sparkscore.records import ModelInput

OPSET, ML_OPSET, IR_VERSION = 18, 5, 10
"""What onnxruntime 1.20 reads."""
ML_DOMAIN = "ai.onnx.ml"
MATRIX_INPUT = "features"
"""The one input of a graph for a signature without names."""


class GraphBuilder:
    """A graph in the making. Names are given by counting."""

    def __init__(self) -> None:
        from onnx import helper, numpy_helper

        self._helper, self._numpy_helper = helper, numpy_helper
        self.nodes: list[Any] = []
        self._constants: list[Any] = []
        self._inputs: list[Any] = []

    @classmethod
    def of_columns(cls, inputs: Sequence[ModelInput]) -> "GraphBuilder":
        """A graph whose inputs are these columns."""
        builder = cls()
        for one in inputs:
            builder.add_column_input(one)
        return builder

    def add_column_input(self, column: ModelInput) -> str:
        """A column of the signature as an input of the graph, (n,), under its own name."""
        return self.add_input(str(column.name), column.type, (None,))

    def add_input(self, name: str, kind: pa.DataType, shape: Sequence[int | None]) -> str:
        """An input of the graph, in the type of the signature."""
        self._inputs.append(self._helper.make_tensor_value_info(name, onnx_element_type(kind), list(shape)))
        return name

    def add_node(self, operator: str, *inputs: str, domain: str = "", **attributes: Any) -> str:
        """A node with one output; the output's name."""
        name = f"sparkscore_{len(self.nodes)}_{operator}"
        self.nodes.append(self._helper.make_node(operator, list(inputs), [name], name, domain=domain, **attributes))
        return name

    def add_identity(self, value: str, name: str) -> None:
        """The value under one more name."""
        self.nodes.append(self._helper.make_node("Identity", [value], [name], f"{name}_identity"))

    def add_constant(self, values: NumpyArray) -> str:
        """A constant; its name."""
        name = f"sparkscore_constant_{len(self._constants)}"
        self._constants.append(self._numpy_helper.from_array(values, name))
        return name

    def cast(self, value: str, numpy_type: Any) -> str:
        """A value in another type of numbers."""
        return self.add_node("Cast", value, to=self._helper.np_dtype_to_tensor_dtype(np.dtype(numpy_type)))

    def to_column(self, value: str) -> str:
        """(n,) -> (n, 1)."""
        return self.add_node("Unsqueeze", value, self.add_constant(np.array([1], np.int64)))

    def finish(self, outputs: Sequence[str]) -> Any:
        """The model, with outputs of these names, their types and shapes open."""
        helper = self._helper
        named = [helper.make_empty_tensor_value_info(name) for name in outputs]
        graph = helper.make_graph(self.nodes, "sparkscore", self._inputs, named, self._constants)
        opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid(ML_DOMAIN, ML_OPSET)]
        return helper.make_model(graph, opset_imports=opsets, ir_version=IR_VERSION, producer_name="sparkscore")


def onnx_element_type(kind: pa.DataType) -> int:
    """ONNX's number for a type of values.

    Raises:  ModelError for a type that ONNX does not have.
    """
    from onnx import TensorProto

    known = {
        pa.string(): TensorProto.STRING,
        pa.float32(): TensorProto.FLOAT,
        pa.float64(): TensorProto.DOUBLE,
        pa.int32(): TensorProto.INT32,
        pa.int64(): TensorProto.INT64,
        pa.bool_(): TensorProto.BOOL,
    }
    if kind not in known:
        raise ModelError(
            f"the model takes {kind}, which no ONNX graph of this optimiser takes",
            f"inputs of {', '.join(str(one) for one in known)}",
            "log the model with such inputs, or keep it as it is",
        )
    number: int = known[kind]
    return number


def add_matrix_input(builder: GraphBuilder, inputs: Sequence[ModelInput], numpy_type: Any) -> str:
    """All inputs side by side in one type of numbers, (n, k): from named columns, or from the one matrix that there is.

    Raises:  ModelError for text among them.
    """
    if any(pa.types.is_string(leaf_type(one.type)) for one in inputs):
        raise ModelError(
            "the model takes text, and its estimator takes one matrix of numbers",
            "a pipeline whose first step encodes text by columns (ColumnTransformer)",
            "put the encoder into the pipeline",
        )
    if inputs[0].name is None or inputs[0].shape is not None:
        source = leaf_type(inputs[0].type)
        name = builder.add_input(inputs[0].name or MATRIX_INPUT, source, (None, matrix_width(inputs)))
        return name if source.to_pandas_dtype() is numpy_type else builder.cast(name, numpy_type)
    columns = [builder.to_column(_cast_input(builder, one, numpy_type)) for one in inputs]
    return builder.add_node("Concat", *columns, axis=1)


def matrix_width(inputs: Sequence[ModelInput]) -> int:
    """How many numbers a row has: of columns, or of the one tensor that there is.

    Raises:  ModelError for several tensors, and for tensors of more dimensions.
    """
    shape = inputs[0].shape
    if shape is None:
        return len(inputs)
    if len(inputs) > 1 or len(shape) > 1:
        raise ModelError(
            "the model takes tensors of more than two dimensions, or several",
            "one matrix (-1, k), or columns",
            "export it by hand with torch.onnx.export, and log the graph with mlflow.onnx",
        )
    return shape[0] if shape else 1


def _cast_input(builder: GraphBuilder, one: ModelInput, numpy_type: Any) -> str:
    name = builder.add_column_input(one)
    return name if one.type.to_pandas_dtype() is numpy_type else builder.cast(name, numpy_type)
