"""From a complete stage to the publication: judge, publish by one commit, record the event."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import pyarrow as pa

from sparkscore.pipelines.monitoring.run_monitoring import monitor_run
from sparkscore.pipelines.scoring.transport_choice import output_frame
from sparkscore.pipelines.shared.deleted_keys import (
    add_marks,
    choose_removed_keys,
    count_marks,
    mark_deleted_keys,
)
from sparkscore.pipelines.shared.exports import export_publication
from sparkscore.pipelines.shared.pinning import Plan
from sparkscore.pipelines.shared.removed_rows import refuse_overtaken_increment
from sparkscore.pipelines.shared.report_codec import SUPERSEDED_BY
from sparkscore.pipelines.shared.run_attempt import Attempt
from sparkscore.pipelines.shared.run_suites import output_columns
from sparkscore.pipelines.shared.stage_gate import judge_stage
from sparkscore.publish.exploded_views import ensure_exploded_views
from sparkscore.publish.latest_view import ensure_latest_view
from sparkscore.publish.publish_run import keep_rejects, publish_run
from sparkscore.publish.rows_to_publish import RowsToPublish
from sparkscore.records import Publication, Run, RunEvent, RunReport, RunStatus, Stage
from sparkscore.schemas import DELETED_COLUMN, REJECT_COLUMN
from sparkscore.store.table_contracts import ensure_table


def publish_stage(
    attempt: Attempt, plan: Plan, stage: Stage, *, rows_read: int, on_copied: Callable[[], None] | None = None
) -> RunReport:
    """Judge and publish the complete stage of an attempt. `on_copied`: what to do after its exports.

    Jobs:    those of `stage_gate.judge_stage` and of `publish_run`.
    Raises:  GateFailed, PublishConflict, PinsConflict, TableChanged, ForeignTable, AccessDenied.
    """
    target, keys = attempt.target, attempt.settings.output_keys
    store, sensitive = attempt.stage_store(plan.run), attempt.settings.output_sensitive
    judge_stage(attempt, plan, stage, rows_read=rows_read)
    refuse_overtaken_increment(attempt)
    with attempt.phase("publish"):
        ensure_table(target.refresh(), plan.contract, job=plan.run.job)  # scoring took its time
        if stage.rejected:
            rejected = store.load_rows(stage).where(f"{REJECT_COLUMN} IS NOT NULL")
            keep_rejects(rejected, plan.run, target, keys=keys, sensitive=sensitive)
        marked = count_marks(attempt)
        rows = RowsToPublish(
            lambda session: add_marks(
                attempt, plan, output_frame(attempt, plan, store.in_session(session).load_scored_rows(stage))
            ),
            plan.contract.names,
            stage.scored + marked,
            stage.rejected,
            store.find_size(stage),
            partial(_load_output_rows, attempt, plan, stage),
            load_removed_keys=choose_removed_keys(attempt, plan),
            marked=marked,
        )
        publication = publish_run(rows, plan.run, target, keys=keys)
        ensure_latest_view(target, keys=keys)
        ensure_exploded_views(target, attempt.settings.output.explode, keys=keys)
    return finish_publication(
        attempt,
        plan.run,
        publication,
        on_visible=partial(monitor_run, attempt, plan, stage, rows_read=rows_read),
        on_copied=on_copied,
    )


def publish_deletions(attempt: Attempt, plan: Plan, *, closes: RunEvent | None) -> RunReport:
    """Publish an increment in which rows were deleted, and none inserted or updated: nothing is scored.

    Jobs:    those of `publish_run`.
    Raises:  as `publish_stage`.
    """
    target, keys, marked = attempt.target, attempt.settings.output_keys, count_marks(attempt)
    attempt.report = replace(attempt.report, rows_read=0, rows_scored=0, rows_rejected=0)
    attempt.record_start(closes=closes)
    refuse_overtaken_increment(attempt)
    with attempt.phase("publish"):
        ensure_table(target.refresh(), plan.contract, job=plan.run.job)
        build = partial(mark_deleted_keys, attempt, plan)
        rows = RowsToPublish(
            build if marked else lambda session: build(session).limit(0),
            plan.contract.names,
            marked,
            0,
            load_removed_keys=choose_removed_keys(attempt, plan),
            marked=marked,
        )
        publication = publish_run(rows, plan.run, target, keys=keys)
        ensure_latest_view(target, keys=keys)
    return finish_publication(attempt, plan.run, publication)


def _load_output_rows(attempt: Attempt, plan: Plan, stage: Stage) -> pa.Table | None:
    """The rows of `output_frame` without Spark; None where Arrow has no form of what it does inside of predictions."""
    if plan.nullable and attempt.settings.output.threshold is None and not pa.types.is_floating(plan.model.output):
        return None
    found, published = attempt.stage_store(plan.run).read_scored_rows(stage), output_columns(attempt, plan)
    if found is None or count_marks(attempt):
        return None
    rows = pa.Table.from_batches(map(published, found.to_batches()))
    if DELETED_COLUMN in plan.contract.names:
        rows = rows.append_column(DELETED_COLUMN, pa.repeat(pa.scalar(False), rows.num_rows))
    return rows


def finish_publication(
    attempt: Attempt,
    run: Run,
    publication: Publication,
    *,
    on_visible: Callable[[], None] | None = None,
    on_copied: Callable[[], None] | None = None,
) -> RunReport:
    """The last event and the report of an attempt, after its commit or after that of a later revision.

    `on_visible`: what to do after the publication; `on_copied`: after its exports.
    """
    attempt.report = replace(attempt.report, table_version=publication.table_version, rows_removed=publication.removed)
    if publication.run_id != run.run_id:
        later = publication.revision
        attempt.record_event("aborted", details={SUPERSEDED_BY: later}, message=f"superseded by revision {later}")
        return attempt.finish("superseded")
    attempt.record_publication(publication.table_version, removed=publication.removed_earlier)
    status: RunStatus = "published" if publication.committed else "already_published"
    attempt.report = replace(attempt.report, status=status)
    if on_visible is not None:
        on_visible()
    export_publication(attempt, run, rows=publication.rows - count_marks(attempt))
    if on_copied is not None:
        on_copied()
    return attempt.finish(status)
