"""The runs of a back-fill: so many beside one another, each a run of `score` as any other."""

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace

import structlog
from pyspark import inheritable_thread_target
from pyspark.sql import SparkSession

from sparkscore.errors import ErrorSummary, PinsConflict, SessionLost, SparkscoreError
from sparkscore.gate.gx.gx_output import suppress_gx_output
from sparkscore.model.registry.mlflow_settings import limit_mlflow_database_attempts, suppress_mlflow_output
from sparkscore.pipelines.backfilling.backfill_request import BackfillRequest
from sparkscore.pipelines.score import score
from sparkscore.records import BackfilledRun, PlannedAsOf, RunReport, to_utc_text
from sparkscore.redaction.exception_redaction import redact_exception
from sparkscore.spark.error_translation import spark_end_error

RunObserver = Callable[[BackfilledRun], None]
"""Told of each run as it ends."""


@dataclass
class AsOfRuns:
    """The runs, and what came of them."""

    spark: SparkSession
    request: BackfillRequest
    errors: dict[str, Exception] = field(default_factory=dict)
    """By as_of, what runs failed with."""
    _stop: threading.Event = field(default_factory=threading.Event)

    def make_runs(self, planned: Sequence[PlannedAsOf], on_end: RunObserver) -> dict[str, BackfilledRun]:
        """Make a run for each as_of, the oldest first; by as_of, what came of it.

        A failure stops no other run, except where nothing can follow it: Spark is gone, or the caller wants it so.

        Jobs:    those of `score`, for each as_of.
        """
        made: dict[str, BackfilledRun] = {}
        with share_process_settings(), ThreadPoolExecutor(self.request.choices.parallel, "sparkscore-backfill") as pool:
            try:
                for ended in as_completed(self._submit(pool, one) for one in planned):
                    run = ended.result()
                    made[run.as_of] = run
                    on_end(run)
            except BaseException:
                self._stop.set()  # whoever interrupts it waits for what has begun, and for no more
                raise
        return made

    def _submit(self, pool: ThreadPoolExecutor, planned: PlannedAsOf) -> "Future[BackfilledRun]":
        # wrapped for each: what one thread sets of its jobs' properties is no other's
        return pool.submit(self._make_run, inheritable_thread_target(self.spark)(self._score), planned)

    def _make_run(self, score_as_of: Callable[[PlannedAsOf], RunReport], planned: PlannedAsOf) -> BackfilledRun:
        if self._stop.is_set():
            return BackfilledRun.of_plan(planned, "not_started")
        with structlog.contextvars.bound_contextvars(as_of=to_utc_text(planned.as_of)):
            try:
                return BackfilledRun.of_report(score_as_of(planned), planned)
            except Exception as error:  # noqa: BLE001  the failure of one run is a line of the result
                redact_exception(error)
                if isinstance(error, PinsConflict) and planned.action == "make_up":
                    return _leave_unmonitored(planned, error)
                if isinstance(error, SparkscoreError):
                    return self._keep_failure(planned, error)
                # of the thread, too: it takes its properties to Spark, which may have ended
                return self._keep_failure(planned, spark_end_error(self.spark, "a run was to begin", error) or error)

    def _score(self, planned: PlannedAsOf) -> RunReport:
        try:
            return score(self.spark, self.request.settings_of(planned), as_of=planned.as_of)
        except PinsConflict:
            if self.request.choices.model_version is not None:
                raise
            # somebody else has published it meanwhile, with another version of the model; else it is refused again
            return score(self.spark, self.request.settings, as_of=planned.as_of)

    def _keep_failure(self, planned: PlannedAsOf, error: Exception) -> BackfilledRun:
        if self.request.choices.fail_fast or isinstance(error, SessionLost):
            self._stop.set()
        self.errors[to_utc_text(planned.as_of)] = error
        report = error.report if isinstance(error, SparkscoreError) else None
        if isinstance(report, RunReport):
            return BackfilledRun.of_report(report, planned)
        code = error.exit_code if isinstance(error, SparkscoreError) else SparkscoreError.exit_code
        return BackfilledRun(
            to_utc_text(planned.as_of), "failed", code, planned.action, error=ErrorSummary.from_error(error)
        )


def _leave_unmonitored(planned: PlannedAsOf, conflict: PinsConflict) -> BackfilledRun:
    found = BackfilledRun.of_plan(planned, "already_published")
    return replace(found, warnings=(f"its monitoring or its exports were not made up for: {conflict.found}",))


@contextmanager
def share_process_settings() -> Iterator[None]:
    """A block in which threads may run attempts beside one another.

    Attempts change what the process has once, and change it back: stdout, levels of loggers, MLflow's limits. What is
    changed around all of them is nobody's to change back.
    """
    with ExitStack() as stack:
        for block in (suppress_gx_output, suppress_mlflow_output, limit_mlflow_database_attempts):
            stack.enter_context(block())
        yield
