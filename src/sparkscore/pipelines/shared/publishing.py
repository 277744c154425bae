"""From a complete stage to the publication: judge, publish by one commit, record the event."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import pyarrow as pa

from sparkscore.pipelines.monitoring.run_monitoring import monitor_run
from sparkscore.pipelines.scoring.transport_choice import output_frame
from sparkscore.pipelines.shared.exports import export_publication
from sparkscore.pipelines.shared.pinning import Plan
from sparkscore.pipelines.shared.report_codec import SUPERSEDED_BY
from sparkscore.pipelines.shared.run_attempt import Attempt
from sparkscore.pipelines.shared.run_suites import output_columns
from sparkscore.pipelines.shared.stage_gate import judge_stage
from sparkscore.publish.latest_view import ensure_latest_view
from sparkscore.publish.publish_run import keep_rejects, publish_run
from sparkscore.publish.rows_to_publish import RowsToPublish
from sparkscore.records import Publication, Run, RunReport, RunStatus, Stage
from sparkscore.schemas import REJECT_COLUMN
from sparkscore.store.table_contracts import ensure_table


def publish_stage(attempt: Attempt, plan: Plan, stage: Stage, *, rows_read: int) -> RunReport:
    """Judge and publish the complete stage of an attempt.

    Jobs:    those of `stage_gate.judge_stage` and of `publish_run`.
    Raises:  GateFailed, PublishConflict, PinsConflict, TableChanged, ForeignTable, AccessDenied.
    """
    target, keys = attempt.target, attempt.settings.output_keys
    store, sensitive = attempt.stage_store(plan.run), attempt.settings.output_sensitive
    judge_stage(attempt, plan, stage, rows_read=rows_read)
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
            partial(_load_output_rows, attempt, plan, stage),
        )
        publication = publish_run(rows, plan.run, target, keys=keys)
        ensure_latest_view(target, keys=keys)
    return finish_publication(
        attempt, plan.run, publication, on_visible=partial(monitor_run, attempt, plan, stage, rows_read=rows_read)
    )


def _load_output_rows(attempt: Attempt, plan: Plan, stage: Stage) -> pa.Table | None:
    """The rows of `output_frame` without Spark; None where Arrow has no form of what it does inside of predictions."""
    if plan.nullable and attempt.settings.output.threshold is None and not pa.types.is_floating(plan.model.output):
        return None
    found, published = attempt.stage_store(plan.run).read_scored_rows(stage), output_columns(attempt, plan)
    return None if found is None else pa.Table.from_batches(map(published, found.to_batches()))


def finish_publication(
    attempt: Attempt, run: Run, publication: Publication, *, on_visible: Callable[[], None] | None = None
) -> RunReport:
    """The last event and the report of an attempt, after its commit or after that of a later revision.

    `on_visible`: what to do after the publication.
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
    export_publication(attempt, run, rows=publication.rows)
    return attempt.finish(status)
