"""The main job: pinned source -> checked -> scored once -> staged -> judged -> published by one commit."""

import dataclasses
from contextlib import nullcontext
from datetime import datetime
from functools import partial
from typing import NamedTuple

from pyspark.sql import SparkSession

from sparkscore.errors import DigestMismatch
from sparkscore.gate.row_rules import NULL_KEY, judge_rejected_rows
from sparkscore.ingest import snapshot as ingest
from sparkscore.lifecycle import Decision
from sparkscore.pipelines.monitoring import run_monitoring
from sparkscore.pipelines.monitoring.run_lineage import describe_run_lineage
from sparkscore.pipelines.scoring.empty_source import (
    finish_empty_run,
    finish_run_without_groups,
    finish_unchanged_run,
)
from sparkscore.pipelines.scoring.engine_choice import is_other_engine, require_engine_fits
from sparkscore.pipelines.scoring.one_pass import PassPlan, plan_pass
from sparkscore.pipelines.scoring.remembered_batches import recall_batch_limits
from sparkscore.pipelines.scoring.run_limits import RunLimits
from sparkscore.pipelines.scoring.source_gate import judge_source, judge_source_after_failure
from sparkscore.pipelines.scoring.source_survey import SourceRows, survey_source_rows
from sparkscore.pipelines.scoring.staging import score_missing_rows
from sparkscore.pipelines.scoring.transport_choice import TransportChoice, choose_transport
from sparkscore.pipelines.shared.challenger_pinning import describe_pinned_challengers, pin_challengers
from sparkscore.pipelines.shared.challenger_publication import make_up_for_challengers, publish_challengers
from sparkscore.pipelines.shared.executor_checks import check_executors
from sparkscore.pipelines.shared.export_targets import check_exports
from sparkscore.pipelines.shared.exports import make_up_for_exports
from sparkscore.pipelines.shared.group_pinning import SourceWithoutGroupsError, keep_run_models
from sparkscore.pipelines.shared.pinning import Plan, pin_run
from sparkscore.pipelines.shared.publishing import publish_deletions, publish_stage
from sparkscore.pipelines.shared.run_attempt import Attempt
from sparkscore.pipelines.shared.run_challengers import Challenger
from sparkscore.pipelines.shared.run_history import decide_run, report_published_run
from sparkscore.pipelines.shared.run_suites import check_suites
from sparkscore.records import ProgressReporter, RunEvent, RunReport, Stage
from sparkscore.scoring.counters import Counters
from sparkscore.settings import Settings
from sparkscore.stage.stage_progress import StageProgress


def score(  # noqa: PLR0913  flags of the command line, each its own
    spark: SparkSession | None,
    settings: Settings,
    *,
    as_of: str | datetime,
    replace: bool = False,
    force: bool = False,
    restart: bool = False,
    full: bool = False,
    progress: ProgressReporter | None = None,
) -> RunReport:
    """Run the whole job for one as_of; a second call for a published as_of does nothing and says so.

    `replace` supersedes what is published, `force` also where the table was changed by someone else, `restart` drops
    the pins and the stage of an attempt that did not end. `full` scores all rows where the config reads changes.

    Needs:   a session; without one (None) SparkNeeded tells that there is something to do, before anything is done.
    Grain:   the prediction table holds one row per (keys, as_of).
    Jobs:    one that reads the source, judges it and predicts each row once; one that publishes. More where the
             gates, the transport or the table need them: see docs/decisions/one-pass.md.
    Raises:  every class of `errors`; the tables stay as they were, or the next call resumes.
    """
    attempt = Attempt.open(spark, settings, as_of)
    attempt.require_full(full)
    return score_attempt(attempt, replace=replace, force=force, restart=restart, progress=progress)


def score_attempt(
    attempt: Attempt,
    *,
    replace: bool = False,
    force: bool = False,
    restart: bool = False,
    progress: ProgressReporter | None = None,
) -> RunReport:
    """The whole job for the as_of of an attempt that was opened just now: as `score`."""
    settings = attempt.settings
    if settings.monitor.metrics is not None:
        attempt.require_session()  # how many cores it has is a metric
    with attempt.record_failures():
        decision = decide_run(attempt, replace=replace, force=force, restart=restart)
        if decision.kind == "already_published":
            return _resume_publication(attempt, decision)
        attempt.require_session()
        with attempt.phase("pin"):
            try:
                plan = pin_run(attempt, decision, landing="anew" if restart else "once")
            except SourceWithoutGroupsError as empty:
                return finish_run_without_groups(attempt, empty.snapshot, decision)
            describe_run_lineage(attempt, plan)
            prepared = _prepare_scoring(attempt, plan) if attempt.has_rows_to_score else None
        keep_run_models(attempt, plan.groups)
        if prepared is None:
            return _finish_without_scoring(attempt, plan, decision)
        choice, rows, challengers = prepared
        if rows.exact == 0:
            return finish_empty_run(attempt, plan, decision)
        work = dataclasses.replace(plan_pass(attempt, plan, choice, rows), challengers=challengers)
        attempt.record_start(closes=decision.unfinished, details=describe_pinned_challengers(challengers))
        limits = RunLimits.of(settings, started=attempt.started, rows_read=rows.most)
        if work.gates_first:
            judge_source(attempt, plan, limits)
        with judge_source_after_failure(attempt, plan, work, limits):
            stage = _score_and_stage(attempt, plan, limits, progress, work, restart=restart)
        if work.gate_order is not None and not work.gates_first:
            judge_source(attempt, plan, limits, stage)
        beside = partial(publish_challengers, attempt, plan, challengers)
        return publish_stage(attempt, plan, stage, rows_read=attempt.report.rows_read or 0, on_copied=beside)


