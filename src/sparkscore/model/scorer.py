"""A loaded model as a function on Arrow columns: what the kernel calls, wherever the model is. Needs no Spark."""

from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Any

import pyarrow as pa

from sparkscore.errors import PredictError, RowsNotPredicted, SparkscoreError
from sparkscore.model.foreign import foreign, is_exit, raised_by_model
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


class RefusedResultError(Exception):
    """What a runtime raises inside `predict` to refuse what the model returned: all else that leaves it is the model's.

    Its text: what was returned instead of what MLflow expects.
    """

    def __init__(self, found: str, expected: str, do: str) -> None:
        super().__init__(found, expected, do)
        self.error = PredictError(found, expected, do)


def in_process(model: ShippedModel, predict: Callable[[Any], Any], prepare: Prepare = features) -> Scorer:
    """The model in this very process. Without `prepare` it is given what MLflow would give it.

    Runs on: executor.
    """

    if prepare is features and not model.tensor:
        import_module("sparkscore.model.frames")  # pandas: with the model, not with its first batch, which is timed

    def score(columns: Sequence[pa.Array]) -> pa.Array:
        rows = len(columns[0])
        try:
            return _as_column(_predicted(predict, prepare(columns, model), rows, model), rows, model)
        except MemoryError as error:  # beside the model: what it is given, and what it returned, are copies
            raise _not_predicted(error, rows, model) from seen(error, model)

    return score


def gist(error: BaseException, *, sensitive: bool = False) -> str:
    """Class and first line of an error, cut short; the class alone where the rest may hold what nobody may see."""
    error = raised_by_model(error)
    name = type(error).__name__
    return name if sensitive else f"{name}: {str(error).strip().partition(chr(10))[0][:_MESSAGE]}"


def seen(error: Exception, model: ShippedModel) -> Exception | None:
    """The error as a cause, whose words Spark writes to its logs; None where they may hold what nobody may see."""
    return None if model.sensitive else error


def not_loaded(error: Exception, *, sensitive: bool = False) -> SparkscoreError:
    """What a model raised when it was loaded, as the suite's own error. Errors of the suite's are the suite's own here:
    the loaders call what is the model's inside `foreign`."""
    if isinstance(error, SparkscoreError):
        return error
    return PredictError(
        f"the model could not be loaded on an executor: {gist(error, sensitive=sensitive)}",
        "the packages that the model was logged with",
        "install what its requirements.txt lists on the executors",
    )


def _predicted(predict: Callable[[Any], Any], given: Any, rows: int, model: ShippedModel) -> object:
    try:
        with foreign():
            return predict(given)
    except RefusedResultError as refused:
        raise refused.error from None
    except Exception as error:  # noqa: BLE001 - whatever a model raises, `from` is there
        raise _not_predicted(error, rows, model) from seen(error, model)


def _as_column(result: object, rows: int, model: ShippedModel) -> pa.Array:
    """The predictions. What the model returned may be an object of its own, which raises when it is looked into."""
    try:
        with foreign():
            return predictions(result, rows, model.output, named=not model.sensitive)
    except MemoryError:
        raise
    except Exception as error:  # noqa: BLE001 - whatever it raises, `from` is there
        raised = raised_by_model(error)
        if type(raised) is PredictError:  # of `predictions`
            raise raised from None
        raise PredictError(
            f"what the model returned for a batch of {rows} rows raised {gist(error, sensitive=model.sensitive)}",
            "an array, a Series, a frame, a list, or a dict of columns",
            "return plain values, not an object that computes them when they are read",
        ) from seen(error, model)


def _not_predicted(error: Exception, rows: int, model: ShippedModel) -> PredictError:
    if is_exit(error):  # no row's fault: a part of the batch would end it again
        return PredictError(
            f"the model raised {gist(error, sensitive=model.sensitive)} on a batch of {rows} rows",
            "a model that leaves its process alone",
            "take sys.exit and the like out of its code: raise an error for rows that it cannot predict",
        )
    return RowsNotPredicted(
        f"the model raised {gist(error, sensitive=model.sensitive)} on a batch of {rows} rows",
        "a model that predicts every row that its signature allows",
        "run it on such rows by hand; keep rows that it cannot take out by a filter",
        raised=type(raised_by_model(error)).__name__,
    )
