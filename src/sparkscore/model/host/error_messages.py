"""The suite's errors as text, for the way from the model process to a worker."""

import json

from sparkscore import errors
from sparkscore.errors import PredictError, RowsNotPredicted, SparkscoreError
from sparkscore.model.runtimes.scorer import summarise_model_error


def encode_host_error(error: Exception, *, sensitive: bool = False) -> str:
    """The error as text. One that is not the suite's own is told as what it did to a batch."""
    if not isinstance(error, SparkscoreError):
        found = f"scoring failed in the model process: {summarise_model_error(error, sensitive=sensitive)}"
        error = PredictError(found, "predictions", "see the model's code")
    raised = error.raised if isinstance(error, RowsNotPredicted) else None
    return json.dumps([type(error).__name__, error.found, error.expected, error.do, raised])


def decode_host_error(text: str) -> SparkscoreError:
    """The error again, of the same class and with the same words."""
    name, found, expected, do, raised = json.loads(text)
    kind = getattr(errors, name, SparkscoreError)
    assert issubclass(kind, SparkscoreError)  # noqa: S101 - told says nothing else
    return kind(found, expected, do) if raised is None else RowsNotPredicted(found, expected, do, raised=raised)
