"""Rejected rows: counts by run and reason, and scoring those of a run again with the same pins."""

from contextlib import nullcontext
from dataclasses import replace

from pyspark.sql import SparkSession

from sparkscore import lifecycle
from sparkscore.errors import ConfigError, PinsConflict, VersionGone
from sparkscore.ingest import snapshot as ingest
from sparkscore.pipelines.monitoring.run_lineage import describe_run_lineage
from sparkscore.pipelines.scoring.transport_choice import scored_frame
from sparkscore.pipelines.shared.executor_checks import check_executors
from sparkscore.pipelines.shared.export_targets import check_exports
from sparkscore.pipelines.shared.exports import make_up_for_exports
from sparkscore.pipelines.shared.pinning import Plan, pin_run
from sparkscore.pipelines.shared.pins_comparison import refuse_other_pins
from sparkscore.pipelines.shared.publishing import publish_stage
from sparkscore.pipelines.shared.run_attempt import Attempt
from sparkscore.pipelines.shared.run_history import (
    advise_on_error,
    apply_decision,
    load_run_history,
    report_unchanged_run,
    restore_published_run,
)
from sparkscore.pipelines.shared.run_suites import check_suites
from sparkscore.records import ProgressReporter, RejectCount, RunReport, Stage
from sparkscore.scoring.counters import Counters
from sparkscore.settings import Settings
from sparkscore.spark.isolated_session import create_run_session
from sparkscore.stage import reject_repair
from sparkscore.store.reject_counts import count_rejects
from sparkscore.store.run_events import load_event_heads
from sparkscore.store.table import Table

_RESCORE_ADVICE = "`score --replace` scores all rows with a model and a source that exist"

_NO_MODEL_ADVICE = (
    "groups that had no model in this run have none in its retry: the retry takes the models that the run has pinned;"
    " `score --replace` takes those that were registered since"
)


def list_rejects(spark: SparkSession, settings: Settings) -> list[RejectCount]:
    """How many rows each run of the job has rejected, by reason.

    Jobs:    one Spark job.
    Raises:  ForeignTable.
    """
    target = Table.from_name(create_run_session(spark), settings.output.table, home=settings.home_uri)
    return count_rejects(target.sibling("_rejects"), job=settings.job)


def retry_rejects(
    spark: SparkSession, settings: Settings, *, run: str, progress: ProgressReporter | None = None
) -> RunReport:
    """Score the rejected rows of the current run again with its pins; all its rows become the next revision.

    Needs:   `run` as a run_id or its beginning.
    Jobs:    two that count, one MERGE into the stage that scores, those that judge, one MERGE.
    Raises:  ConfigError for a run that is not current or whose stage is gone, and whatever `score` raises.
    """
    attempt = _open_retry_attempt(spark, settings, run)
    with attempt.record_failures(), advise_on_error(_RESCORE_ADVICE, PinsConflict, VersionGone):
        decision = _decide_reject_retry(attempt)
        if decision.kind == "already_published":
            report_unchanged_run(attempt, decision.current)
            make_up_for_exports(attempt, decision.current)
            return attempt.finish("already_published")
        stage = _find_published_stage(attempt, decision)
        with attempt.phase("pin"):
            plan = pin_run(attempt, decision)
            describe_run_lineage(attempt, plan)
            check_suites(attempt, plan)
            check_executors(attempt, plan)
            check_exports(attempt, plan.contract.schema)
        attempt.record_start(closes=decision.unfinished)
        seen, read = attempt.report.rows_scored or 0, attempt.report.rows_read or 0
        if not decision.staged:
            stage = _score_rejected_rows(attempt, plan, stage, progress)
        if stage.scored <= seen:
            if plan.groups is not None and plan.groups.models.missing:
                attempt.warn(_NO_MODEL_ADVICE)
            attempt.record_event("aborted", message="none of the rejected rows could be scored")
            return attempt.finish("nothing_to_score")
        attempt.report = replace(attempt.report, rows_scored=stage.scored, rows_rejected=stage.rejected)
        attempt.record_event("staged")
        return publish_stage(attempt, plan, stage, rows_read=read)


def _open_retry_attempt(spark: SparkSession, settings: Settings, run: str) -> Attempt:
    """Open the attempt of a retry, for the as_of of the named run."""
    target = Table.from_name(create_run_session(spark), settings.output.table, home=settings.home_uri)
    named = lifecycle.select_run_events(load_event_heads(target.sibling("_runs"), job=settings.job), run)[-1]
    attempt = Attempt.open(spark, settings, named.as_of)
    attempt.verb, attempt.origin_run_id = "rejects", named.run_id
    return attempt


def _decide_reject_retry(attempt: Attempt) -> lifecycle.Decision:
    """What the retry does.

    Raises:  PinsConflict if the config names other pins than those of the current publication.
    """
    past = load_run_history(attempt)
    decision = apply_decision(
        attempt, lifecycle.decide_retry(past.events, past.visible, run_id=attempt.origin_run_id or "")
    )
    if decision.keep is not None and decision.current is not None:
        refuse_other_pins(attempt, decision.keep, decision.current.postprocessing)
    return decision


def _find_published_stage(attempt: Attempt, decision: lifecycle.Decision) -> Stage:
    """The stage of the current publication; runs with equal pins share it."""
    stage = attempt.stage_store(restore_published_run(attempt, decision.current)).find_complete_stage()
    if stage is None:
        raise ConfigError(
            f"the stage of run {(attempt.origin_run_id or '')[:12]} was removed",
            "the stage under output.stage",
            _RESCORE_ADVICE,
        )
    return stage


def _score_rejected_rows(attempt: Attempt, plan: Plan, stage: Stage, progress: ProgressReporter | None) -> Stage:
    """Score the rejected rows of the stage again; each goes to the model once."""
    counters, names = Counters(attempt.spark), attempt.settings.output_names
    store, keys = attempt.stage_store(plan.run), {names[key]: key for key in attempt.settings.source.keys}
    attempt.report_transport("arrow", "only rejected rows are scored")
    with attempt.phase("score_and_stage"):
        source, rows = reject_repair.find_rejected_rows(
            ingest.snapshot_frame(attempt.spark, plan.snapshot), store, stage, keys=keys
        )
        if rows:
            shown = progress("score_and_stage", total=rows, done=lambda: counters.rows) if progress else nullcontext()
            with shown, attempt.report_workers_of_failure(counters):
                stage = reject_repair.replace_rejected_rows(
                    scored_frame(attempt, plan, source, counters, "arrow"), store, stage, keys=tuple(keys)
                )
    attempt.report_workers(counters)
    return stage
