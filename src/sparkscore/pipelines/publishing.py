"""From a whole stage to readers: judged, published by one MERGE, told in the run events. Every verb that publishes."""

from collections.abc import Callable
from functools import partial

from pyspark.sql import functions as F

from sparkscore.gate import integrity
from sparkscore.gate.judge import judge, require
from sparkscore.gate.shift import shift
from sparkscore.pipelines.attempt import Attempt
from sparkscore.pipelines.frames import finished
from sparkscore.pipelines.pinning import Plan
from sparkscore.pipelines.watching import watched
from sparkscore.publish import stage as stages
from sparkscore.publish.latest import ensure_view
from sparkscore.publish.merge import Rows, keep_rejects, publish
from sparkscore.records import Publication, Run, RunReport, Stage, Status
from sparkscore.store.tables import ensure, exists, load


def published(attempt: Attempt, plan: Plan, stage: Stage, *, rows_read: int) -> RunReport:
    """The end of an attempt whose stage is whole.

    Jobs:    one that judges, more for a suite; one MERGE.
    Raises:  GateFailed, PublishConflict, PinsConflict, TableChanged, ForeignTable, AccessDenied.
    """
    spark, target, keys = attempt.spark, attempt.target, attempt.settings.source.keys
    sensitive = attempt.settings.source.sensitive
    _judge(attempt, plan, stage, rows_read)
    with attempt.part("publish"):
        ensure(spark, target, plan.contract, job=plan.run.job)
        keep_rejects(spark, stage, plan.run, target, keys=keys, sensitive=sensitive)
        rows = Rows(
            lambda session: finished(attempt, plan, stages.accepted(session, stage)),
            plan.contract.names,
            stage.scored,
            stage.rejected,
        )
        publication = publish(spark, rows, plan.run, target, keys=keys)
        ensure_view(spark, target, keys=keys)
    return told(attempt, plan.run, publication, then=partial(watched, attempt, plan, stage, rows_read=rows_read))


def told(attempt: Attempt, run: Run, publication: Publication, *, then: Callable[[], None] | None = None) -> RunReport:
    """The last event and the report of an attempt, after its commit or after that of a later revision.

    `then`: what is to be done once readers see the run.
    """
    attempt.know(table_version=publication.table_version)
    if publication.run_id != run.run_id:
        attempt.event("aborted", message=f"superseded by revision {publication.revision}")
        return attempt.ended("superseded")
    attempt.event("published", table_version=publication.table_version)
    status: Status = "published" if publication.committed else "already_published"
    attempt.know(status=status)
    if then is not None:
        then()
    return attempt.ended(status)


def _judge(attempt: Attempt, plan: Plan, stage: Stage, rows_read: int) -> None:
    with attempt.part("output_gate"):
        rows = finished(attempt, plan, stages.rows(attempt.spark, stage))
        keys, sensitive = attempt.settings.source.keys, attempt.settings.source.sensitive
        found = integrity.integrity(rows, keys=keys, rows_read=rows_read, unique=stage.keys_ascend, sensitive=sensitive)
        attempt.judged(found.verdict)
        integrity.require(found)
        suite = attempt.suites.get("output")
        if suite is not None:
            accepted = finished(attempt, plan, stages.accepted(attempt.spark, stage))
            verdict = judge(accepted, suite, gate="output", sensitive=sensitive)
            attempt.judged(verdict)
            require(verdict)
        _judge_shift(attempt, plan, stage)


def _judge_shift(attempt: Attempt, plan: Plan, stage: Stage) -> None:
    """Against the last as_of before this one that readers see; there is none for a first run."""
    gate, spark, target = attempt.settings.gate, attempt.spark, attempt.target
    if (gate.mean_shift is None and gate.label_shift is None) or not exists(spark, target):
        return
    earlier = load(spark, target).where(F.col("as_of") < F.lit(attempt.as_of))
    last = earlier.agg(F.max("as_of")).collect()[0][0]
    if last is None:
        return
    now = finished(attempt, plan, stages.accepted(spark, stage))
    verdict = shift(now, earlier.where(F.col("as_of") == F.lit(last)), attempt.settings)
    attempt.judged(verdict)
    require(verdict)
