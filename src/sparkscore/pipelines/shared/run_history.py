"""Reads the history of an as_of: what to do now, and what is already published."""

import dataclasses
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sparkscore.errors import ConfigError, SparkscoreError, TableChanged
from sparkscore.lifecycle import Decision, decide_next_attempt, unknown_runs
from sparkscore.model.registry.model_resolution import look_up_model_version
from sparkscore.pipelines.shared.feature_pinning import find_newer_features
from sparkscore.pipelines.shared.lookup_pinning import find_newer_lookups
from sparkscore.pipelines.shared.pins_comparison import refuse_other_pins
from sparkscore.pipelines.shared.removed_rows import include_removed_rows
from sparkscore.pipelines.shared.report_codec import INCREMENT, REMOVED_ROWS, decode_features, decode_increment
from sparkscore.pipelines.shared.run_attempt import Attempt
from sparkscore.records import (
    Pins,
    ReportedSource,
    Run,
    RunEvent,
    to_utc_text,
)
from sparkscore.store import commit_history
from sparkscore.store.table_growth import check_table_owner


@dataclass(frozen=True, slots=True)
class RunHistory:
    """The history of an as_of before an attempt decides."""

    events: list[RunEvent]
    """Oldest first, including those that were missing and have been recorded again."""
    visible: Mapping[str, int]
    """Visible rows by run_id."""
    recovered: tuple[str, ...]
    """Runs whose publication was missing in the events."""


def load_run_history(attempt: Attempt, *, records: bool = True) -> RunHistory:
    """The run events and the visible rows of the as_of; publications without their last event are recorded again.

    Raises:  TableChanged, ForeignTable; ConfigError for an as_of that retention does not allow any more.
    """
    target = attempt.target
    if target.exists():
        check_table_owner(target, job=attempt.settings.job)
    events = attempt.load_as_of_events()
    if any(event.is_of_micro_batch for event in events):
        attempt.read_micro_batch()
    visible = commit_history.count_rows_by_run(target, attempt.as_of)
    if not visible:
        _refuse_expired(attempt)
    attempt.earlier_events = events
    visible = include_removed_rows(attempt, events, visible)
    unknown = unknown_runs(events, visible)
    events += [_recover_publication(attempt, run_id, visible[run_id], records=records) for run_id in unknown]
    return RunHistory(events, visible, tuple(unknown))


def decide_run(
    attempt: Attempt, *, replace: bool = False, force: bool = False, restart: bool = False, records: bool = True
) -> Decision:
    """What this attempt of `score` does, by the run events and the visible rows.

    Raises:  TableChanged, ForeignTable.
    """
    history = load_run_history(attempt, records=records)
    job = attempt.first_job or attempt.settings.job
    committed = commit_history.load_committed_revision(attempt.target, job=job, as_of=attempt.as_of) if force else 0
    decision = decide_next_attempt(
        history.events, history.visible, replace=replace, force=force, restart=restart, committed=committed
    )
    if decision.kind == "work":
        _refuse_expired(attempt)
    return apply_decision(attempt, decision)


def apply_decision(attempt: Attempt, decision: Decision) -> Decision:
    """The decision; also sets its revision and attempt number in the attempt."""
    attempt.revision, attempt.attempt = decision.revision, decision.attempt
    attempt.report = dataclasses.replace(attempt.report, revision=decision.revision, attempt=decision.attempt)
    return decision


def _refuse_expired(attempt: Attempt) -> None:
    """Refuse an as_of that retention does not allow: the next `maintain` would remove what is published now."""
    kept_from = attempt.settings.output.first_kept_date(datetime.now(UTC))
    if kept_from is not None and attempt.as_of.date() < kept_from:
        raise ConfigError(
            f"as_of {to_utc_text(attempt.as_of)} is older than output.retention_days allows:"
            " `maintain` removes its predictions, or has removed them",
            f"an as_of from {kept_from} on",
            "raise output.retention_days; if it was published before, --force publishes it again",
        )


def _recover_publication(attempt: Attempt, run_id: str, rows: int, *, records: bool) -> RunEvent:
    """Record the missing `published` event of visible rows again, from the table's own history."""
    found = commit_history.find_run_commit(attempt.target, run_id)
    if found is None or found.note.rows != rows:
        raise TableChanged(
            f"{attempt.target.name} holds {rows:,} rows of run {run_id[:12]}"
            " that neither the run events nor the table's history explain",
            "rows that a run of this job published",
            "look at the table's history; delete the rows of this as_of and use --force to publish again",
        )
    note, applied = found.note, found.note.postprocessing.to_dict()
    details = {"postprocessing": applied} if applied else {}
    if note.removed:
        details[REMOVED_ROWS] = dict(note.removed)
    if note.marked:
        details[INCREMENT] = {"rows_deleted": note.marked, "on_delete": "mark"}
    event = RunEvent(
        attempt.settings.job,
        attempt.as_of,
        note.revision,
        note.attempt,
        "published",
        datetime.now(UTC),
        run_id,
        note.pins,
        source_table=note.source_table,
        model_id=note.model_id,
        rows_read=rows - note.marked + note.rejected,
        rows_scored=rows - note.marked,
        rows_rejected=note.rejected,
        table_version=found.version,
        message="recorded again from the table's history",
        details=json.dumps(details) if details else None,
    )
    attempt.warn(
        f"run {run_id[:12]} is in the prediction table but was not in the run events;"
        " recorded again from the table's history"
    )
    if records:
        attempt.append_event(event)
    return event


