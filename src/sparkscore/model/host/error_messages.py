"""The suite's errors as text, to send them from the model process to a worker."""

import json

from sparkscore.errors import PredictError, SparkscoreError, find_error_class
from sparkscore.model.runtimes.scorer import summarise_model_error


def encode_host_error(error: Exception, *, sensitive: bool = False) -> str:
    """The error as text. An error of other classes becomes a PredictError about the batch."""
    if not isinstance(error, SparkscoreError) or find_error_class(type(error).__name__) is not type(error):
        found = f"scoring failed in the model process: {summarise_model_error(error, sensitive=sensitive)}"
        error = PredictError(found, "predictions", "check the model's code")
    return json.dumps(error.to_dict())


def decode_host_error(text: str) -> SparkscoreError:
    """Restore the error: same class, same message.

    Raises:  ValueError for a text that `encode_host_error` has not made.
    """
    return SparkscoreError.from_dict(json.loads(text))
