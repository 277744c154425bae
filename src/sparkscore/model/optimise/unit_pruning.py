"""Removes hidden units of dense layers that give the same value for all rows: their part goes into the next bias.

What is removed is judged by rows of the source, not by the size of weights: a unit that never fires on them is free.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from sparkscore.model.signature.numpy_inputs import NumpyArray

_ACTIVATIONS = ("Relu", "LeakyRelu", "Elu", "Selu", "Tanh", "Sigmoid", "Softplus", "Gelu")
_CONSTANT = 1e-6
"""Of the largest value of the layer: units that vary less are constant."""


@dataclass(frozen=True, slots=True)
class _HiddenLayer:
    """A dense layer, what is behind it, and the next dense layer."""

    first: Any
    hidden: str
    """What the activation gives."""
    second: Any


def prune_units(graph: Any, feeds: Sequence[Mapping[str, NumpyArray]]) -> tuple[Any, int]:
    """The graph without constant units, in place, and how many there were.

    Needs:   dense layers written as Gemm, as torch.onnx writes them.
    """
    layers, removed = list(_find_hidden_layers(graph.graph)), 0
    if not layers:
        return graph, 0
    values = _record_values(graph, [layer.hidden for layer in layers], feeds)
    weights = {one.name: one for one in graph.graph.initializer}
    for layer in layers:
        seen = values[layer.hidden]
        spread = seen.max(axis=0) - seen.min(axis=0)
        kept = np.flatnonzero(spread > _CONSTANT * max(float(np.abs(seen).max()), 1e-30))
        if 0 < len(kept) < len(spread):
            _cut_layer(layer, weights, kept, seen.mean(axis=0))
            removed += len(spread) - len(kept)
    return graph, removed


def _find_hidden_layers(graph: Any) -> Iterator[_HiddenLayer]:
    constants = {one.name for one in graph.initializer}
    readers: dict[str, list[Any]] = {}
    for node in graph.node:
        for name in node.input:
            readers.setdefault(name, []).append(node)
    outputs = {one.name for one in graph.output}
    for node in graph.node:
        value = node.output[0]
        while len(readers.get(value, ())) == 1 and readers[value][0].op_type in _ACTIVATIONS and value not in outputs:
            value = readers[value][0].output[0]
        following = readers.get(value, ())
        if value in outputs or len(following) != 1 or not _is_dense(node, constants):
            continue
        if _is_dense(following[0], constants) and following[0].input[0] == value:
            yield _HiddenLayer(node, value, following[0])


def _is_dense(node: Any, constants: set[str]) -> bool:
    settings = {one.name: one.i for one in node.attribute}
    plain = settings.get("transB") == 1 and not settings.get("transA")
    return node.op_type == "Gemm" and len(node.input) == 3 and set(node.input[1:]) <= constants and plain


def _record_values(
    graph: Any, names: Sequence[str], feeds: Sequence[Mapping[str, NumpyArray]]
) -> dict[str, NumpyArray]:
    import onnxruntime

    watched = type(graph)()
    watched.CopyFrom(graph)
    for name in names:
        watched.graph.output.add().name = name
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(watched.SerializeToString(), options, providers=["CPUExecutionProvider"])
    found = [session.run(list(names), dict(feed)) for feed in feeds]
    return {name: np.concatenate([batch[index] for batch in found]) for index, name in enumerate(names)}


def _cut_layer(layer: _HiddenLayer, weights: dict[str, Any], kept: NumpyArray, mean: NumpyArray) -> None:
    from onnx import numpy_helper

    arrays = {name: numpy_helper.to_array(weights[name]) for name in (*layer.first.input[1:], *layer.second.input[1:])}
    first_weight, first_bias = layer.first.input[1:]
    second_weight, second_bias = layer.second.input[1:]
    gone = np.setdiff1d(np.arange(len(mean)), kept)
    made = {
        first_weight: arrays[first_weight][kept],
        first_bias: arrays[first_bias][kept],
        second_weight: arrays[second_weight][:, kept],
        second_bias: arrays[second_bias] + arrays[second_weight][:, gone] @ mean[gone],
    }
    for name, array in made.items():
        weights[name].CopyFrom(numpy_helper.from_array(np.ascontiguousarray(array.astype(arrays[name].dtype)), name))
