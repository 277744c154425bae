"""Runs a Spark job in a background thread, so that the driver can do other work meanwhile, or stop the job."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Thread
from typing import Generic, TypeVar
from uuid import uuid4

from pyspark import InheritableThread
from pyspark.sql import SparkSession

from sparkscore.spark.session_kind import is_connect_session

JobResult = TypeVar("JobResult")

_TICK_S = 0.5
_STOP_TIMEOUT_S = 60.0


class _ErrorKeeper(Thread):
    """A thread that keeps the error that ends it, also one that comes before its target is called."""

    error: BaseException | None = None

    def run(self) -> None:
        try:
            super().run()
        except BaseException as error:  # noqa: BLE001  raised again where the result is asked for
            self.error = error


class _InheritingThread(_ErrorKeeper, InheritableThread):
    """Takes its properties to Spark before its target is called: Spark may have ended by then."""


class BackgroundJob(Generic[JobResult]):
    """Work in a thread of its own; its Spark jobs have the properties of the caller's, and a tag.

    Without `starts_jobs` it has neither, which saves nine calls to the JVM: for work that most likely starts none.
    """

    def __init__(self, spark: SparkSession, work: Callable[[], JobResult], *, starts_jobs: bool = True) -> None:
        self._spark, self._tag = spark, f"sparkscore-{uuid4().hex}"
        self._results: list[JobResult] = []
        run = self._run_tagged if starts_jobs else self._run
        # what a thread inherits are properties of the SparkContext, and tags: Connect has the tags alone
        kind = _InheritingThread if starts_jobs and not is_connect_session(spark) else _ErrorKeeper
        self._thread = kind(target=run, args=(work,), daemon=True)
        self._thread.start()

    def ticks(self) -> Iterator[None]:
        """Yields twice a second, and once after the work has ended, successfully or not."""
        over = False
        while not over:
            self._thread.join(_TICK_S)
            over = not self._thread.is_alive()
            yield

    def result(self, *, seconds: float | None = None) -> JobResult:
        """Wait for the work to end; its result.

        Raises:  whatever it raised; TimeoutError where it still runs after so many seconds.
        """
        self._thread.join(seconds)
        if self._thread.is_alive():
            raise TimeoutError(f"it still runs after {seconds:g} s")
        if self._thread.error is not None:
            raise self._thread.error
        return self._results[0]

    def stop(self) -> None:
        """Cancel the work's Spark jobs where they still run; their tasks end within Spark's own delay."""
        if self._thread.is_alive():
            self._interrupt_jobs()
            self._thread.join(_STOP_TIMEOUT_S)

    def _run_tagged(self, work: Callable[[], JobResult]) -> None:
        self._tag_jobs()
        self._run(work)

    def _tag_jobs(self) -> None:
        if is_connect_session(self._spark):
            self._spark.addTag(self._tag)
        else:  # the context's own calls: a session makes more of them
            self._spark.sparkContext.addJobTag(self._tag)

    def _interrupt_jobs(self) -> None:
        if is_connect_session(self._spark):
            self._spark.interruptTag(self._tag)
        else:
            self._spark.sparkContext.cancelJobsWithTag(self._tag)

    def _run(self, work: Callable[[], JobResult]) -> None:
        self._results.append(work())


@contextmanager
def run_in_background(
    spark: SparkSession, work: Callable[[], JobResult], *, starts_jobs: bool = True
) -> Iterator[BackgroundJob[JobResult]]:
    """A block during which the work runs; what still runs when the block is left is stopped.

    Runs on: driver.
    """
    job = BackgroundJob(spark, work, starts_jobs=starts_jobs)
    try:
        yield job
    finally:
        job.stop()
