"""Publishes an earlier run of an as_of again, as a new revision, from an older version of the prediction table."""

from dataclasses import replace
from datetime import datetime

from pyspark.sql import SparkSession

from sparkscore import lifecycle
from sparkscore.errors import TableChanged, VersionGone
from sparkscore.model.registry.model_uri import pinned_model_uri
from sparkscore.pipelines.monitoring.run_lineage import describe_rollback_lineage
from sparkscore.pipelines.shared.export_targets import check_exports
from sparkscore.pipelines.shared.exports import make_up_for_exports
from sparkscore.pipelines.shared.publishing import finish_publication
from sparkscore.pipelines.shared.removed_rows import refuse_other_range
from sparkscore.pipelines.shared.run_attempt import Attempt
from sparkscore.pipelines.shared.run_history import (
    advise_on_error,
    apply_decision,
    load_run_history,
    report_unchanged_run,
    restore_published_run,
)
from sparkscore.publish.earlier_publication import (
    check_earlier_columns,
    copy_run_rejects,
    count_row_changes,
    load_published_rows,
)
from sparkscore.publish.latest_view import ensure_latest_view
from sparkscore.publish.publish_run import publish_run
from sparkscore.publish.rows_to_publish import RowsToPublish
from sparkscore.records import RowChanges, Run, RunEvent, RunReport
from sparkscore.settings import Settings

RollbackLines = list[tuple[str, str, str]]
"""What changes for readers: of what, before, after."""


def rollback(
    spark: SparkSession, settings: Settings, *, as_of: str | datetime, to: str | None = None, dry_run: bool = False
) -> tuple[RunReport, RollbackLines]:
    """Publish an earlier run's rows again by one MERGE; also returns what changes for readers.

    Needs:   `to` as a revision, or as a run_id or its beginning; None: the publication before the current one.
    Jobs:    one that compares both, one MERGE; with `dry_run` only the first, and nothing is written.
    Raises:  ConfigError if nothing earlier is published, the table's keys changed, or it lost columns; VersionGone if
             its rows can no longer be read; TableChanged, PublishConflict, PinsConflict, AccessDenied.
    """
    attempt = Attempt.open(spark, settings, as_of)
    attempt.verb = "rollback"
    with attempt.record_failures(records=not dry_run):
        history = load_run_history(attempt, records=not dry_run)
        decision = apply_decision(
            attempt, lifecycle.decide_rollback(history.events, history.visible, to=to, recovered=history.recovered)
        )
        current, earlier = decision.current, decision.earlier
        if current is None or earlier is None:
            report_unchanged_run(attempt, current)
            if not dry_run:
                make_up_for_exports(attempt, current)
            return attempt.finish("dry_run" if dry_run else "already_published"), []
        refuse_other_range(attempt, current, earlier)
        run = restore_published_run(attempt, earlier)
        check_exports(attempt)
        with advise_on_error(_rescore_command(run), VersionGone):
            names, changes = _compare_with_earlier(attempt, earlier, current)
            lines = _rollback_lines(current, earlier, run, changes)
            if dry_run:
                return attempt.finish("dry_run"), lines
            attempt.run, attempt.origin_run_id = run, earlier.run_id
            describe_rollback_lineage(attempt, run, earlier)
            attempt.record_start(closes=decision.unfinished)
            attempt.record_event("staged")
            return _republish_earlier(attempt, run, earlier, names), lines


def _rescore_command(run: Run) -> str:
    if run.pins.has_groups:
        return "`score --replace` scores it again, with the models that the groups have now"
    return (
        f"`score --replace --model.uri {pinned_model_uri(run.pins.model_name, run.pins.model_version)}` scores it again"
    )


def _compare_with_earlier(attempt: Attempt, earlier: RunEvent, current: RunEvent) -> tuple[tuple[str, ...], RowChanges]:
    """The table's columns, and what changes for readers. Reads all earlier rows, before anything is written.

    Raises:  ConfigError, VersionGone, TableChanged.
    """
    target, keys, version = attempt.target, attempt.settings.output_keys, earlier.table_version
    if version is None:
        raise VersionGone(f"the version of {target.name} that published revision {earlier.revision} is unknown")
    with attempt.phase("compare"):
        names = check_earlier_columns(target, version=version, keys=keys)
        rows_before, rows_now = (
            load_published_rows(target, earlier, version=version),
            load_published_rows(target, current),
        )
        changes = count_row_changes(rows_before, rows_now, keys=keys)
    if changes.rows_after != earlier.rows_visible:
        raise TableChanged(
            f"{target.name} at version {version} holds {changes.rows_after:,} rows of revision {earlier.revision}",
            f"{earlier.rows_visible:,}, as published",
            "name another publication with --to, or score again with --replace",
        )
    return names, changes


def _republish_earlier(attempt: Attempt, run: Run, earlier: RunEvent, names: tuple[str, ...]) -> RunReport:
    target, keys = attempt.target, attempt.settings.output_keys
    rows = RowsToPublish(
        lambda session: load_published_rows(target.in_session(session), earlier, version=earlier.table_version),
        names,
        earlier.rows_visible,
        earlier.rows_rejected or 0,
        marked=earlier.rows_marked,
    )
    with attempt.phase("publish"):
        copy_run_rejects(run, target, of_run=earlier.run_id or "")
        publication = publish_run(rows, run, target, keys=keys)
        ensure_latest_view(target, keys=keys)
    attempt.report = replace(attempt.report, model_loads=0, chunks_reused=0)
    return finish_publication(attempt, run, publication)


def _rollback_lines(current: RunEvent, earlier: RunEvent, run: Run, changes: RowChanges) -> RollbackLines:
    before, after = _pin_texts(current), _pin_texts(earlier)
    return [
        ("revision", str(current.revision), f"{run.revision}, the rows of revision {earlier.revision}"),
        ("run", (current.run_id or "")[:12], run.run_id[:12]),
        ("model", before[0], after[0]),
        ("source", before[1], after[1]),
        ("rows", f"{changes.rows_before:,}", f"{changes.rows_after:,}"),
        ("keys removed", "", f"{changes.keys_removed:,}"),
        ("keys added", "", f"{changes.keys_added:,}"),
        ("keys changed", "", f"{changes.keys_changed:,}"),
    ]


def _pin_texts(event: RunEvent) -> tuple[str, str]:
    pins = event.pins
    if pins is None:
        return "", ""
    model, source = f"{pins.model_name} version {pins.model_version}", f"{event.source_table}"
    return model, f"{source} at version {pins.source_version}"
