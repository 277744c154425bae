"""Rows that runs did not score: how many and why, and a run's own scored again with the same pins."""

from contextlib import nullcontext

from pyspark.sql import SparkSession

from sparkscore.errors import ConfigError, PinsConflict, VersionGone
from sparkscore.ingest import snapshot as ingest
from sparkscore.pipelines.attempt import Attempt
from sparkscore.pipelines.frames import check_suites, scored_frame
from sparkscore.pipelines.past import as_seen, cured, numbered, past_of, refuse_other_pins, run_of
from sparkscore.pipelines.pinning import Plan, pinned
from sparkscore.pipelines.publishing import published
from sparkscore.publish import mend
from sparkscore.publish import stage as stages
from sparkscore.records import RejectCount, RunReport, Stage, Watch
from sparkscore.scoring.counters import Counters
from sparkscore.settings import Settings
from sparkscore.store import runs
from sparkscore.store.events import events
from sparkscore.store.isolation import run_session
from sparkscore.store.names import beside, table_ref
from sparkscore.store.rejects import counted

_CURE = "`score --replace` scores all rows with a model and a source that are there"


def rejects(spark: SparkSession, settings: Settings) -> list[RejectCount]:
    """How many rows each run of the job has rejected, by reason.

    Jobs:    one Spark job.
    Raises:  ForeignTable.
    """
    target = table_ref(settings.output.table, home=settings.home_uri)
    return counted(run_session(spark), beside(target, "_rejects"), job=settings.job)


def retry(spark: SparkSession, settings: Settings, *, run: str, watch: Watch | None = None) -> RunReport:
    """The rejected rows of the run that readers see scored again with its pins; all its rows are the next revision.

    Needs:   `run` as a run_id or its beginning.
    Jobs:    two that count, one MERGE into the stage that scores, those that judge, one MERGE.
    Raises:  ConfigError for a run that readers do not see or whose stage is gone, and whatever `score` raises.
    """
    attempt = _attempt(spark, settings, run)
    with attempt.guarded(), cured(_CURE, PinsConflict, VersionGone):
        decision = _decided(attempt)
        if decision.kind == "already_published":
            return as_seen(attempt, decision.shown)
        stage = _stage(attempt, decision)
        with attempt.part("pin"):
            plan = pinned(attempt, decision)
            check_suites(attempt, plan)
        attempt.begin(plan.run, closes=decision.open)
        seen, read = attempt.report.rows_scored or 0, attempt.report.rows_read or 0
        if not decision.staged:
            stage = _mended(attempt, plan, stage, watch)
        if stage.scored <= seen:
            attempt.event("aborted", message="none of the rejected rows could be scored")
            return attempt.ended("nothing_to_score")
        attempt.know(rows_scored=stage.scored, rows_rejected=stage.rejected)
        attempt.event("staged")
        return published(attempt, plan, stage, rows_read=read)


def _attempt(spark: SparkSession, settings: Settings, run: str) -> Attempt:
    """The book of a retry, for the as_of of the run that is named."""
    table = beside(table_ref(settings.output.table, home=settings.home_uri), "_runs")
    named = runs.named(events(run_session(spark), table, job=settings.job), run)[-1]
    attempt = Attempt.of(spark, settings, named.as_of)
    attempt.verb, attempt.of_run = "rejects", named.run_id
    return attempt


def _decided(attempt: Attempt) -> runs.Decision:
    """What the retry does.

    Raises:  PinsConflict where the config asks for other pins than those of what readers see.
    """
    past = past_of(attempt)
    decision = numbered(attempt, runs.retry(past.events, past.visible, run_id=attempt.of_run or ""))
    if decision.keep is not None:
        refuse_other_pins(attempt, decision.keep)
    return decision


def _stage(attempt: Attempt, decision: runs.Decision) -> Stage:
    """The stage of what readers see; runs with equal pins share it."""
    stage = stages.found(attempt.spark, run_of(attempt, decision.shown), attempt.settings.stage_uri)
    if stage is None:
        raise ConfigError(
            f"the stage of run {(attempt.of_run or '')[:12]} was removed", "the stage under output.stage", _CURE
        )
    return stage


def _mended(attempt: Attempt, plan: Plan, stage: Stage, watch: Watch | None) -> Stage:
    """The stage with those rejected rows scored that can be scored now; each goes to the model once."""
    counters, keys = Counters(attempt.spark), attempt.settings.source.keys
    attempt.know(transport="arrow", transport_reason="only rejected rows are scored")
    with attempt.part("score_and_stage"):
        source, rows = mend.rejected(ingest.frame(attempt.spark, plan.snapshot), stage, keys=keys)
        if rows:
            with watch("score_and_stage", total=rows, done=lambda: counters.rows) if watch else nullcontext():
                stage = mend.mended(scored_frame(attempt, plan, source, counters, "arrow"), stage, keys=keys)
    attempt.know(model_loads=counters.loads, executors=counters.told())
    return stage
