"""An earlier run of an as_of published again as a new revision. Its rows come from the prediction table's own past."""

from datetime import datetime

from pyspark.sql import SparkSession

from sparkscore.errors import TableChanged, VersionGone
from sparkscore.pipelines.attempt import Attempt
from sparkscore.pipelines.past import as_seen, cured, numbered, past_of, run_of
from sparkscore.pipelines.publishing import told
from sparkscore.publish.earlier import changes, check_shape, keep_rejects_again, published_rows
from sparkscore.publish.latest import ensure_view
from sparkscore.publish.merge import Rows, publish
from sparkscore.records import Changes, Run, RunEvent, RunReport
from sparkscore.settings import Settings
from sparkscore.store import runs

Lines = list[tuple[str, str, str]]
"""What readers see: of what, before, after."""


def rollback(
    spark: SparkSession, settings: Settings, *, as_of: str | datetime, to: str | None = None, dry_run: bool = False
) -> tuple[RunReport, Lines]:
    """An earlier run's rows made visible again by one MERGE, and what readers see before and after it.

    Needs:   `to` as a revision, or as a run_id or its beginning; None: the publication before the one that readers see.
    Jobs:    one that compares both, one MERGE; with `dry_run` only the first, and nothing is written.
    Raises:  ConfigError where nothing earlier is published, or the table's shape or keys changed; VersionGone where its
             rows can no longer be read; TableChanged, PublishConflict, PinsConflict, AccessDenied.
    """
    attempt = Attempt.of(spark, settings, as_of)
    attempt.verb = "rollback"
    with attempt.guarded(records=not dry_run):
        past = past_of(attempt, records=not dry_run)
        decision = numbered(attempt, runs.roll_back(past.events, past.visible, to=to, recovered=past.recovered))
        shown, earlier = decision.shown, decision.earlier
        if shown is None or earlier is None:
            report = as_seen(attempt, shown)
            return attempt.ended("dry_run") if dry_run else report, []
        run = run_of(attempt, earlier)
        with cured(_cure(run), VersionGone):
            names, found = _compared(attempt, earlier, shown)
            lines = _lines(shown, earlier, run, found)
            if dry_run:
                return attempt.ended("dry_run"), lines
            attempt.run, attempt.of_run = run, earlier.run_id
            attempt.begin(run, closes=decision.open)
            attempt.event("staged")
            return _published(attempt, run, earlier, names), lines


def _cure(run: Run) -> str:
    return f"`score --replace --model.uri models:/{run.pins.model_name}/{run.pins.model_version}` scores it again"


def _compared(attempt: Attempt, earlier: RunEvent, shown: RunEvent) -> tuple[tuple[str, ...], Changes]:
    """The table's columns, and what changes for readers. All of the earlier rows are read: nothing is written before.

    Raises:  ConfigError, VersionGone, TableChanged.
    """
    spark, target, keys, version = attempt.spark, attempt.target, attempt.settings.source.keys, earlier.table_version
    if version is None:
        raise VersionGone(f"the version of {target.name} that published revision {earlier.revision} is not known")
    with attempt.part("compare"):
        names = check_shape(spark, target, version=version, keys=keys)
        then, now = published_rows(spark, target, earlier, version=version), published_rows(spark, target, shown)
        found = changes(then, now, keys=keys)
    if found.rows_then != (earlier.rows_scored or 0):
        raise TableChanged(
            f"{target.name} at version {version} holds {found.rows_then:,} rows of revision {earlier.revision}",
            f"{earlier.rows_scored or 0:,}, as published",
            "name another publication by --to, or score again with --replace",
        )
    return names, found


def _published(attempt: Attempt, run: Run, earlier: RunEvent, names: tuple[str, ...]) -> RunReport:
    target, keys = attempt.target, attempt.settings.source.keys
    rows = Rows(
        lambda session: published_rows(session, target, earlier, version=earlier.table_version),
        names,
        earlier.rows_scored or 0,
        earlier.rows_rejected or 0,
    )
    with attempt.part("publish"):
        keep_rejects_again(attempt.spark, run, target, of_run=earlier.run_id or "")
        publication = publish(attempt.spark, rows, run, target, keys=keys)
        ensure_view(attempt.spark, target, keys=keys)
    attempt.know(model_loads=0, chunks_reused=0)
    return told(attempt, run, publication)


def _lines(shown: RunEvent, earlier: RunEvent, run: Run, found: Changes) -> Lines:
    before, after = _stood_on(shown), _stood_on(earlier)
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


def _stood_on(event: RunEvent) -> tuple[str, str]:
    pins = event.pins
    if pins is None:
        return "", ""
    model, source = f"{pins.model_name} version {pins.model_version}", f"{event.source_table}"
    return model, f"{source} at version {pins.source_version}"
