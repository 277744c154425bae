"""The input gate: before the model runs, or by what the tasks have measured while they scored."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial

import structlog

from sparkscore.errors import GateFailed, SparkscoreError, TemporaryError
from sparkscore.gate.suite_measuring import SuiteMeasuring
from sparkscore.gate.verdicts import require_passed_verdict
from sparkscore.ingest import snapshot as ingest
from sparkscore.ingest.file_listing import plan_file_scan
from sparkscore.pipelines.scoring.one_pass import PassPlan
from sparkscore.pipelines.scoring.run_limits import RunLimits
from sparkscore.pipelines.shared.pinning import Plan
from sparkscore.pipelines.shared.run_attempt import Attempt
from sparkscore.pipelines.shared.run_suites import find_measuring, judge_by_states
from sparkscore.pipelines.shared.source_landing import corrupt_column
from sparkscore.records import Stage, Verdict
from sparkscore.redaction.secret_patterns import shorten_redacted
from sparkscore.scoring.task_errors import recover_task_error
from sparkscore.spark.background_job import run_in_background
from sparkscore.spark.scan_summaries import summarise_scan

log = structlog.get_logger("sparkscore")


def judge_source(attempt: Attempt, plan: Plan, limits: RunLimits, stage: Stage | None = None) -> None:
    """Judge the source in a thread of its own, so that the deadline can end it.

    `stage`: where it is complete; its tasks have measured, and the source need not be read again.

    Jobs:    none where tasks have measured all rules; else as `run_suites.judge_by_states`.
    Raises:  GateFailed, DeadlinePassed.
    """
    measuring = find_measuring(attempt, plan, "input")
    if measuring is None or not measuring.compiled.suite.expectations:
        return
    with attempt.phase("input_gate"):
        judging = partial(_judge_source_rows, attempt, plan, measuring, stage)
        with run_in_background(attempt.spark, judging) as job:
            verdict = limits.result(job)
        attempt.keep_verdict(verdict)
        require_passed_verdict(verdict)


@contextmanager
def judge_source_after_failure(attempt: Attempt, plan: Plan, work: PassPlan, limits: RunLimits) -> Iterator[None]:
    """A block that scores rows which the gate has not judged: where it fails, the gate says whether the data is bad.

    Jobs:    none; those of `judge_source` after a failure.
    Raises:  GateFailed in place of what the model made of such rows.
    """
    try:
        yield
    except Exception as error:
        if work.gate_order is None or work.gates_first or _is_temporary(error, attempt):
            raise
        try:
            judge_source(attempt, plan, limits)
        except GateFailed as refused:
            raise refused from error
        except Exception as second:  # noqa: BLE001  the first failure is the one to report
            log.warning("the input gate could not judge after the failure", error=shorten_redacted(str(second), 200))
        raise


def _is_temporary(error: Exception, attempt: Attempt) -> bool:
    known = error if isinstance(error, SparkscoreError) else recover_task_error(error, attempt.secret)
    return isinstance(known, TemporaryError)


def _judge_source_rows(attempt: Attempt, plan: Plan, measuring: SuiteMeasuring, stage: Stage | None) -> Verdict:
    spark, snapshot = attempt.spark, plan.snapshot
    names = tuple(name for name in snapshot.schema.names if name != corrupt_column(attempt.settings))
    return judge_by_states(
        measuring,
        measuring.summary,
        staged=None if stage is None else attempt.stage_store(plan.run).find_states(stage),
        summarise=lambda summary: summarise_scan(
            spark,
            plan_file_scan(
                spark,
                replace(snapshot, columns=summary.columns or snapshot.keys[:1]),
                source=attempt.open_table(snapshot.table),
            ),
            summary,
        ),
        load_frame=lambda: ingest.snapshot_frame(spark, replace(snapshot, columns=names)),
    )
