"""The main job: pinned source -> checked -> scored once -> staged -> judged -> published by one MERGE."""

from contextlib import nullcontext
from dataclasses import replace
from datetime import datetime
from functools import partial

from pyspark.sql import SparkSession

from sparkscore.errors import DigestMismatch
from sparkscore.gate.row_rules import NULL_KEY, judge_rejected_rows
from sparkscore.gate.verdicts import judge_suite, require_passed_verdict
from sparkscore.ingest import snapshot as ingest
from sparkscore.lifecycle import PLAIN_RUN, Decision, Wishes
from sparkscore.pipelines.monitoring import run_monitoring
from sparkscore.pipelines.scoring.run_limits import RunLimits
from sparkscore.pipelines.scoring.staging import score_missing_rows
from sparkscore.pipelines.scoring.transport_choice import check_suites
from sparkscore.pipelines.shared.pinning import Plan, pin_run
from sparkscore.pipelines.shared.publishing import publish_stage
from sparkscore.pipelines.shared.run_attempt import Attempt
from sparkscore.pipelines.shared.run_history import decide_run, report_published_run
from sparkscore.records import ProgressReporter, RunReport, Stage
from sparkscore.scoring.counters import Counters
from sparkscore.settings import Settings
from sparkscore.spark.background_job import run_in_background
from sparkscore.stage import stage_store as stages
from sparkscore.stage.stage_progress import StageProgress


def score(
    spark: SparkSession,
    settings: Settings,
    *,
    as_of: str | datetime,
    wishes: Wishes = PLAIN_RUN,
    watch: ProgressReporter | None = None,
) -> RunReport:
    """The whole job for one as_of; a second call for a published as_of does nothing and says so.

    Grain:   the prediction table holds one row per (keys, as_of).
    Jobs:    counts the source, judges it (several jobs for a suite), predicts each row once, publishes by one MERGE.
    Raises:  every class of `errors`; the tables stay as they were, or the next call resumes.
    """
    attempt = Attempt.of(spark, settings, as_of)
    with attempt.guarded():
        decision = decide_run(attempt, wishes)
        if decision.kind == "already_published":
            return _resume_monitoring(attempt, decision)
        with attempt.part("pin"):
            plan = pin_run(attempt, decision)
            check_suites(attempt, plan)
            rows_read = ingest.count_snapshot_rows(attempt.spark, plan.snapshot)
            attempt.know(rows_read=rows_read)
        if rows_read == 0:
            attempt.warn("the source has no rows after the filter: nothing scored, nothing published, nothing deleted")
            return attempt.ended("nothing_to_score", rows_scored=0, rows_rejected=0)
        attempt.begin(plan.run, closes=decision.open)
        limits = RunLimits.of(settings, began=attempt.began, rows_read=rows_read)
        _judge_source(attempt, plan, limits)
        stage = _score_and_stage(attempt, plan, limits, watch, restart=wishes.restart)
        return publish_stage(attempt, plan, stage, rows_read=rows_read)


def _resume_monitoring(attempt: Attempt, decision: Decision) -> RunReport:
    """What readers see stays; the monitoring of an attempt that died between publication and its end is made up for."""
    report, shown = report_published_run(attempt, decision), decision.shown
    if shown is None or not run_monitoring.is_monitoring_missing(attempt, shown):
        return report
    try:
        with attempt.part("pin"):
            plan = pin_run(attempt, replace(decision, keep=shown.pins))
    except DigestMismatch as changed:  # what is published was scored with other files, and stays published
        attempt.warn(f"the run was not monitored, and what that needs is gone: {changed.found}")
        return attempt.report
    stage = stages.find_complete_stage(attempt.spark, plan.run, attempt.settings.stage_uri)
    if stage is None or plan.run.run_id != shown.run_id:
        attempt.warn("the run was not monitored, and what that needs is gone")
        return attempt.report
    run_monitoring.monitor_run(attempt, plan, stage, rows_read=report.rows_read or 0)
    return attempt.ended("already_published")


def _judge_source(attempt: Attempt, plan: Plan, limits: RunLimits) -> None:
    """In a thread of its own, so that it does not outlast the deadline."""
    suite = attempt.suites.get("input")
    if suite is None or not suite.gate_suite.expectations:
        return
    with attempt.part("input_gate"):
        whole = replace(plan.snapshot, columns=tuple(plan.snapshot.schema.names))
        rows, sensitive = ingest.snapshot_frame(attempt.spark, whole), attempt.settings.source.sensitive
        judging = partial(judge_suite, rows, suite.gate_suite, gate="input", sensitive=sensitive)
        with run_in_background(attempt.spark, judging) as job:
            verdict = limits.result(job)
        attempt.judged(verdict)
        require_passed_verdict(verdict)


def _score_and_stage(
    attempt: Attempt, plan: Plan, limits: RunLimits, watch: ProgressReporter | None, *, restart: bool
) -> Stage:
    """The whole stage: what attempts with equal pins have left, and the rows scored now."""
    where, counters = (attempt.spark, plan.run, attempt.settings.stage_uri), Counters(attempt.spark)
    with attempt.part("score_and_stage"):
        past = stages.load_stage_progress(*where)
        if restart and past.begun:
            past = stages.reset_stage(*where, past=past)
        now = past
        if not past.whole:
            done = partial(_rows_done, past, counters)
            with watch("score_and_stage", total=attempt.report.rows_read or 0, done=done) if watch else nullcontext():
                now = score_missing_rows(attempt, plan, counters, past, limits)
        stage = stages.build_stage_record(*where, now, chunks_reused=past.reused_by(now))
    seconds = max(attempt.report.seconds["score_and_stage"], 1e-9)
    attempt.know(
        rows_scored=stage.scored,
        rows_rejected=stage.rejected,
        chunks_reused=stage.chunks_reused,
        model_loads=counters.loads,
        executors=counters.told(),
        rows_per_second=None if stage.chunks_reused else round(stage.scored / seconds),
    )
    if stage.rejected and any(rule.kind != NULL_KEY for rule in plan.rules.rules):
        attempt.judged(judge_rejected_rows(plan.rules, stages.load_stage_rows(attempt.spark, stage), rows=stage.rows))
    limits.check_rejects(stage.rejected)
    attempt.event("staged")
    return stage


def _rows_done(past: StageProgress, counters: Counters) -> int:
    return (past.rows or 0) + counters.rows
