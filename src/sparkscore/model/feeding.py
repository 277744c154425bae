"""From Arrow columns to what an ONNX graph is given, and from its results to predictions. Without pandas."""

from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from sparkscore.errors import PredictError
from sparkscore.model.arrays import Array, matrix, numpy_type, tensor
from sparkscore.model.graph_inputs import Feed
from sparkscore.model.inputs import checked, names
from sparkscore.model.shipped import ShippedModel


def prepared(plan: tuple[Feed, ...], columns: Sequence[pa.Array], model: ShippedModel) -> dict[str, Array]:
    """What the graph is given for a batch.

    Runs on: executor.
    Raises:  SignatureError, PredictError, as `features`; also for NULL in text.
    """
    ready, called = checked(columns, model), names(model.inputs)
    return {feed.name: _filled(feed, ready, called, model.inputs[feed.places[0]].shape) for feed in plan}


def by_field(results: Sequence[Any], output: pa.DataType, *, several: bool) -> Any:
    """The graph's results as `predictions` takes them: one, or one per field of a struct."""
    if not several:
        return results[0]
    return dict(zip([field.name for field in output], results, strict=True))


def _filled(feed: Feed, columns: Sequence[pa.Array], called: Sequence[str], shape: tuple[int, ...] | None) -> Array:
    given, labels = [columns[place] for place in feed.places], [called[place] for place in feed.places]
    kind = numpy_type(feed.kind)
    if shape is not None:
        array = tensor(given[0], labels[0], shape).astype(kind, copy=False)
    else:
        array = matrix(given, labels, kind, rows_first=True).reshape(-1, *feed.row)
    return array if array.dtype != object else _without_none(array, feed.name)


def _without_none(text: Array, name: str) -> Array:
    """Texts as they are: where there is none, onnxruntime would read the text "None"."""
    missing = sum(one is None for one in text.flat)
    if missing:
        raise PredictError(
            f"{missing} of {text.size} texts of a batch for the graph's input {name} are NULL",
            "no NULL: ONNX has none for text",
            "filter these rows",
        )
    return text
