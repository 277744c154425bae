"""The suite's errors as text, for the way from the model process to a worker."""

import json

from sparkscore.errors import PredictError, SparkscoreError, find_error_class
from sparkscore.model.runtimes.scorer import summarise_model_error


def encode_host_error(error: Exception, *, sensitive: bool = False) -> str:
    """The error as text. One that is not the suite's own is told as what it did to a batch."""
    if not isinstance(error, SparkscoreError) or find_error_class(type(error).__name__) is not type(error):
        found = f"scoring failed in the model process: {summarise_model_error(error, sensitive=sensitive)}"
        error = PredictError(found, "predictions", "see the model's code")
    return json.dumps(error.to_dict())


def decode_host_error(text: str) -> SparkscoreError:
    """The error again, of the same class and with the same words.

    Raises:  ValueError for a text that `encode_host_error` has not made.
    """
    return SparkscoreError.from_dict(json.loads(text))
