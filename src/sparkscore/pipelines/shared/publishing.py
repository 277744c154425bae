"""From a complete stage to the publication: judge, publish by one commit, record the event."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from sparkscore.errors import GateFailed
from sparkscore.gate import stage_integrity
from sparkscore.gate.prediction_shift import judge_prediction_shift
from sparkscore.gate.verdicts import judge_suite, require_passed_verdict
from sparkscore.pipelines.monitoring.run_monitoring import monitor_run
from sparkscore.pipelines.scoring.transport_choice import output_frame
from sparkscore.pipelines.shared.pinning import Plan
from sparkscore.pipelines.shared.report_codec import SUPERSEDED_BY
from sparkscore.pipelines.shared.run_attempt import Attempt
from sparkscore.publish.latest_view import ensure_latest_view
from sparkscore.publish.postprocessing import is_other_than_probability
from sparkscore.publish.publish_run import RowsToPublish, keep_rejects, publish_run
from sparkscore.records import Publication, Run, RunReport, RunStatus, Stage
from sparkscore.schemas import REJECT_COLUMN
from sparkscore.store.table_contracts import ensure_table


def publish_stage(attempt: Attempt, plan: Plan, stage: Stage, *, rows_read: int) -> RunReport:
    """Judge and publish the complete stage of an attempt.

    Jobs:    one that judges, more for a suite; those of `publish_run`.
    Raises:  GateFailed, PublishConflict, PinsConflict, TableChanged, ForeignTable, AccessDenied.
    """
    target, keys = attempt.target, attempt.settings.output_keys
    store, sensitive = attempt.stage_store(plan.run), attempt.settings.output_sensitive
    _judge_stage(attempt, plan, stage, rows_read)
    with attempt.phase("publish"):
        ensure_table(target.refresh(), plan.contract, job=plan.run.job)  # scoring took its time
        if stage.rejected:
            rejected = store.load_rows(stage).where(f"{REJECT_COLUMN} IS NOT NULL")
            keep_rejects(rejected, plan.run, target, keys=keys, sensitive=sensitive)
        rows = RowsToPublish(
            lambda session: output_frame(attempt, plan, store.in_session(session).load_scored_rows(stage)),
            plan.contract.names,
            stage.scored,
            stage.rejected,
            store.find_size(stage),
        )
        publication = publish_run(rows, plan.run, target, keys=keys)
        ensure_latest_view(target, keys=keys)
    return finish_publication(
        attempt, plan.run, publication, on_visible=partial(monitor_run, attempt, plan, stage, rows_read=rows_read)
    )


def finish_publication(
    attempt: Attempt, run: Run, publication: Publication, *, on_visible: Callable[[], None] | None = None
) -> RunReport:
    """The last event and the report of an attempt, after its commit or after that of a later revision.

    `then`: what to do after the publication.
    """
    attempt.report = replace(attempt.report, table_version=publication.table_version, rows_removed=publication.removed)
    if publication.run_id != run.run_id:
        later = publication.revision
        attempt.record_event("aborted", details={SUPERSEDED_BY: later}, message=f"superseded by revision {later}")
        return attempt.finish("superseded")
    attempt.record_publication(publication.table_version)
    status: RunStatus = "published" if publication.committed else "already_published"
    attempt.report = replace(attempt.report, status=status)
    if on_visible is not None:
        on_visible()
    return attempt.finish(status)


def _judge_stage(attempt: Attempt, plan: Plan, stage: Stage, rows_read: int) -> None:
    store = attempt.stage_store(plan.run)
    with attempt.phase("output_gate"):
        rows = output_frame(attempt, plan, store.load_rows(stage))
        keys, sensitive = attempt.settings.output_keys, attempt.settings.output_sensitive
        _refuse_other_probabilities(attempt, plan, store.load_scored_rows(stage))
        expected = stage_integrity.StageExpectations(keys, rows_read, plan.nullable, sensitive)
        found = stage_integrity.check_stage_integrity(rows, expected, unique=stage.keys_ascend)
        attempt.keep_verdict(found.verdict)
        stage_integrity.require_stage_integrity(found)
        suite = attempt.suites.get("output")
        if suite is not None:
            accepted = output_frame(attempt, plan, store.load_scored_rows(stage))
            verdict = judge_suite(accepted, suite, gate="output", sensitive=sensitive)
            attempt.keep_verdict(verdict)
            require_passed_verdict(verdict)
        _judge_shift(attempt, plan, stage)


def _refuse_other_probabilities(attempt: Attempt, plan: Plan, scored: DataFrame) -> None:
    """Where the signature does not say how many numbers the model returns, the predictions do."""
    threshold, output = attempt.settings.output.threshold, plan.model.output
    if threshold is None or pa.types.is_floating(output) or dict(plan.model.parts.sizes):
        return
    rows = scored.where(is_other_than_probability(output)).count()
    if rows:
        raise GateFailed(
            f"{rows:,} predictions are lists of neither one nor two numbers, and output.threshold={threshold}",
            "one probability per row, or those of two classes",
            "remove output.threshold: what was scored is kept, and published without another prediction",
        )


def _judge_shift(attempt: Attempt, plan: Plan, stage: Stage) -> None:
    """Compare with the last published as_of before this one; a first run has none."""
    gate, target = attempt.settings.gate, attempt.target
    if (gate.mean_shift is None and gate.label_shift is None) or not target.exists():
        return
    earlier = target.load_rows().where(F.col("as_of") < F.lit(attempt.as_of))
    last = earlier.agg(F.max("as_of")).collect()[0][0]
    if last is None:
        return
    now = output_frame(attempt, plan, attempt.stage_store(plan.run).load_scored_rows(stage))
    verdict = judge_prediction_shift(now, earlier.where(F.col("as_of") == F.lit(last)), attempt.settings)
    attempt.keep_verdict(verdict)
    require_passed_verdict(verdict)
