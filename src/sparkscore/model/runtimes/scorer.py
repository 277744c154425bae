"""A loaded model as a function on Arrow columns: what the kernel calls, wherever the model is. Needs no Spark."""

from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Any

import pyarrow as pa

from sparkscore.errors import PredictError, RowsNotPredicted, SparkscoreError
from sparkscore.model.distribution.shipped_model import ShippedModel
from sparkscore.model.runtimes.foreign_code import guard_foreign_code, is_exit_error, unwrap_foreign_error
from sparkscore.model.signature.model_inputs import build_features
from sparkscore.model.signature.model_outputs import to_prediction_column

Scorer = Callable[[Sequence[pa.Array]], pa.Array]
"""Columns of n >= 1 rows, one per model input, in its order -> n predictions of the model's output type.

Raises:  SignatureError, PredictError; RowsNotPredicted if fewer rows may be predicted: the model raised, or memory
         ran out. They hold values only in the model's own message, if that may be shown (`ShippedModel.sensitive`).
"""

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
    model: ShippedModel, predict: Callable[[Any], Any], prepare: InputPreparation = build_features
) -> Scorer:
    """The model in this very process. Without `prepare` it gets what MLflow would give it.

    Runs on: executor.
    """

    if prepare is build_features and not model.tensor:
        import_module(
            "sparkscore.model.signature.pandas_inputs"
        )  # pandas: with the model, not with its first batch, which is timed

    def score(columns: Sequence[pa.Array]) -> pa.Array:
        rows = len(columns[0])
        try:
            return _convert_result(_call_predictor(predict, prepare(columns, model), rows, model), rows, model)
        except MemoryError as error:  # beside the model: what it is given, and what it returned, are copies
            raise _rows_not_predicted_error(error, rows, model) from visible_cause(error, model)

    return score


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
    return PredictError(
        f"the model could not be loaded on an executor: {summarise_model_error(error, sensitive=sensitive)}",
        "the packages that the model was logged with",
        "install what its requirements.txt lists on the executors",
    )


def _call_predictor(predict: Callable[[Any], Any], features: Any, rows: int, model: ShippedModel) -> object:
    try:
        with guard_foreign_code():
            return predict(features)
    except RefusedResultError as refused:
        raise refused.error from None
    except Exception as error:  # noqa: BLE001 - whatever a model raises, `from` is there
        raise _rows_not_predicted_error(error, rows, model) from visible_cause(error, model)


def _convert_result(result: object, rows: int, model: ShippedModel) -> pa.Array:
    """The predictions. The model may return an object of its own, which raises an error when it is read."""
    try:
        with guard_foreign_code():
            return to_prediction_column(result, rows, model.output, parts=model.parts, name_columns=not model.sensitive)
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
    return RowsNotPredicted(
        f"the model raised {summarise_model_error(error, sensitive=model.sensitive)} on a batch of {rows} rows",
        "a model that predicts every row that its signature allows",
        "run it on such rows by hand; exclude rows that it cannot predict with a filter",
        raised=type(unwrap_foreign_error(error)).__name__,
    )
