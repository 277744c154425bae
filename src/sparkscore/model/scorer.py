"""A loaded model as a function on Arrow columns: what the kernel calls, wherever the model is. Needs no Spark."""

from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Any

import pyarrow as pa

from sparkscore.errors import PredictError, RowsNotPredicted, SparkscoreError
from sparkscore.model.inputs import features
from sparkscore.model.outputs import predictions
from sparkscore.model.shipped import ShippedModel

Scorer = Callable[[Sequence[pa.Array]], pa.Array]
"""Columns of n >= 1 rows, one per model input, in its order -> n predictions of the model's output type.

Raises:  SignatureError, PredictError; RowsNotPredicted where fewer rows may be predicted: the model raised, or memory
         ran out. Of values they hold what the model's own message says, where it is told (`ShippedModel.sensitive`).
"""

Prepare = Callable[[Sequence[pa.Array], ShippedModel], Any]
"""From columns to what a runtime's predictor takes."""

_MESSAGE = 300


def in_process(model: ShippedModel, predict: Callable[[Any], Any], prepare: Prepare = features) -> Scorer:
    """The model in this very process. Without `prepare` it is given what MLflow would give it.

    Runs on: executor.
    """

    if prepare is features and not model.tensor:
        import_module("sparkscore.model.frames")  # pandas: with the model, not with its first batch, which is timed

    def score(columns: Sequence[pa.Array]) -> pa.Array:
        rows = len(columns[0])
        try:
            result = _predicted(predict, prepare(columns, model), rows, model)
            return predictions(result, rows, model.output, named=not model.sensitive)
        except MemoryError as error:  # beside the model: what it is given, and what it returned, are copies
            raise _not_predicted(error, rows, model) from seen(error, model)

    return score


def gist(error: Exception, *, sensitive: bool = False) -> str:
    """Class and first line of an error, cut short; the class alone where the rest may hold what nobody may see."""
    name = type(error).__name__
    return name if sensitive else f"{name}: {str(error).strip().partition(chr(10))[0][:_MESSAGE]}"


def seen(error: Exception, model: ShippedModel) -> Exception | None:
    """The error as a cause, whose words Spark writes to its logs; None where they may hold what nobody may see."""
    return None if model.sensitive else error


def not_loaded(error: Exception, *, sensitive: bool = False) -> SparkscoreError:
    """What a model raised when it was loaded, as the suite's own error."""
    if isinstance(error, SparkscoreError):
        return error
    return PredictError(
        f"the model could not be loaded on an executor: {gist(error, sensitive=sensitive)}",
        "the packages that the model was logged with",
        "install what its requirements.txt lists on the executors",
    )


def _predicted(predict: Callable[[Any], Any], given: Any, rows: int, model: ShippedModel) -> object:
    try:
        return predict(given)
    except SparkscoreError:
        raise
    except Exception as error:  # noqa: BLE001 - whatever a model raises, `from` is there
        raise _not_predicted(error, rows, model) from seen(error, model)


def _not_predicted(error: Exception, rows: int, model: ShippedModel) -> RowsNotPredicted:
    return RowsNotPredicted(
        f"the model raised {gist(error, sensitive=model.sensitive)} on a batch of {rows} rows",
        "a model that predicts every row that its signature allows",
        "run it on such rows by hand; keep rows that it cannot take out by a filter",
        raised=type(error).__name__,
    )
