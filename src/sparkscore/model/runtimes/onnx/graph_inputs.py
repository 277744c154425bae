"""How a signature's inputs fill an ONNX graph's. The driver checks before a run, executors when they load.

A graph computes in types of its own. Numbers are rounded to its floating type, as MLflow's wrapper rounds doubles for a
graph of floats; every other cast keeps all values, or is refused.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import pyarrow as pa

from sparkscore.model.runtimes.onnx.graph import ONNX_TENSOR_TYPES, Graph, NodeArg, graph_mismatch_error, leaf_type
from sparkscore.model.signature.lossless_casts import is_lossless_cast
from sparkscore.model.signature.model_inputs import input_names
from sparkscore.records import ModelInput

_ROUNDING_TYPES = (pa.float32(), pa.float64())


@dataclass(frozen=True, slots=True)
class GraphFeed:
    """How one input of a graph is filled."""

    name: str
    kind: pa.DataType
    input_indexes: tuple[int, ...]
    """Which of the signature's inputs go into it."""
    row: tuple[int, ...]
    """What of the tensor belongs to one row."""
    null_text: str | None = None
    """What stands for NULL in a text; None: NULL is refused."""


def plan_graph_feeds(graph: Graph, inputs: Sequence[ModelInput]) -> tuple[GraphFeed, ...]:
    """How the graph's inputs are filled: the only one with all columns side by side, several by their names.

    Raises:  SignatureError where signature and graph do not fit.
    """
    return tuple(replace(feed, null_text=graph.null_text) for feed in _plan_feeds(graph, inputs))


def _plan_feeds(graph: Graph, inputs: Sequence[ModelInput]) -> tuple[GraphFeed, ...]:
    has_names = inputs[0].name is not None
    if len(graph.inputs) != 1 or (inputs[0].shape is not None and has_names):
        return tuple(_plan_named_feed(node, inputs) for node in graph.inputs)
    if inputs[0].shape is not None:
        return (_plan_feed(graph.inputs[0], inputs, (0,), inputs[0].shape),)
    node, indexes = graph.inputs[0], tuple(range(len(inputs)))
    flat = node.shape is not None and len(node.shape) == 1 and len(inputs) == 1
    return (_plan_feed(node, inputs, indexes, () if flat else (len(inputs),)),)


def _plan_named_feed(node: NodeArg, inputs: Sequence[ModelInput]) -> GraphFeed:
    """An input that is filled by the signature's input of its name: (n,) or, where the graph asks for it, (n, 1)."""
    indexes = [index for index, one in enumerate(inputs) if one.name == node.name]
    if len(indexes) != 1:
        raise graph_mismatch_error(f"has an input {node.name}, the signature only {', '.join(input_names(inputs))}")
    input_shape = inputs[indexes[0]].shape
    upright = node.shape is not None and len(node.shape) == 2
    row = input_shape if input_shape is not None else (1,) if upright else ()
    return _plan_feed(node, inputs, (indexes[0],), row)


def _plan_feed(
    node: NodeArg, inputs: Sequence[ModelInput], indexes: tuple[int, ...], row: tuple[int, ...]
) -> GraphFeed:
    kind = ONNX_TENSOR_TYPES.get(node.kind)
    if kind is None:
        raise graph_mismatch_error(f"takes a {node.kind} as {node.name}")
    for index in indexes:
        input_type = inputs[index].type if inputs[index].shape is None else leaf_type(inputs[index].type)
        if not _can_take_input_type(kind, input_type):
            raise graph_mismatch_error(
                f"takes {node.kind} as {node.name}, and the input {input_names(inputs)[index]} is {input_type}"
            )
    shape = node.shape
    if shape is not None and (len(shape) != len(row) + 1 or not all(map(_is_open_or_equal_size, shape, (None, *row)))):
        raise graph_mismatch_error(
            f"takes {_format_tensor_shape(shape)} as {node.name}, "
            f"and the signature gives {_format_tensor_shape((None, *row))}"
        )
    return GraphFeed(node.name, kind, indexes, row)


def _is_open_or_equal_size(graph_size: int | None, row_size: int | None) -> bool:
    return graph_size is None or graph_size == row_size


def _can_take_input_type(target: pa.DataType, source: pa.DataType) -> bool:
    numbers = pa.types.is_integer(source) or pa.types.is_floating(source)
    return is_lossless_cast(source, target) or (numbers and target in _ROUNDING_TYPES)


def _format_tensor_shape(shape: Sequence[int | None]) -> str:
    rows = "rows" if shape and shape[0] is None else shape[0] if shape else ""
    return f"({', '.join([str(rows), *('?' if size is None else str(size) for size in shape[1:])])})"
