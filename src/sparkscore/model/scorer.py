"""A loaded model as a function on Arrow columns: what the kernel calls, wherever the model is. Needs no Spark."""

from collections.abc import Callable, Sequence
from typing import Any

import pyarrow as pa

from sparkscore.errors import PredictError, SparkscoreError
from sparkscore.model.inputs import features
from sparkscore.model.outputs import predictions
from sparkscore.model.shipped import ShippedModel

Scorer = Callable[[Sequence[pa.Array]], pa.Array]
"""Columns of n >= 1 rows, one per model input, in its order -> n predictions of the model's output type.

Raises:  SignatureError, PredictError; of values they hold what the model's own message says.
"""

Prepare = Callable[[Sequence[pa.Array], ShippedModel], Any]
"""From columns to what a runtime's predictor takes."""

_MESSAGE = 300


def in_process(model: ShippedModel, predict: Callable[[Any], Any], prepare: Prepare = features) -> Scorer:
    """The model in this very process. Without `prepare` it is given what MLflow would give it.

    Runs on: executor.
    """

    def score(columns: Sequence[pa.Array]) -> pa.Array:
        given, rows = prepare(columns, model), len(columns[0])
        return predictions(_predicted(predict, given, rows), rows, model.output)

    return score


def gist(error: Exception) -> str:
    """Class and first line of an error, cut short."""
    return f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0][:_MESSAGE]}"


def not_loaded(error: Exception) -> SparkscoreError:
    """What a model raised when it was loaded, as the suite's own error."""
    if isinstance(error, SparkscoreError):
        return error
    return PredictError(
        f"the model could not be loaded on an executor: {gist(error)}",
        "the packages that the model was logged with",
        "install what its requirements.txt lists on the executors",
    )


def _predicted(predict: Callable[[Any], Any], given: Any, rows: int) -> object:
    try:
        return predict(given)
    except SparkscoreError:
        raise
    except Exception as error:
        raise PredictError(
            f"the model raised {gist(error)} on a batch of {rows} rows",
            "a model that predicts every row that its signature allows",
            "run it on such rows by hand; keep rows that it cannot take out by a filter",
        ) from error
