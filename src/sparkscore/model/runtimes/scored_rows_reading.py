"""Reads what a model returns as `ScoredRows`: predictions, rejects by its own word, counts. Runs on executors."""

import math
import re
from collections.abc import Mapping
from operator import index
from typing import Any

import numpy as np
import pyarrow as pa

from sparkscore.errors import PredictError
from sparkscore.model.distribution.shipped_model import ShippedModel
from sparkscore.model.runtimes.scored_batch import NO_COUNTS, ScoredBatch
from sparkscore.model.signature.kept_results import keep_result_rows
from sparkscore.model.signature.model_outputs import to_prediction_column, unfit_result_error
from sparkscore.model.signature.result_values import UnfitResultError
from sparkscore.records import RowReject, ScoredRows
from sparkscore.redaction.secret_patterns import shorten_redacted
from sparkscore.schemas import build_reject_array

HIDDEN_REJECT_MESSAGE = "the model rejected this row"
"""Instead of the model's own message, where it gives none, or where that may hold values that nobody may see."""
_CODE_PATTERN = re.compile(r"[a-z0-9_]{1,40}")
_COUNT_NAME_PATTERN = re.compile(r"[a-z][a-z0-9_]{0,63}")
_MAX_COUNTS = 100
_MAX_MESSAGE_LENGTH = 300
_EXAMPLE = 'ScoredRows(predictions, rejects={3: RowReject("empty_text", "the text is empty")}, counts={"tokens": 17})'


def read_scored_rows(result: ScoredRows, rows: int, model: ShippedModel) -> ScoredBatch:
    """The batch that a model has told of.

    Raises:  PredictError for another number of predictions, a position outside of the batch, a code or the name of a
             count that is none, a count that is no finite number; it names a code or a name unless that may hold values
             (`ShippedModel.sensitive`).
    """
    counts = read_model_counts(result.counts, model)
    rejects = _read_rejects(result.rejects, rows, model)
    if not rejects:
        return ScoredBatch(_convert_predictions(result.predictions, rows, model), counts=counts)
    codes: list[str | None] = [None] * rows
    messages: list[str | None] = [None] * rows
    for position, (code, message) in rejects.items():
        codes[position], messages[position] = code, message
    places = np.setdiff1d(np.arange(rows), np.fromiter(rejects, np.int64, len(rejects)), assume_unique=True)
    predictions = _spread_predictions(_convert_kept(result.predictions, places, rows, model), places, rows)
    texts = pa.array(codes, pa.string()), pa.nulls(rows, pa.string()), pa.array(messages, pa.string())
    return ScoredBatch(predictions, build_reject_array(*texts), counts)


def _convert_kept(result: Any, places: np.ndarray[Any, Any], rows: int, model: ShippedModel) -> pa.Array:
    """The predictions of the rows that the model has not rejected."""
    try:
        kept = keep_result_rows(result, places, rows)
    except UnfitResultError as error:
        raise unfit_result_error(error, rows, model.output, model.parts, name_columns=not model.sensitive) from None
    return _convert_predictions(kept, len(places), model) if len(places) else pa.nulls(0, model.output)


def _convert_predictions(result: Any, rows: int, model: ShippedModel) -> pa.Array:
    return to_prediction_column(result, rows, model.output, parts=model.parts, name_columns=not model.sensitive)


def _spread_predictions(predictions: pa.Array, places: np.ndarray[Any, Any], rows: int) -> pa.Array:
    """The predictions at these places, NULL elsewhere."""
    indexes, missing = np.zeros(rows, np.int64), np.ones(rows, bool)
    indexes[places], missing[places] = np.arange(len(places)), False
    return predictions.take(pa.array(indexes, mask=missing))


def _read_rejects(rejects: Any, rows: int, model: ShippedModel) -> dict[int, tuple[str, str]]:
    if not isinstance(rejects, Mapping):
        raise _misuse_error(f"rejects of type {type(rejects).__name__}", "a dict of positions and RowReject")
    texts: dict[RowReject, tuple[str, str]] = {}
    read: dict[int, tuple[str, str]] = {}
    for position, reject in rejects.items():
        if not isinstance(reject, RowReject):
            raise _misuse_error(f"a reject of type {type(reject).__name__}", "RowReject(code, message)")
        if reject not in texts:
            texts[reject] = _read_reject(reject, model)
        read[_read_position(position, rows)] = texts[reject]
    return read


def _read_position(position: Any, rows: int) -> int:
    try:
        place = index(position)
    except TypeError:
        raise _misuse_error(
            f"a reject at a position of type {type(position).__name__}", "the number of a row of the batch, from 0"
        ) from None
    if not 0 <= place < rows:
        raise _misuse_error(f"a reject at position {place} of a batch of {rows:,} rows", f"0 to {rows - 1:,}")
    return place


def _read_reject(reject: RowReject, model: ShippedModel) -> tuple[str, str]:
    """Code and message."""
    code: Any = reject.code
    if not isinstance(code, str) or not _CODE_PATTERN.fullmatch(code):
        found = "" if model.sensitive else f" {code!r:.60}"
        raise _misuse_error(f"a reject with the code{found}", "1 to 40 characters of a-z, 0-9 and _")
    message: Any = reject.message
    if not isinstance(message, str):
        raise _misuse_error(f"a reject with a message of type {type(message).__name__}", "text")
    message = " ".join(message.split())
    if model.sensitive or not message:
        return code, HIDDEN_REJECT_MESSAGE
    return code, shorten_redacted(message, _MAX_MESSAGE_LENGTH)


def read_model_counts(counts: Any, model: ShippedModel) -> Mapping[str, float]:
    """A model's own counts.

    Raises:  PredictError, as `read_scored_rows`.
    """
    if not isinstance(counts, Mapping):
        raise _misuse_error(f"counts of type {type(counts).__name__}", "a dict of names and numbers")
    if not counts:
        return NO_COUNTS
    if len(counts) > _MAX_COUNTS:
        raise _misuse_error(f"{len(counts):,} counts in one call", f"at most {_MAX_COUNTS}")
    return dict(_read_model_count(name, value, model) for name, value in counts.items())


def _read_model_count(name: Any, value: Any, model: ShippedModel) -> tuple[str, float]:
    shown = "" if model.sensitive else f" {name!r:.80}"
    if not isinstance(name, str) or not _COUNT_NAME_PATTERN.fullmatch(name):
        raise _misuse_error(f"a count with the name{shown}", "a-z, then up to 63 characters of a-z, 0-9 and _")
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise _misuse_error(f"the count{shown} that is no finite number", "a number")
    return name, value


def _misuse_error(found: str, expected: str) -> PredictError:
    return PredictError(f"the model returned ScoredRows with {found}", expected, f"return {_EXAMPLE}")
