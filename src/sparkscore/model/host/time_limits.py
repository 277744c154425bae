"""How long a worker waits for the model process, and how long the process waits for work."""

import math
import os
from dataclasses import dataclass, replace

from sparkscore.errors import ConfigError
from sparkscore.executor_variables import HOST_TIMEOUT_VARIABLE, parse_host_timeout


@dataclass(frozen=True, slots=True)
class HostTimeLimits:
    """Seconds, all generous: they only have to end what hangs."""

    batch_s: float = 600.0
    """One batch. A process that takes longer is ended, and another one started."""
    load_s: float = 1800.0
    """From the first question to a model that is loaded."""
    idle_s: float = 300.0
    """Without a batch. The process holds the model's memory; a new one costs a load."""
    max_late_batches: int = 2
    """Of a batch with a `batch_timeout`: each costs so many seconds."""


def read_host_time_limits(batch_timeout: float | None = None) -> HostTimeLimits:
    """The limits; `batch_timeout`, or SPARKSCORE_HOST_TIMEOUT_S in the executors' environment, is that for a batch.

    Raises:  ConfigError where the variable is no number of seconds.
    """
    if batch_timeout is not None:
        return HostTimeLimits(batch_s=batch_timeout)
    text = os.environ.get(HOST_TIMEOUT_VARIABLE)
    return HostTimeLimits() if text is None else HostTimeLimits(batch_s=_parse_seconds(text))


def _parse_seconds(text: str) -> float:
    seconds = parse_host_timeout(text)
    if seconds is not None:
        return seconds
    raise ConfigError(
        f"{HOST_TIMEOUT_VARIABLE} is {text!r} in an executor's environment",
        "a number of seconds above 0",
        f"correct or remove spark.executorEnv.{HOST_TIMEOUT_VARIABLE}",
    )


def private_time_limits(batch_timeout: float | None) -> HostTimeLimits:
    """The limits of a process that stands in for its worker: without a `batch_timeout` a batch takes what it takes."""
    return HostTimeLimits(batch_s=math.inf if batch_timeout is None else batch_timeout, max_late_batches=1)


def own_process_limits(batch_timeout: float | None) -> HostTimeLimits:
    """The limits of the residency `process`: neither a load nor a batch takes longer."""
    limits = private_time_limits(batch_timeout)
    return limits if batch_timeout is None else replace(limits, load_s=batch_timeout)
