"""Limits the time that a model in this process may take for a batch. Runs on executors.

A thread cannot be stopped, so the process must end: the Python worker of a task that raises ends, whatever its other
threads still do. If the model holds Python's global lock meanwhile (a regular expression, an extension in C), no
Python code can raise: then a watchdog in C ends the process, and Spark only sees that it is gone.
"""

import faulthandler
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from functools import partial
from queue import SimpleQueue
from typing import Any

import pyarrow as pa

from sparkscore.errors import BatchTimeout
from sparkscore.model.runtimes.scored_batch import ScoredBatch
from sparkscore.model.runtimes.scorer import Scorer, TaskEnd, TaskScorer, find_task_end
from sparkscore.model.runtimes.thread_limits import limit_threads

_WATCHDOG_SPARE_S = 10.0
"""The longest time that the watchdog waits beyond the time-out: Python may be slow to get the lock."""
_STDERR = 2

_batch_threads: list["_BatchThread"] = []
"""The thread of this process, if there is one that is not stuck."""


def limit_batch_time(score: Scorer, seconds: float, *, cores: int, location: str) -> Scorer:
    """The scorer with a time-out. It works in a thread of its own that stays.

    Runs on: executor.
    Raises:  BatchTimeout naming `location`, after which this process must end, and is ended soon.
    """

    def score_in_time(columns: Sequence[pa.Array]) -> ScoredBatch:
        faulthandler.dump_traceback_later(seconds + min(seconds, _WATCHDOG_SPARE_S), exit=True, file=_STDERR)
        try:
            future = _get_batch_thread().run_call(partial(_score_in_thread, score, columns, cores), seconds)
        except TimeoutError:
            _batch_threads.clear()
            raise late_batch_error(seconds, len(columns[0]), location) from None
        faulthandler.cancel_dump_traceback_later()
        return future.result()  # type: ignore[no-any-return]

    end_task = find_task_end(score)
    if end_task is None:
        return score_in_time
    return TaskScorer(score_in_time, partial(_end_task_in_time, end_task, seconds))


def _end_task_in_time(end_task: TaskEnd, seconds: float) -> Mapping[str, float]:
    """The same at the end of a task, in the same thread; one that hangs is left alone: the task has its predictions.

    Raises:  TimeoutError.
    """
    try:
        return _get_batch_thread().run_call(end_task, seconds).result()  # type: ignore[no-any-return]
    except TimeoutError:
        _batch_threads.clear()
        raise


def _score_in_thread(score: Scorer, columns: Sequence[pa.Array], cores: int) -> ScoredBatch:
    limit_threads(cores)  # libraries keep it per thread
    return score(columns)


def late_batch_error(seconds: float, rows: int, location: str) -> BatchTimeout:
    """The error for a model of one worker, in it or in a process of its own, that did not answer in time."""
    return BatchTimeout(
        f"the model did not answer within {seconds:g} s for a batch of {rows:,} rows in {location}",
        "an answer to every batch within scoring.batch_timeout",
        "exclude rows that it hangs on with a filter, give it more time, or set model.residency to executor, "
        "where such a batch becomes rejects",
    )


def _get_batch_thread() -> "_BatchThread":
    if not _batch_threads:
        _batch_threads.append(_BatchThread())
    return _batch_threads[0]


class _BatchThread:
    """A thread that does one call after another for the life of the process: thread pools belong to threads."""

    def __init__(self) -> None:
        self._calls: SimpleQueue[tuple[Future[Any], Callable[[], Any]]] = SimpleQueue()
        threading.Thread(target=self._run_calls, name="sparkscore-model", daemon=True).start()

    def run_call(self, call: Callable[[], Any], seconds: float) -> "Future[Any]":
        """Wait for the result.

        Raises:  TimeoutError if it is not there in time.
        """
        future: Future[Any] = Future()
        self._calls.put((future, call))
        future.exception(timeout=seconds)  # waits; what the model raises is returned, not raised
        return future

    def _run_calls(self) -> None:
        while True:
            future, call = self._calls.get()
            try:
                future.set_result(call())
            except BaseException as error:  # noqa: BLE001 - whoever waits raises it
                future.set_exception(error)
            del future, call  # not the last batch for as long as no call is there