class _PreparedScoring(NamedTuple):
    choice: TransportChoice
    rows: SourceRows
    challengers: tuple[Challenger, ...]


def _prepare_scoring(attempt: Attempt, plan: Plan) -> _PreparedScoring:
    """How rows reach the models, and how many there are; whatever is in the way is told before a row is scored."""
    check_suites(attempt, plan)
    check_executors(attempt, plan)
    check_exports(attempt, plan.contract.schema)
    challengers = pin_challengers(attempt, plan)
    choice = choose_transport(attempt, plan)
    require_engine_fits(attempt, plan, choice.scan, choice.reason)
    rows = survey_source_rows(attempt, plan, choice)
    attempt.report = dataclasses.replace(attempt.report, rows_read=rows.exact)
    return _PreparedScoring(choice, rows, challengers)


def _finish_without_scoring(attempt: Attempt, plan: Plan, decision: Decision) -> RunReport:
    """Of an increment without inserted or updated rows: its deleted keys are published, where there is anything to say
    of them, or to take back."""
    current = decision.current
    if attempt.has_deletions or (current is not None and current.rows_visible):
        check_exports(attempt, plan.contract.schema)
        return publish_deletions(attempt, plan, closes=decision.unfinished)
    return finish_unchanged_run(attempt, decision)


def _resume_publication(attempt: Attempt, decision: Decision) -> RunReport:
    """Leave the publication as it is; make up for its monitoring, exports and challengers if it lacks some."""
    report_published_run(attempt, decision)
    current = decision.current
    if current is not None and run_monitoring.is_monitoring_missing(attempt, current):
        attempt.require_session()
        _monitor_publication(attempt, decision, current)
    make_up_for_exports(attempt, current)
    make_up_for_challengers(attempt, decision)
    return attempt.finish("already_published")


def _monitor_publication(attempt: Attempt, decision: Decision, current: RunEvent) -> None:
    """Monitor what an earlier attempt has published, by its stage and with its pins, where they are still there."""
    try:
        with attempt.phase("pin"):
            plan = pin_run(attempt, dataclasses.replace(decision, keep=current.pins))
    except DigestMismatch as changed:  # what is published was scored with other files, and stays published
        attempt.warn(f"the run was not monitored, and its model or source no longer exists: {changed.found}")
        return
    stage = attempt.stage_store(plan.run).find_complete_stage()
    if stage is None or plan.run.run_id != current.run_id:
        attempt.warn("the run was not monitored, and its model or source no longer exists")
        return
    run_monitoring.monitor_run(attempt, plan, stage, rows_read=attempt.report.rows_read or 0)


def _score_and_stage(
    attempt: Attempt,
    plan: Plan,
    limits: RunLimits,
    progress: ProgressReporter | None,
    work: PassPlan,
    *,
    restart: bool,
) -> Stage:
    """The complete stage: what attempts with equal pins have left, and the rows scored now."""
    store, counters = attempt.stage_store(plan.run), Counters(attempt.spark, travels=is_other_engine(attempt.settings))
    with attempt.phase("score_and_stage"):
        earlier = store.load_progress()
        if restart and earlier.has_started:
            earlier = store.reset(past=earlier)
        staged = earlier
        if not earlier.is_complete:
            attempt.batches = recall_batch_limits(attempt, plan, work.rows.most)
            count_done = partial(_rows_done, earlier, counters)
            shown = (
                progress("score_and_stage", total=work.rows.most or 0, done=count_done) if progress else nullcontext()
            )
            with shown, attempt.report_workers_of_failure(counters):
                staged = score_missing_rows(attempt, plan, counters, earlier, limits, work)
            for name in limits.find_unknown_budgets(counters):
                attempt.warn(f"scoring.budgets names {name}, which neither the job nor its model has counted")
        rows_read = _count_rows_read(attempt, plan, staged)
        stage = store.build_record(staged, chunks_reused=earlier.count_reused_chunks(staged))
    seconds = max(attempt.report.seconds["score_and_stage"], 1e-9)
    attempt.report = dataclasses.replace(
        attempt.report,
        rows_read=rows_read,
        rows_scored=stage.scored,
        rows_rejected=stage.rejected,
        chunks_reused=stage.chunks_reused,
        rows_per_second=None if stage.chunks_reused else round(stage.scored / seconds),
    )
    attempt.report_workers(counters)
    if stage.rejected and any(rule.kind != NULL_KEY for rule in plan.rules.rules):
        attempt.keep_verdict(judge_rejected_rows(plan.rules, store.load_rows(stage), rows=stage.rows))
    RunLimits.of(attempt.settings, started=attempt.started, rows_read=rows_read).check_rejects(stage.rejected)
    attempt.hold_event("staged")
    return stage


def _count_rows_read(attempt: Attempt, plan: Plan, staged: StageProgress) -> int:
    """The source's rows: those that were counted before, else those that the tasks have read."""
    if attempt.report.rows_read is not None:
        return attempt.report.rows_read
    if staged.rows_read is not None:
        return staged.rows_read
    return ingest.count_snapshot_rows(attempt.spark, plan.snapshot, source=attempt.open_table(plan.snapshot.table))


def _rows_done(earlier: StageProgress, counters: Counters) -> int:
    return (earlier.rows or 0) + counters.rows
