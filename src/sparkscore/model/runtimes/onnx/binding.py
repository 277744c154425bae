"""Converts Arrow columns to the inputs of an ONNX graph, and its results to predictions. Without pandas."""

from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from sparkscore.errors import PredictError
from sparkscore.model.distribution.shipped_model import ShippedModel
from sparkscore.model.runtimes.onnx.graph_inputs import GraphFeed
from sparkscore.model.signature.model_inputs import cast_model_inputs, input_names
from sparkscore.model.signature.numpy_inputs import (
    NumpyArray,
    numpy_type,
    round_numpy_tensor,
    to_numpy_matrix,
    to_numpy_tensor,
)


def build_input_feed(
    plan: tuple[GraphFeed, ...], columns: Sequence[pa.Array], model: ShippedModel
) -> dict[str, NumpyArray]:
    """The graph's inputs for a batch.

    Runs on: executor.
    Raises:  SignatureError, PredictError, as `build_features`; also for NULL in text.
    """
    ready, names = cast_model_inputs(columns, model), input_names(model.inputs)
    return {
        feed.name: _fill_graph_input(feed, ready, names, model.inputs[feed.input_indexes[0]].shape) for feed in plan
    }


def group_results_by_field(results: Sequence[Any], output: pa.DataType, *, multiple: bool) -> Any:
    """The graph's results as `to_prediction_column` takes them: one, or one per field of a struct."""
    if not multiple:
        return results[0]
    return dict(zip([field.name for field in output], results, strict=True))


def _fill_graph_input(
    feed: GraphFeed, columns: Sequence[pa.Array], names: Sequence[str], shape: tuple[int, ...] | None
) -> NumpyArray:
    selected, labels = [columns[index] for index in feed.input_indexes], [names[index] for index in feed.input_indexes]
    kind = numpy_type(feed.kind)
    if pa.types.is_string(feed.kind):
        selected = [_replace_null_text(column, feed) for column in selected]
    if shape is not None:
        return round_numpy_tensor(to_numpy_tensor(selected[0], labels[0], shape), labels[0], kind)
    return to_numpy_matrix(selected, labels, kind, rows_first=True).reshape(-1, *feed.row)


def _replace_null_text(column: pa.Array, feed: GraphFeed) -> pa.Array:
    """Texts, in lists or not, without NULL, which onnxruntime would read as the text "None"."""
    flat = column
    while pa.types.is_list(flat.type):
        flat = flat.flatten()
    if not flat.null_count:
        return column
    if feed.null_text is not None and flat is column:
        return column.fill_null(feed.null_text)
    raise PredictError(
        f"{flat.null_count} of {len(flat)} texts of a batch for the graph's input {feed.name} are NULL",
        "no NULL: ONNX has no NULL for text",
        "filter these rows, or set model.missing to a text in its place",
    )
