"""The main job: pinned source -> checked -> scored once -> staged -> judged -> published by one MERGE."""

from contextlib import nullcontext
from dataclasses import replace
from datetime import datetime
from functools import partial

from pyspark.sql import SparkSession

from sparkscore.errors import DigestMismatch
from sparkscore.gate.judge import judge, require
from sparkscore.gate.rules import NULL_KEY, row_verdict
from sparkscore.ingest import snapshot as ingest
from sparkscore.pipelines import watching
from sparkscore.pipelines.attempt import Attempt
from sparkscore.pipelines.frames import check_suites
from sparkscore.pipelines.limits import Limits
from sparkscore.pipelines.past import already_published, decided
from sparkscore.pipelines.pinning import Plan, pinned
from sparkscore.pipelines.publishing import published
from sparkscore.pipelines.staging import staged
from sparkscore.publish import stage as stages
from sparkscore.publish.progress import Progress
from sparkscore.records import RunReport, Stage, Watch
from sparkscore.scoring.background import background
from sparkscore.scoring.counters import Counters
from sparkscore.settings import Settings
from sparkscore.store.runs import PLAIN, Decision, Wishes


def score(
    spark: SparkSession,
    settings: Settings,
    *,
    as_of: str | datetime,
    wishes: Wishes = PLAIN,
    watch: Watch | None = None,
) -> RunReport:
    """The whole job for one as_of; a second call for a published as_of does nothing and says so.

    Grain:   the prediction table holds one row per (keys, as_of).
    Jobs:    counts the source, judges it (several jobs for a suite), predicts each row once, publishes by one MERGE.
    Raises:  every class of `errors`; the tables stay as they were, or the next call resumes.
    """
    attempt = Attempt.of(spark, settings, as_of)
    with attempt.guarded():
        decision = decided(attempt, wishes)
        if decision.kind == "already_published":
            return _seen(attempt, decision)
        with attempt.part("pin"):
            plan = pinned(attempt, decision)
            check_suites(attempt, plan)
            rows_read = ingest.count(attempt.spark, plan.snapshot)
            attempt.know(rows_read=rows_read)
        if rows_read == 0:
            attempt.warn("the source has no rows after the filter: nothing scored, nothing published, nothing deleted")
            return attempt.ended("nothing_to_score", rows_scored=0, rows_rejected=0)
        attempt.begin(plan.run, closes=decision.open)
        limits = Limits.of(settings, began=attempt.began, rows_read=rows_read)
        _judge_source(attempt, plan, limits)
        stage = _stage(attempt, plan, limits, watch, restart=wishes.restart)
        return published(attempt, plan, stage, rows_read=rows_read)


def _seen(attempt: Attempt, decision: Decision) -> RunReport:
    """What readers see stays; the monitoring of an attempt that died between publication and its end is made up for."""
    report, shown = already_published(attempt, decision), decision.shown
    if shown is None or not watching.missing(attempt, shown):
        return report
    try:
        with attempt.part("pin"):
            plan = pinned(attempt, replace(decision, keep=shown.pins))
    except DigestMismatch as changed:  # what is published was scored with other files, and stays published
        attempt.warn(f"the run was not monitored, and what that needs is gone: {changed.found}")
        return attempt.report
    stage = stages.found(attempt.spark, plan.run, attempt.settings.stage_uri)
    if stage is None or plan.run.run_id != shown.run_id:
        attempt.warn("the run was not monitored, and what that needs is gone")
        return attempt.report
    watching.watched(attempt, plan, stage, rows_read=report.rows_read or 0)
    return attempt.ended("already_published")


def _judge_source(attempt: Attempt, plan: Plan, limits: Limits) -> None:
    """In a thread of its own, so that it does not outlast the deadline."""
    suite = attempt.suites.get("input")
    if suite is None or not suite.judging.expectations:
        return
    with attempt.part("input_gate"):
        whole = replace(plan.snapshot, columns=tuple(plan.snapshot.schema.names))
        rows, sensitive = ingest.frame(attempt.spark, whole), attempt.settings.source.sensitive
        judging = partial(judge, rows, suite.judging, gate="input", sensitive=sensitive)
        with background(attempt.spark, judging) as job:
            verdict = limits.result(job)
        attempt.judged(verdict)
        require(verdict)


def _stage(attempt: Attempt, plan: Plan, limits: Limits, watch: Watch | None, *, restart: bool) -> Stage:
    """The whole stage: what attempts with equal pins have left, and the rows scored now."""
    where, counters = (attempt.spark, plan.run, attempt.settings.stage_uri), Counters(attempt.spark)
    with attempt.part("score_and_stage"):
        past = stages.progress_of(*where)
        if restart and past.begun:
            past = stages.emptied(*where, past=past)
        now = past
        if not past.whole:
            done = partial(_done, past, counters)
            with watch("score_and_stage", total=attempt.report.rows_read or 0, done=done) if watch else nullcontext():
                now = staged(attempt, plan, counters, past, limits)
        stage = stages.whole(*where, now, chunks_reused=past.reused_by(now))
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
        attempt.judged(row_verdict(plan.rules, stages.rows(attempt.spark, stage), rows=stage.rows))
    limits.check_rejects(stage.rejected)
    attempt.event("staged")
    return stage


def _done(past: Progress, counters: Counters) -> int:
    return (past.rows or 0) + counters.rows
