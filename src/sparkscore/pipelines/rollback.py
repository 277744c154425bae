"""An earlier run of an as_of published again as a new revision. Its rows come from the prediction table's own past."""

from datetime import datetime

from pyspark.sql import SparkSession

from sparkscore import lifecycle
from sparkscore.errors import TableChanged, VersionGone
from sparkscore.pipelines.shared.publishing import finish_publication
from sparkscore.pipelines.shared.run_attempt import Attempt
from sparkscore.pipelines.shared.run_history import (
    advise_on_error,
    apply_decision,
    load_run_history,
    report_unchanged_run,
    restore_published_run,
)
from sparkscore.publish.earlier_publication import (
    check_same_schema,
    copy_run_rejects,
    count_row_changes,
    load_published_rows,
)
from sparkscore.publish.latest_view import ensure_latest_view
from sparkscore.publish.publish_run import RowsToPublish, publish_run
from sparkscore.records import RowChanges, Run, RunEvent, RunReport
from sparkscore.settings import Settings

RollbackLines = list[tuple[str, str, str]]
"""What readers see: of what, before, after."""


def rollback(
    spark: SparkSession, settings: Settings, *, as_of: str | datetime, to: str | None = None, dry_run: bool = False
) -> tuple[RunReport, RollbackLines]:
    """An earlier run's rows made visible again by one MERGE, and what readers see before and after it.

    Needs:   `to` as a revision, or as a run_id or its beginning; None: the publication before the one that readers see.
    Jobs:    one that compares both, one MERGE; with `dry_run` only the first, and nothing is written.
    Raises:  ConfigError where nothing earlier is published, or the table's shape or keys changed; VersionGone where its
             rows can no longer be read; TableChanged, PublishConflict, PinsConflict, AccessDenied.
    """
    attempt = Attempt.of(spark, settings, as_of)
    attempt.verb = "rollback"
    with attempt.guarded(records=not dry_run):
        past = load_run_history(attempt, records=not dry_run)
        decision = apply_decision(
            attempt, lifecycle.decide_rollback(past.events, past.visible, to=to, recovered=past.recovered)
        )
        shown, earlier = decision.shown, decision.earlier
        if shown is None or earlier is None:
            report = report_unchanged_run(attempt, shown)
            return attempt.ended("dry_run") if dry_run else report, []
        run = restore_published_run(attempt, earlier)
        with advise_on_error(_rescore_command(run), VersionGone):
            names, found = _compare_with_earlier(attempt, earlier, shown)
            lines = _rollback_lines(shown, earlier, run, found)
            if dry_run:
                return attempt.ended("dry_run"), lines
            attempt.run, attempt.of_run = run, earlier.run_id
            attempt.begin(run, closes=decision.open)
            attempt.event("staged")
            return _republish_earlier(attempt, run, earlier, names), lines


def _rescore_command(run: Run) -> str:
    return f"`score --replace --model.uri models:/{run.pins.model_name}/{run.pins.model_version}` scores it again"


def _compare_with_earlier(attempt: Attempt, earlier: RunEvent, shown: RunEvent) -> tuple[tuple[str, ...], RowChanges]:
    """The table's columns, and what changes for readers. All of the earlier rows are read: nothing is written before.

    Raises:  ConfigError, VersionGone, TableChanged.
    """
    target, keys, version = attempt.target, attempt.settings.source.keys, earlier.table_version
    if version is None:
        raise VersionGone(f"the version of {target.name} that published revision {earlier.revision} is not known")
    with attempt.part("compare"):
        names = check_same_schema(target, version=version, keys=keys)
        then, now = load_published_rows(target, earlier, version=version), load_published_rows(target, shown)
        found = count_row_changes(then, now, keys=keys)
    if found.rows_then != (earlier.rows_scored or 0):
        raise TableChanged(
            f"{target.name} at version {version} holds {found.rows_then:,} rows of revision {earlier.revision}",
            f"{earlier.rows_scored or 0:,}, as published",
            "name another publication by --to, or score again with --replace",
        )
    return names, found


def _republish_earlier(attempt: Attempt, run: Run, earlier: RunEvent, names: tuple[str, ...]) -> RunReport:
    target, keys = attempt.target, attempt.settings.source.keys
    rows = RowsToPublish(
        lambda session: load_published_rows(target.in_session(session), earlier, version=earlier.table_version),
        names,
        earlier.rows_scored or 0,
        earlier.rows_rejected or 0,
    )
    with attempt.part("publish"):
        copy_run_rejects(run, target, of_run=earlier.run_id or "")
        publication = publish_run(rows, run, target, keys=keys)
        ensure_latest_view(target, keys=keys)
    attempt.know(model_loads=0, chunks_reused=0)
    return finish_publication(attempt, run, publication)


def _rollback_lines(shown: RunEvent, earlier: RunEvent, run: Run, found: RowChanges) -> RollbackLines:
    before, after = _pin_texts(shown), _pin_texts(earlier)
    return [
        ("revision", str(shown.revision), f"{run.revision}, the rows of revision {earlier.revision}"),
        ("run", (shown.run_id or "")[:12], run.run_id[:12]),
        ("model", before[0], after[0]),
        ("source", before[1], after[1]),
        ("rows", f"{found.rows_now:,}", f"{found.rows_then:,}"),
        ("keys that vanish", "", f"{found.vanish:,}"),
        ("keys that appear", "", f"{found.appear:,}"),
        ("keys with other values", "", f"{found.change:,}"),
    ]


def _pin_texts(event: RunEvent) -> tuple[str, str]:
    pins = event.pins
    if pins is None:
        return "", ""
    model, source = f"{pins.model_name} version {pins.model_version}", f"{event.source_table}"
    return model, f"{source} at version {pins.source_version}"
