"""Hands micro-batches from Spark's thread to the one that publishes them, one at a time."""

import queue
import threading
from dataclasses import dataclass, field

from pyspark.sql import DataFrame


class BatchNotTaken(RuntimeError):
    """What Spark's query ends with where a micro-batch was not published: the caller knows why."""


@dataclass(slots=True)
class OfferedBatch:
    """A micro-batch that Spark waits for."""

    number: int
    rows: DataFrame
    _settled: threading.Event = field(default_factory=threading.Event)
    _is_published: bool = False

    def settle(self, *, is_published: bool) -> None:
        """Let Spark go on: to the next micro-batch where this one is published, else to the query's end."""
        self._is_published = is_published
        self._settled.set()

    def wait_until_published(self) -> None:
        """Raises:  BatchNotTaken."""
        self._settled.wait()
        if not self._is_published:
            raise BatchNotTaken(f"micro-batch {self.number} is not published")


class BatchQueue:
    """What `foreachBatch` calls. Errors of a micro-batch stay in the thread that works on it, as they are."""

    def __init__(self) -> None:
        self._offered: queue.SimpleQueue[OfferedBatch] = queue.SimpleQueue()
        self._closed = threading.Event()

    def offer(self, rows: DataFrame, number: int) -> None:
        """Offer a micro-batch and wait until it is published.

        Runs on: a thread of Spark's.
        Raises:  BatchNotTaken.
        """
        batch = OfferedBatch(number, rows)
        if self._closed.is_set():
            raise BatchNotTaken("the stream ends")
        self._offered.put(batch)
        if self._closed.is_set():
            self._refuse_waiting()
        batch.wait_until_published()

    def take(self, *, seconds: float) -> OfferedBatch | None:
        """The micro-batch that Spark waits for; None where there is none within the time."""
        try:
            return self._offered.get(timeout=seconds)
        except queue.Empty:
            return None

    def close(self) -> None:
        """Take no micro-batch any more; whoever waits is told so."""
        self._closed.set()
        self._refuse_waiting()

    def _refuse_waiting(self) -> None:
        while (batch := self.take(seconds=0)) is not None:
            batch.settle(is_published=False)