def report_published_run(attempt: Attempt, decision: Decision) -> None:
    """Set the report of an as_of that stays as it is; its `newer` holds what a new run would take instead.

    Raises:  PinsConflict when the config asks for other pins than the published ones.
    """
    run, unfinished = restore_published_run(attempt, decision.current), decision.unfinished
    refuse_other_pins(attempt, run.pins, run.postprocessing)
    if unfinished is not None:
        attempt.warn(
            f"an attempt of `{unfinished.verb}` started revision {unfinished.revision} and did not finish: revision"
            f" {decision.revision} stays visible; run that command again to finish it"
        )
    report_unchanged_run(attempt, decision.current, newer=_find_newer_versions(attempt, run.pins))


def report_unchanged_run(attempt: Attempt, current: RunEvent | None, *, newer: Mapping[str, Any] | None = None) -> None:
    """Set the report of an attempt that leaves the current publication as it is."""
    restore_published_run(attempt, current)
    event = monitored_event(attempt, current)
    if event is not None:
        attempt.exit_code, details = event.exit_code or 0, event.parsed_details
        broken = tuple(rule["rule"] for rule in details.get("sla", ()) if not rule["kept"])
        attempt.report = dataclasses.replace(
            attempt.report,
            drifted=details.get("drifted"),
            sla_broken=broken,
            report=_find_written_page(details.get("report")),
        )
    version = None if current is None else current.table_version
    attempt.report = dataclasses.replace(
        attempt.report, table_version=version, model_loads=0, chunks_reused=0, newer=newer
    )


def _find_written_page(path: str | None) -> str | None:
    """The page that the event names. It is written after the event: where an attempt was killed, it is missing."""
    is_local = path is not None and "://" not in path
    return path if path is None or not is_local or Path(path).is_file() else None


def monitored_event(attempt: Attempt, publication: RunEvent | None) -> RunEvent | None:
    """What monitoring found about a publication; None if it did not run, or not to the end."""
    matching = [
        event
        for event in attempt.earlier_events
        if event.event == "monitored" and publication and event.run_id == publication.run_id
    ]
    return matching[-1] if matching else None


def restore_published_run(attempt: Attempt, event: RunEvent | None) -> Run:
    """The run of the attempt's revision with a publication's pins; also sets it and its counts in the report.

    Raises:  TableChanged for a publication without pins.
    """
    if event is None or event.pins is None:
        raise TableChanged(
            "a publication without pins in the run events", "the event that a run wrote", "--force publishes again"
        )
    source, model_id = event.source_table or attempt.source.name, event.model_id or ""
    run = Run(
        attempt.settings.job,
        attempt.as_of,
        attempt.revision,
        attempt.attempt,
        event.pins,
        source,
        model_id,
        event.postprocessing,
        attempt.first_job,
    )
    attempt.report_pins(run.pins, model_id=model_id, run_id=run.run_id)
    attempt.report = dataclasses.replace(
        attempt.report,
        source=ReportedSource(source, run.pins.source_version),
        features=decode_features(event),
        rows_read=event.rows_read,
        rows_scored=event.rows_scored,
        rows_rejected=event.rows_rejected,
        increment=decode_increment(event),
    )
    return run


@contextmanager
def advise_on_error(do: str, *kinds: type[SparkscoreError]) -> Iterator[None]:
    """Replace the advice of errors of these classes by advice for this verb."""
    try:
        yield
    except kinds as error:
        raise type(error)(error.found, error.expected, do) from error


def _find_newer_model(attempt: Attempt, pins: Pins) -> str:
    """The version that the config names now. Of one model per group nobody asks: that would take as long as a run."""
    if attempt.settings.model.by or attempt.settings.llm.is_used:
        return pins.model_version
    return look_up_model_version(attempt.settings.model.uri, attempt.settings.tracking_uri)


def _find_newer_versions(attempt: Attempt, pins: Pins) -> dict[str, Any] | None:
    """What a run with new pins would take. An unreachable registry or source is no reason to fail."""
    newer: dict[str, Any] = {}
    try:
        if attempt.settings.source.version == "latest" and not attempt.settings.source.is_landed:
            now = attempt.source.load_newest_version()
            newer |= {"source_version": now} if now > pins.source_version else {}
        version = _find_newer_model(attempt, pins)
        newer |= {"model_version": version} if version != pins.model_version else {}
        lookups = find_newer_lookups(attempt, pins)
        newer |= {"lookups": lookups} if lookups else {}
        features = find_newer_features(attempt, pins)
        newer |= {"features": features} if features else {}
    except SparkscoreError as error:
        attempt.warn(f"cannot check whether a newer source or model exists: {error.found}")
    return newer or None
