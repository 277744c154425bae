"""A loaded model as a function on Arrow columns: what the kernel calls, wherever the model is. Needs no Spark."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from typing import Any

import pyarrow as pa

from sparkscore.errors import (
    BatchOutOfMemory,
    BatchTimeout,
    ModelNotLoaded,
    PredictError,
    RowsNotPredicted,
    SparkscoreError,
)
from sparkscore.model.distribution.shipped_model import ShippedModel
from sparkscore.model.runtimes.event_loop import LateAnswerError, is_awaitable, wait_for_answer
from sparkscore.model.runtimes.foreign_code import guard_foreign_code, is_exit_error, unwrap_foreign_error
from sparkscore.model.runtimes.memory_errors import is_out_of_memory
from sparkscore.model.runtimes.scored_batch import NO_COUNTS, ScoredBatch
from sparkscore.model.runtimes.scored_rows_reading import read_model_counts, read_scored_rows
from sparkscore.model.signature.model_inputs import build_features
from sparkscore.model.signature.model_outputs import to_prediction_column
from sparkscore.records import ScoredRows

Scorer = Callable[[Sequence[pa.Array]], ScoredBatch]
"""Columns of n >= 1 rows, one per model input, in its order -> what became of them: n predictions of the model's output
type, and what the model says beside them.

Raises:  SignatureError, PredictError; RowsNotPredicted if fewer rows may be predicted: the model raised, or memory
         ran out (BatchOutOfMemory). They hold values only in the model's own message, if that may be shown
         (`ShippedModel.sensitive`).
"""

TaskEnd = Callable[[], Mapping[str, float]]
"""Tells a model that a task ends -> what it has counted that it has not told with a batch.

Raises:  whatever the model raises.
"""


@dataclass(frozen=True, slots=True)
class TaskScorer:
    """A scorer whose model is told when a task ends."""

    score: Scorer
    end_task: TaskEnd

    def __call__(self, columns: Sequence[pa.Array]) -> ScoredBatch:
        """What became of the rows."""
        return self.score(columns)


def find_task_end(score: Scorer) -> TaskEnd | None:
    """What tells the scorer's model that a task ends; None where it does not want to know."""
    return getattr(score, "end_task", None)


InputPreparation = Callable[[Sequence[pa.Array], ShippedModel], Any]
"""From columns to what a runtime's predictor takes."""

_MAX_MESSAGE_LENGTH = 300


class RefusedResultError(Exception):
    """What a runtime raises inside `predict` to refuse what the model returned: all else that leaves it is the model's.

    Its text: what was returned instead of what MLflow expects.
    """

    def __init__(self, found: str, expected: str, do: str) -> None:
        super().__init__(found, expected, do)
        self.error = PredictError(found, expected, do)


def build_local_scorer(
    model: ShippedModel,
    predict: Callable[[Any], Any],
    prepare: InputPreparation = build_features,
    *,
    end_task: Callable[[], Any] | None = None,
) -> Scorer:
    """The model in this very process. Without `prepare` it gets what MLflow would give it.

    `end_task`: the model's own function for the end of a task, which may return counts, and may be asynchronous.

    Runs on: executor.
    """

    if prepare is build_features and not model.tensor:
        import_module(
            "sparkscore.model.signature.pandas_inputs"
        )  # pandas: with the model, not with its first batch, which is timed

    def score(columns: Sequence[pa.Array]) -> ScoredBatch:
        rows = len(columns[0])
        try:
            features = _prepare_features(prepare, columns, model)
            return _convert_result(_call_predictor(predict, features, rows, model), rows, model)
        except MemoryError as error:  # beside the model: what it is given, and what it returned, are copies
            raise _rows_not_predicted_error(error, rows, model) from visible_cause(error, model)

    return score if end_task is None else TaskScorer(score, partial(_end_model_task, end_task, model))


def _prepare_features(prepare: InputPreparation, columns: Sequence[pa.Array], model: ShippedModel) -> Any:
    """What the predictor takes. A string column of Spark can hold any bytes, and Python takes only texts: such a row is
    not predicted."""
    try:
        return prepare(columns, model)
    except (pa.ArrowException, UnicodeDecodeError):
        if not any(map(_has_invalid_text, columns)):
            raise
        raise RowsNotPredicted(
            f"a text in a batch of {len(columns[0])} rows is not UTF-8",
            "texts whose bytes are UTF-8",
            "look at the rejected rows; in Spark is_valid_utf8 finds such texts, make_valid_utf8 mends them",
            raised="UnicodeDecodeError",
        ) from None


