"""How a signature's inputs fill an ONNX graph's. Plain data: the driver asks before a run, executors when they load.

A graph computes in types of its own. Numbers are rounded to its floating type, as MLflow's wrapper rounds doubles for a
graph of floats; every other cast keeps all values, or is refused.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa

from sparkscore.model.casts import lossless
from sparkscore.model.graph import KINDS, Graph, Node, leaf, unfit
from sparkscore.model.inputs import names
from sparkscore.records import ModelInput

_ROUNDED = (pa.float32(), pa.float64())


@dataclass(frozen=True, slots=True)
class Feed:
    """How one input of a graph is filled."""

    name: str
    kind: pa.DataType
    places: tuple[int, ...]
    """Which of the signature's inputs go into it."""
    row: tuple[int, ...]
    """What of the tensor belongs to one row."""


def feeds(graph: Graph, inputs: Sequence[ModelInput]) -> tuple[Feed, ...]:
    """How the graph's inputs are filled: the only one with all columns side by side, several by their names.

    Raises:  SignatureError where signature and graph do not fit.
    """
    named = inputs[0].name is not None
    if len(graph.inputs) != 1 or (inputs[0].shape is not None and named):
        return tuple(_own(node, inputs) for node in graph.inputs)
    if inputs[0].shape is not None:
        return (_feed(graph.inputs[0], inputs, (0,), inputs[0].shape),)
    node, places = graph.inputs[0], tuple(range(len(inputs)))
    flat = node.shape is not None and len(node.shape) == 1 and len(inputs) == 1
    return (_feed(node, inputs, places, () if flat else (len(inputs),)),)


def _own(node: Node, inputs: Sequence[ModelInput]) -> Feed:
    """An input that is filled by the signature's input of its name: (n,) or, where the graph asks for it, (n, 1)."""
    places = [place for place, one in enumerate(inputs) if one.name == node.name]
    if len(places) != 1:
        raise unfit(f"has an input {node.name}, the signature only {', '.join(names(inputs))}")
    given = inputs[places[0]].shape
    upright = node.shape is not None and len(node.shape) == 2
    row = given if given is not None else (1,) if upright else ()
    return _feed(node, inputs, (places[0],), row)


def _feed(node: Node, inputs: Sequence[ModelInput], places: tuple[int, ...], row: tuple[int, ...]) -> Feed:
    kind = KINDS.get(node.kind)
    if kind is None:
        raise unfit(f"takes a {node.kind} as {node.name}")
    for place in places:
        given = inputs[place].type if inputs[place].shape is None else leaf(inputs[place].type)
        if not _takes(kind, given):
            raise unfit(f"takes {node.kind} as {node.name}, and the input {names(inputs)[place]} is {given}")
    shape = node.shape
    if shape is not None and (len(shape) != len(row) + 1 or not all(map(_open_or_same, shape, (None, *row)))):
        raise unfit(f"takes {_sizes(shape)} as {node.name}, and the signature gives {_sizes((None, *row))}")
    return Feed(node.name, kind, places, row)


def _open_or_same(graphs: int | None, ours: int | None) -> bool:
    return graphs is None or graphs == ours


def _takes(graphs: pa.DataType, signed: pa.DataType) -> bool:
    numbers = pa.types.is_integer(signed) or pa.types.is_floating(signed)
    return lossless(signed, graphs) or (numbers and graphs in _ROUNDED)


def _sizes(shape: Sequence[int | None]) -> str:
    rows = "rows" if shape and shape[0] is None else shape[0] if shape else ""
    return f"({', '.join([str(rows), *('?' if size is None else str(size) for size in shape[1:])])})"
