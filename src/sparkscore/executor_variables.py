"""What executors read from their environment, and jobs check before it is inherited. Light, as workers import it."""

import math
from contextlib import suppress

HOST_TIMEOUT_VARIABLE = "SPARKSCORE_HOST_TIMEOUT_S"
"""Seconds for a batch in the executors' model process, which reads it: no setting of a job."""
PASSED_VARIABLES_NAME = "SPARKSCORE_HOST_VARIABLES"
"""Names of variables that a model process gets although it gets no others of their kind."""


def parse_host_timeout(text: str) -> float | None:
    """The seconds; None for what is no number above 0."""
    with suppress(ValueError):
        if 0 < float(text) < math.inf:
            return float(text)
    return None
