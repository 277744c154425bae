"""From a model to its first graph: the ways that there are, tried in order and held against the model's predictions."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from sparkscore.errors import ModelError
from sparkscore.model.distribution.shipped_model import OnnxFile, ShippedModel
from sparkscore.model.optimise.additive_pipelines import convert_additive_pipeline
from sparkscore.model.optimise.boosted_trees import convert_boosted_trees
from sparkscore.model.optimise.column_blocks import NULL_TEXT
from sparkscore.model.optimise.encoded_pipelines import convert_encoded_pipeline
from sparkscore.model.optimise.library_graphs import convert_by_catboost, convert_by_onnxmltools, convert_by_skl2onnx
from sparkscore.model.optimise.model_parents import ModelParent
from sparkscore.model.optimise.output_selection import select_graph_output, to_prediction_array
from sparkscore.model.optimise.torch_graphs import convert_by_torch
from sparkscore.model.runtimes.onnx.binding import build_input_feed
from sparkscore.model.runtimes.onnx.graph import NULL_TEXT_KEY
from sparkscore.model.runtimes.onnx.graph_inputs import plan_graph_feeds
from sparkscore.model.runtimes.onnx.onnx_runtime import describe_session_graph, open_onnx_session
from sparkscore.model.signature.model_inputs import build_features

_CHECKED_ROWS = 2_000
_EQUAL = 1e-6
"""Differences that only come of roundings."""


@dataclass(frozen=True, slots=True)
class ConvertedModel:
    """A model's graph, and how it was made."""

    graph: Any
    way: str
    difference: float
    """Greatest difference from the model, over the rows that were looked at."""


def convert_model(
    parent: ModelParent, model: ShippedModel, columns: Sequence[pa.Array], expected: pa.Array, *, output: str
) -> ConvertedModel:
    """The first graph that predicts what the model does, or the nearest one.

    Needs:   `columns` as the model gets them, and what it predicts for them.
    Raises:  ModelError where there is no way, with the reason of each that was tried.
    """
    few = [column.slice(0, _CHECKED_ROWS) for column in columns]
    best, reasons = None, []
    for way, convert in _list_ways(parent, model, few):
        try:
            found = _check_way(convert(), way, model, few, expected.slice(0, _CHECKED_ROWS), output)
        except Exception as error:  # noqa: BLE001  a converter raises what it likes; the next way may do
            reasons.append(f"{way}: {describe_conversion_error(error, sensitive=model.sensitive)}")
            continue
        best = found if best is None or found.difference < best.difference else best
        if found.difference <= _EQUAL:
            break
    if best is None:
        raise ModelError(
            f"the model cannot be exported: {'; '.join(reasons)}",
            "steps that have operators in ONNX",
            "replace the step that is named, or move it out of the model (model.inputs); else keep the model as it is",
        )
    return best


def describe_conversion_error(error: Exception, *, sensitive: bool) -> str:
    """The first line of what a converter says; its class alone where messages may hold values of rows."""
    if sensitive:
        return type(error).__name__
    first = str(error.found if isinstance(error, ModelError) else error).strip().partition("\n")[0]
    return (first or type(error).__name__)[:300]


def _list_ways(
    parent: ModelParent, model: ShippedModel, columns: Sequence[pa.Array]
) -> Iterator[tuple[str, Callable[[], Any]]]:
    estimator, inputs = parent.estimator, model.inputs
    if parent.library == "ONNX":
        yield "the graph itself", lambda: estimator
    if parent.library == "PyTorch":
        yield "torch.onnx", lambda: convert_by_torch(estimator, inputs)
    if parent.library == "CatBoost":
        yield "CatBoost", lambda: convert_by_catboost(estimator, inputs)
    if parent.library in ("scikit-learn", "LightGBM"):
        if hasattr(estimator, "steps"):
            yield "look-ups", lambda: convert_additive_pipeline(estimator, inputs, build_features(columns, model))
            yield "encoded columns", lambda: convert_encoded_pipeline(estimator, inputs, build_features(columns, model))
        else:
            yield "trees", lambda: convert_boosted_trees(estimator, inputs)
    if parent.library == "scikit-learn":
        yield "skl2onnx", lambda: convert_by_skl2onnx(estimator, inputs, double=True)
        yield "skl2onnx, in floats", lambda: convert_by_skl2onnx(estimator, inputs, double=False)
    if parent.library in ("LightGBM", "XGBoost"):
        yield "onnxmltools", lambda: convert_by_onnxmltools(estimator, inputs)


def _check_way(
    graph: Any, way: str, model: ShippedModel, columns: Sequence[pa.Array], expected: pa.Array, output: str
) -> ConvertedModel:
    _mark_null_text(graph)
    results = run_graph(graph, model, columns)
    chosen = select_graph_output(graph, results, expected, output)
    found = run_graph(chosen, model, columns)[output]
    return ConvertedModel(chosen, way, _greatest_difference(found, to_prediction_array(expected)))


def run_graph(graph: Any, model: ShippedModel, columns: Sequence[pa.Array]) -> dict[str, Any]:
    """What a graph gives for columns, by output, fed as the runtime feeds it."""
    session = open_onnx_session(graph.SerializeToString(), OnnxFile("", ()), cores=1, device=None)
    described = describe_session_graph(session)
    feed = build_input_feed(plan_graph_feeds(described, model.inputs), columns, model)
    names = [one.name for one in described.outputs]
    return dict(zip(names, session.run(names, feed), strict=True))


def _mark_null_text(graph: Any) -> None:
    if any(one.key == NULL_TEXT_KEY for one in graph.metadata_props):
        return
    entry = graph.metadata_props.add()
    entry.key, entry.value = NULL_TEXT_KEY, NULL_TEXT


def _greatest_difference(found: Any, wanted: Any) -> float:
    if wanted.dtype.kind not in "fiub":
        return float(np.mean(np.asarray(found).astype(str) != wanted.astype(str)))
    different = np.abs(np.asarray(found, dtype=np.float64) - wanted.astype(np.float64))
    return float(np.nanmax(different)) if different.size else 0.0
