"""Which output of a converted graph is what the model predicts: found by predicting rows with both."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from sparkscore.model.runtimes.onnx.graph import leaf_type
from sparkscore.model.signature.numpy_inputs import NumpyArray, list_depth

_ROUGH = 0.05
"""Further apart than this on the mean are other things than the model's predictions."""
ODD_PREDICTION = "none of the graph's outputs is what the model predicts"


@dataclass(frozen=True, slots=True)
class OutputForm:
    """An output of a graph, in a form of the prediction's shape."""

    name: str
    kind: str
    """same, flat or column."""
    column: int = 0
    logarithm: bool = False


def select_graph_output(model: Any, results: Mapping[str, NumpyArray], expected: pa.Array, name: str) -> Any:
    """The model with one output, `name`, in the type of the prediction and in the form nearest to the expected ones.

    Needs:   `results`, what the graph gave for rows, by output; `expected`, what the model predicted for them.
    Raises:  ValueError where none is near.
    """
    wanted = to_prediction_array(expected)
    distances = {
        form: _distance(_apply_form(results[form.name], form), wanted) for form in _list_forms(results, wanted)
    }
    best = min(distances, key=lambda form: distances[form], default=None)
    if best is None or not distances[best] <= _ROUGH:
        raise ValueError(ODD_PREDICTION)
    return _cut_to_output(model, best, results[best.name].dtype, expected.type, name)


def to_prediction_array(predictions: pa.Array) -> NumpyArray:
    """Predictions as (n,) or (n, k).

    Raises:  ValueError for structs, and lists of several lengths.
    """
    if list_depth(predictions.type) == 1:
        values = predictions.flatten().to_numpy(zero_copy_only=False)
        return np.asarray(values).reshape(len(predictions), -1)
    if pa.types.is_nested(predictions.type):
        raise ValueError(f"predictions are {predictions.type}, and a graph's output is one number or one list")
    return np.asarray(predictions.to_numpy(zero_copy_only=False))


def _list_forms(results: Mapping[str, NumpyArray], wanted: NumpyArray) -> Iterator[OutputForm]:
    for name, result in results.items():
        if not hasattr(result, "shape") or len(result) != len(wanted):
            continue
        if result.shape == wanted.shape:
            yield OutputForm(name, "same")
            if result.dtype.kind == "f":
                yield OutputForm(name, "same", logarithm=True)
        elif wanted.ndim == 1 and result.ndim == 2 and result.shape[1] == 1:
            yield OutputForm(name, "flat")
        elif wanted.ndim == 1 and result.ndim == 2:
            yield from (OutputForm(name, "column", column) for column in range(result.shape[1]))
        elif wanted.ndim == 2 and wanted.shape[1] == 1 and result.ndim == 1:
            yield OutputForm(name, "upright")


def _apply_form(result: NumpyArray, form: OutputForm) -> NumpyArray:
    forms: Mapping[str, Callable[[], NumpyArray]] = {
        "same": lambda: result,
        "flat": lambda: result[:, 0],
        "upright": lambda: result[:, None],
        "column": lambda: result[:, form.column],
    }
    made = forms[form.kind]()
    with np.errstate(all="ignore"):
        return np.log(made) if form.logarithm else made


def _distance(found: NumpyArray, wanted: NumpyArray) -> float:
    """The mean difference in terms of the values' spread; the share of other values where they are no numbers."""
    if found.dtype.kind not in "fiub" or wanted.dtype.kind not in "fiub":
        return float(np.mean(found.astype(str) != wanted.astype(str)))
    first, second = found.astype(np.float64), wanted.astype(np.float64)
    with np.errstate(all="ignore"):
        different = np.where(first == second, 0.0, np.abs(first - second))
        different = np.where(np.isnan(first) & np.isnan(second), 0.0, different)
    return float(np.mean(different) / max(float(np.nanstd(second)), 1e-9)) if np.isfinite(different).all() else np.inf


def _cut_to_output(model: Any, form: OutputForm, dtype: Any, kind: pa.DataType, name: str) -> Any:
    from onnx import helper, numpy_helper

    graph, value = model.graph, form.name

    def append(operator: str, *constants: NumpyArray, **attributes: Any) -> None:
        nonlocal value
        made, names = f"sparkscore_output_{len(graph.node)}", []
        for index, constant in enumerate(constants):
            names.append(f"{made}_constant_{index}")
            graph.initializer.append(numpy_helper.from_array(constant, names[-1]))
        graph.node.append(helper.make_node(operator, [value, *names], [made], **attributes))
        value = made

    if form.kind == "flat":
        append("Squeeze", np.array([1], np.int64))
    elif form.kind == "column":
        append("Gather", np.array(form.column, np.int64), axis=1)
    elif form.kind == "upright":
        append("Unsqueeze", np.array([1], np.int64))
    if form.logarithm:
        append("Log")
    leaf = leaf_type(kind)
    target = dtype if pa.types.is_string(leaf) or dtype.kind == "O" else np.dtype(leaf.to_pandas_dtype())
    is_wider = dtype.kind == target.kind == "f" and dtype.itemsize <= target.itemsize
    if target != dtype and not is_wider:
        append("Cast", to=helper.np_dtype_to_tensor_dtype(target))
        dtype = target
    append("Identity")
    graph.node[-1].output[0] = name
    del graph.output[:]
    element = 8 if dtype.kind in "OU" else helper.np_dtype_to_tensor_dtype(dtype)
    shape = ["rows"] if list_depth(kind) == 0 else ["rows", None]
    graph.output.append(helper.make_tensor_value_info(name, element, shape))
    _drop_unused_nodes(graph)
    return model


def _drop_unused_nodes(graph: Any) -> None:
    """Without the nodes that the output does not need: labels, where probabilities are asked for."""
    needed, kept = {one.name for one in graph.output}, []
    for node in reversed(graph.node):
        if needed & set(node.output):
            kept.append(node)
            needed |= _names_used(node)
    del graph.node[:]
    graph.node.extend(reversed(kept))
    constants = [one for one in graph.initializer if one.name in needed]
    del graph.initializer[:]
    graph.initializer.extend(constants)


def _names_used(node: Any) -> set[str]:
    """What a node reads, its inner graphs among them."""
    names = set(node.input)
    for attribute in node.attribute:
        for inner in [*([attribute.g] if attribute.HasField("g") else []), *attribute.graphs]:
            names |= {name for one in inner.node for name in _names_used(one)}
            names |= {one.name for one in inner.output}
    return names
