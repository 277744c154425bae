"""The suite's errors as text, to send them from the model process to a worker."""

import json

from sparkscore.errors import BatchOutOfMemory, PredictError, SparkscoreError, find_error_class
from sparkscore.model.runtimes.memory_errors import is_out_of_memory
from sparkscore.model.runtimes.scorer import summarise_model_error


def encode_host_error(error: Exception, *, sensitive: bool = False) -> str:
    """The error as text. An error of other classes becomes one about the batch: a PredictError, or BatchOutOfMemory."""
    if not isinstance(error, SparkscoreError) or find_error_class(type(error).__name__) is not type(error):
        error = _describe_other_error(error, sensitive=sensitive)
    return json.dumps(error.to_dict())


def _describe_other_error(error: Exception, *, sensitive: bool) -> PredictError:
    summary = summarise_model_error(error, sensitive=sensitive)
    if is_out_of_memory(error):
        return BatchOutOfMemory(f"memory ran out in the model process: {summary}", raised=type(error).__name__)
    return PredictError(f"scoring failed in the model process: {summary}", "predictions", "check the model's code")


def decode_host_error(text: str) -> SparkscoreError:
    """Restore the error: same class, same message.

    Raises:  ValueError for a text that `encode_host_error` has not made.
    """
    return SparkscoreError.from_dict(json.loads(text))
