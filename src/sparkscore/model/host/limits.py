"""How long a worker waits for the model process, and how long the process waits for work."""

import os
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Seconds, all generous: they only have to end what hangs."""

    batch_s: float = 600.0
    """One batch. A process that takes longer is ended, and another one started."""
    load_s: float = 1800.0
    """From the first question to a model that is loaded."""
    idle_s: float = 300.0
    """Without a batch. The process holds the model's memory; a new one costs a load."""


def limits_here(batch_timeout: float | None = None) -> Limits:
    """The limits; `batch_timeout`, or SPARKSCORE_HOST_TIMEOUT_S in the executors' environment, is that for a batch."""
    given = os.environ.get("SPARKSCORE_HOST_TIMEOUT_S") if batch_timeout is None else batch_timeout
    return Limits() if given is None else Limits(batch_s=float(given))
