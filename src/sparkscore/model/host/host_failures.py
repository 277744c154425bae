"""The errors for a model process that cannot be, ends, or does not answer. Runs on executors."""

import sys
from collections.abc import Sequence

from sparkscore.errors import BatchOutOfMemory, BatchTimeout, PredictError, UnsupportedSession


def unsupported_platform_error(*, private: bool) -> UnsupportedSession:
    """The error for a system on which no model process can be."""
    if private:
        return UnsupportedSession(
            f"a second model on {sys.platform}: the Python worker holds another model's code, or modules with"
            " the names of this one's",
            "Linux on the executors, where such a model gets a process of its own",
            "score with one model per session, and restart Spark in between",
        )
    return UnsupportedSession(
        f"residency executor on {sys.platform}", "Linux on the executors", "set model.residency to worker"
    )


def failed_host_error(reasons: Sequence[Exception], when: str, *, tries: int, private: bool) -> PredictError:
    """The error for a process that ended, or did not answer, as often as it was tried."""
    count = "once" if tries == 1 else f"{tries} times"
    return PredictError(
        f"the model process failed {count} {when}: it {'; it '.join(map(str, reasons))}",
        "a process that keeps running: it ends if it runs out of memory, or if a batch crashes it",
        "give executors more spark.executor.memoryOverhead, use smaller batches, or "
        + ("score with one model per session" if private else "set model.residency to worker"),
    )


def late_host_error(seconds: float, when: str, times: int) -> BatchTimeout:
    """The error for a process that did not answer in time so often."""
    return BatchTimeout(
        f"the model did not answer within {seconds:g} s {when}, {times} times",
        "an answer to every batch within scoring.batch_timeout",
        "give it more time, or smaller batches; exclude rows that it hangs on with a filter",
    )


def killed_host_error(when: str) -> BatchOutOfMemory:
    """The error for a process that the system ended for want of memory."""
    return BatchOutOfMemory(
        f"the system ended the model process {when}, as memory ran out",
        "memory for the rows and for what the model computes of them",
        "give executors more spark.executor.memoryOverhead, or lower scoring.batch_bytes or scoring.batch_rows",
    )