def _has_invalid_text(column: pa.Array) -> bool:
    try:
        column.validate(full=True)
    except pa.ArrowInvalid:
        return True
    return False


def _end_model_task(end_task: Callable[[], Any], model: ShippedModel) -> Mapping[str, float]:
    with guard_foreign_code():
        counts = end_task()
        if is_awaitable(counts):
            counts = wait_for_answer(counts, model.batch_timeout)
    return NO_COUNTS if counts is None else read_model_counts(counts, model)


def summarise_model_error(error: BaseException, *, sensitive: bool = False) -> str:
    """Class and first line of an error, shortened; the class alone if the rest may hold sensitive values."""
    error = unwrap_foreign_error(error)
    name = type(error).__name__
    return name if sensitive else f"{name}: {str(error).strip().partition(chr(10))[0][:_MAX_MESSAGE_LENGTH]}"


def visible_cause(error: Exception, model: ShippedModel) -> Exception | None:
    """The error as a cause, whose message Spark writes to its logs; None if it may hold sensitive values."""
    return None if model.sensitive else error


def to_load_error(error: Exception, *, sensitive: bool = False) -> SparkscoreError:
    """The suite's own error for what a model raised on loading. Errors of the suite's classes are real here:
    the loaders call what is the model's inside `guard_foreign_code`."""
    if isinstance(error, SparkscoreError):
        return error
    return ModelNotLoaded(
        f"the model could not be loaded on an executor: {summarise_model_error(error, sensitive=sensitive)}",
        "the packages that the model was logged with",
        raised=type(unwrap_foreign_error(error)).__name__,
    )


def _call_predictor(predict: Callable[[Any], Any], features: Any, rows: int, model: ShippedModel) -> object:
    try:
        with guard_foreign_code():
            result = predict(features)
            return wait_for_answer(result, model.batch_timeout) if is_awaitable(result) else result
    except LateAnswerError:
        raise BatchTimeout(
            f"the model did not answer within {model.batch_timeout:g} s on a batch of {rows:,} rows, and was cancelled",
            "an answer to every batch within scoring.batch_timeout",
            "give it more time, or smaller batches; have it bound the time of each request, and reject what is late",
        ) from None
    except RefusedResultError as refused:
        raise refused.error from None
    except Exception as error:  # noqa: BLE001 - whatever a model raises, `from` is there
        raised = unwrap_foreign_error(error)
        if model.is_own and isinstance(raised, SparkscoreError):
            raise raised from None
        raise _rows_not_predicted_error(error, rows, model) from visible_cause(error, model)


def _convert_result(result: object, rows: int, model: ShippedModel) -> ScoredBatch:
    """What the result says. The model may return an object of its own, which raises an error when it is read."""
    try:
        with guard_foreign_code():
            if isinstance(result, ScoredRows):
                return read_scored_rows(result, rows, model)
            column = to_prediction_column(
                result, rows, model.output, parts=model.parts, name_columns=not model.sensitive
            )
            return ScoredBatch(column)
    except MemoryError:
        raise
    except Exception as error:  # noqa: BLE001 - whatever it raises, `from` is there
        raised = unwrap_foreign_error(error)
        if type(raised) is PredictError:  # of `to_prediction_column`
            raise raised from None
        raise PredictError(
            f"what the model returned for a batch of {rows} rows raised "
            f"{summarise_model_error(error, sensitive=model.sensitive)}",
            "an array, a Series, a frame, a list, or a dict of columns",
            "return plain values, not an object that computes them when they are read",
        ) from visible_cause(error, model)


def _rows_not_predicted_error(error: Exception, rows: int, model: ShippedModel) -> PredictError:
    if is_exit_error(error):  # no row's fault: a part of the batch would end it again
        return PredictError(
            f"the model raised {summarise_model_error(error, sensitive=model.sensitive)} on a batch of {rows} rows",
            "a model that leaves its process alone",
            "remove sys.exit and the like from its code: raise an error for rows that it cannot predict",
        )
    raised = type(unwrap_foreign_error(error)).__name__
    if is_out_of_memory(error):
        return BatchOutOfMemory(
            f"memory ran out on a batch of {rows} rows: {summarise_model_error(error, sensitive=model.sensitive)}",
            "memory for the rows and for what the model computes of them",
            raised=raised,
        )
    return RowsNotPredicted(
        f"the model raised {summarise_model_error(error, sensitive=model.sensitive)} on a batch of {rows} rows",
        "a model that predicts every row that its signature allows",
        "run it on such rows by hand; exclude rows that it cannot predict with a filter",
        raised=raised,
    )
