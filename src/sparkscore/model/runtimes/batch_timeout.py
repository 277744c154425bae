"""A model in this very process that may take so long for a batch and no longer. Runs on executors.

A thread cannot be ended, so the process has to be: the Python worker of a task that raises ends, whatever its other
threads still do. Where the model holds Python's lock meanwhile (a regular expression, an extension in C), nothing in
Python can raise: then a watchdog in C ends the process, and Spark only sees that it is gone.
"""

import faulthandler
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from functools import partial
from queue import SimpleQueue

import pyarrow as pa

from sparkscore.errors import BatchTimeout
from sparkscore.model.runtimes.scorer import Scorer
from sparkscore.model.runtimes.thread_limits import limit_threads

_WATCHDOG_SPARE_S = 10.0
"""What the watchdog waits beyond the time-out, at most: Python may be slow to take its turn."""
_STDERR = 2

_batch_threads: list["_BatchThread"] = []
"""The one of this process, where there is one that is not stuck."""


def limit_batch_time(score: Scorer, seconds: float, *, cores: int, where: str) -> Scorer:
    """The scorer, which raises where it would take longer. It works in a thread of its own that stays.

    Runs on: executor.
    Raises:  BatchTimeout naming `where`, after which this process has to end, and is ended soon.
    """

    def within(columns: Sequence[pa.Array]) -> pa.Array:
        faulthandler.dump_traceback_later(seconds + min(seconds, _WATCHDOG_SPARE_S), exit=True, file=_STDERR)
        try:
            answer = _get_batch_thread().outcome(partial(_score_in_thread, score, columns, cores), seconds)
        except TimeoutError:
            _batch_threads.clear()
            raise late_batch(seconds, len(columns[0]), where) from None
        faulthandler.cancel_dump_traceback_later()
        return answer.result()

    return within


def _score_in_thread(score: Scorer, columns: Sequence[pa.Array], cores: int) -> pa.Array:
    limit_threads(cores)  # libraries keep it per thread
    return score(columns)


def late_batch(seconds: float, rows: int, where: str) -> BatchTimeout:
    """What to raise where a model of a worker's own, in it or in a process beside it, did not answer in time."""
    return BatchTimeout(
        f"the model did not answer within {seconds:g} s for a batch of {rows:,} rows in {where}",
        "an answer to every batch within scoring.batch_timeout",
        "keep rows that it hangs on out by a filter, give it more time, or set model.residency to executor, "
        "where such a batch becomes rejects",
    )


def _get_batch_thread() -> "_BatchThread":
    if not _batch_threads:
        _batch_threads.append(_BatchThread())
    return _batch_threads[0]


class _BatchThread:
    """A thread that does one thing after another for as long as the process lives: thread pools belong to threads."""

    def __init__(self) -> None:
        self._asked: SimpleQueue[tuple[Future[pa.Array], Callable[[], pa.Array]]] = SimpleQueue()
        threading.Thread(target=self._work, name="sparkscore-model", daemon=True).start()

    def outcome(self, act: Callable[[], pa.Array], seconds: float) -> "Future[pa.Array]":
        """What came of it.

        Raises:  TimeoutError where it is not done by then.
        """
        future: Future[pa.Array] = Future()
        self._asked.put((future, act))
        future.exception(timeout=seconds)  # waits; what the model raises is returned, not raised
        return future

    def _work(self) -> None:
        while True:
            future, act = self._asked.get()
            try:
                future.set_result(act())
            except BaseException as error:  # noqa: BLE001 - whoever waits raises it
                future.set_exception(error)
            del future, act  # not the last batch for as long as nothing is asked
