"""What the past of an as_of means: what to do now, and what is published already."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sparkscore.errors import ConfigError, PinsConflict, SparkscoreError, TableChanged
from sparkscore.lifecycle import Decision, Wishes, decide_next_attempt, unknown_runs
from sparkscore.model.registry.model_resolution import look_up_model_version
from sparkscore.pipelines.shared.run_attempt import Attempt
from sparkscore.records import Pins, Postprocessing, Run, RunEvent, RunReport, to_utc_text
from sparkscore.store import commit_history
from sparkscore.store.table_contracts import check_table_owner


@dataclass(frozen=True, slots=True)
class RunHistory:
    """What is known of an as_of before an attempt decides."""

    events: list[RunEvent]
    """Oldest first, those among them that were missing and are recorded again now."""
    visible: Mapping[str, int]
    """Rows that readers see, by run_id."""
    recovered: tuple[str, ...]
    """Runs whose publication was missing in the events."""


def load_run_history(attempt: Attempt, *, records: bool = True) -> RunHistory:
    """The run events of the as_of and the rows that readers see; what died before its last event is recorded again.

    Raises:  TableChanged, ForeignTable; ConfigError for an as_of that retention does not allow any more.
    """
    target = attempt.target
    if target.exists():
        check_table_owner(target, job=attempt.settings.job)
    past = attempt.past()
    visible = commit_history.count_rows_by_run(target, attempt.as_of)
    if not visible:
        _refuse_expired(attempt)
    attempt.seen = past
    unknown = unknown_runs(past, visible)
    past += [_recover_publication(attempt, run_id, visible[run_id], records=records) for run_id in unknown]
    return RunHistory(past, visible, tuple(unknown))


def decide_run(attempt: Attempt, wishes: Wishes, *, records: bool = True) -> Decision:
    """What this attempt of `score` does, by the run events and by the rows that readers see.

    Raises:  TableChanged, ForeignTable.
    """
    past = load_run_history(attempt, records=records)
    job, force = attempt.settings.job, wishes.force
    committed = commit_history.load_committed_revision(attempt.target, job=job, as_of=attempt.as_of) if force else 0
    decision = decide_next_attempt(past.events, past.visible, wishes, committed=committed)
    if decision.kind == "work":
        _refuse_expired(attempt)
    return apply_decision(attempt, decision)


def apply_decision(attempt: Attempt, decision: Decision) -> Decision:
    """The decision, with its revision and attempt written into the attempt's book."""
    attempt.revision, attempt.attempt = decision.revision, decision.attempt
    attempt.know(revision=decision.revision, attempt=decision.attempt)
    return decision


def _refuse_expired(attempt: Attempt) -> None:
    """The next `maintain` would remove what is published now; what it has removed is no change behind our back."""
    kept_from = attempt.settings.output.kept_from(datetime.now(UTC))
    if kept_from is not None and attempt.as_of.date() < kept_from:
        raise ConfigError(
            f"as_of {to_utc_text(attempt.as_of)} is older than output.retention_days allows:"
            " `maintain` removes its predictions, or has removed them",
            f"an as_of since {kept_from}",
            "raise output.retention_days; where it was published before, --force publishes it again",
        )


def _recover_publication(attempt: Attempt, run_id: str, rows: int, *, records: bool) -> RunEvent:
    """The missing `published` event of rows that readers see, told by the table's own history and recorded again."""
    found = commit_history.find_run_commit(attempt.target, run_id)
    if found is None or found.note.rows != rows:
        raise TableChanged(
            f"{attempt.target.name} holds {rows:,} rows of run {run_id[:12]}"
            " that neither the run events nor the table's history explain",
            "rows that a run of this job published",
            "look at the table's history; delete the rows of this as_of and use --force to publish again",
        )
    note, applied = found.note, found.note.postprocessing.to_dict()
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
        rows_read=rows + note.rejected,
        rows_scored=rows,
        rows_rejected=note.rejected,
        table_version=found.version,
        message="recorded again from the table's history",
        details=json.dumps({"postprocessing": applied}) if applied else None,
    )
    attempt.warn(
        f"run {run_id[:12]} is in the prediction table but was not in the run events;"
        " recorded again from the table's history"
    )
    if records:
        attempt.write(event)
    return event


def report_published_run(attempt: Attempt, decision: Decision) -> RunReport:
    """The report for an as_of that stays as it is; what a new run would take instead stands under `newer`.

    Raises:  PinsConflict when the config asks for other pins than the published ones.
    """
    run, unfinished = restore_published_run(attempt, decision.shown), decision.open
    refuse_other_pins(attempt, run.pins, run.postprocessing)
    if unfinished is not None:
        attempt.warn(
            f"an attempt of `{unfinished.verb}` began revision {unfinished.revision} and did not end: readers see"
            f" revision {decision.revision}; run that again to finish it"
        )
    return report_unchanged_run(attempt, decision.shown, newer=_find_newer_versions(attempt, run.pins))


def report_unchanged_run(
    attempt: Attempt, shown: RunEvent | None, *, newer: Mapping[str, Any] | None = None
) -> RunReport:
    """The report of an attempt that leaves the publication which readers see as it is."""
    restore_published_run(attempt, shown)
    told = monitored_event(attempt, shown)
    if told is not None:
        attempt.exit_code = told.exit_code or 0
        broken = tuple(rule["rule"] for rule in told.told.get("sla", ()) if not rule["kept"])
        attempt.know(drifted=told.told.get("drifted"), sla_broken=broken, report=told.told.get("report"))
    table_version = None if shown is None else shown.table_version
    return attempt.ended("already_published", table_version=table_version, model_loads=0, chunks_reused=0, newer=newer)


def monitored_event(attempt: Attempt, shown: RunEvent | None) -> RunEvent | None:
    """What monitoring has found about a publication; None where it was not looked at, or not to the end."""
    mine = [one for one in attempt.seen if one.event == "monitored" and shown and one.run_id == shown.run_id]
    return mine[-1] if mine else None


def restore_published_run(attempt: Attempt, event: RunEvent | None) -> Run:
    """The run of the attempt's revision with a publication's pins; with its counts it is written into the report.

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
    )
    attempt.stands_on(run.pins, model_id=model_id, run_id=run.run_id)
    attempt.know(
        source={"table": source, "version": run.pins.source_version},
        rows_read=event.rows_read,
        rows_scored=event.rows_scored,
        rows_rejected=event.rows_rejected,
    )
    return run


@contextmanager
def advise_on_error(do: str, *kinds: type[SparkscoreError]) -> Iterator[None]:
    """Errors of these kinds are told with what helps the verb at hand."""
    try:
        yield
    except kinds as error:
        raise type(error)(error.found, error.expected, do) from error


def other_pins(attempt: Attempt, pins: Pins) -> list[str]:
    """One line per pin that the config asks for explicitly and that differs.

    A scoring digest that an older version wrote for the same settings does not.
    """
    settings = attempt.settings
    name, _, version = settings.model.uri.removeprefix("models:/").partition("/")
    asked = {
        "model_name": (name.partition("@")[0], pins.model_name),
        "model_version": (version or pins.model_version, pins.model_version),
        "source_version": (
            settings.source.version if isinstance(settings.source.version, int) else pins.source_version,
            pins.source_version,
        ),
        "scoring_digest": (_fitting_digest(attempt, pins)[:12], pins.scoring_digest[:12]),
    }
    return [f"{what} {theirs} published, {mine} asked for" for what, (mine, theirs) in asked.items() if mine != theirs]


def _fitting_digest(attempt: Attempt, pins: Pins) -> str:
    former = attempt.former_scoring_digest
    return former if pins.scoring_digest == former else attempt.scoring_digest


def refuse_other_pins(attempt: Attempt, pins: Pins, postprocessing: Postprocessing) -> None:
    """Refuse a config that asks explicitly for something else than what is published.

    Raises:  PinsConflict.
    """
    differences = other_pins(attempt, pins)
    source_id = attempt.source.id
    if source_id != pins.source_id:
        differences.append(f"source_id {pins.source_id} published, {source_id} ({attempt.source.name}) asked for")
    if pins.scoring_digest == attempt.scoring_digest:
        differences += postprocessing.differences(attempt.postprocessing_of(pins))
    if differences:
        raise PinsConflict(
            f"this as_of is published with other pins: {'; '.join(differences)}",
            "the published pins and output.threshold (scoring_digest: filter, keys, inputs, params, runtime,"
            " pass-through, rules that reject rows, batch_timeout of the residency executor)",
            "--replace supersedes it, or choose another as_of",
        )


def _find_newer_versions(attempt: Attempt, pins: Pins) -> dict[str, Any] | None:
    """What a run with new pins would take. A registry or a source that is not there now is no reason to fail."""
    newer: dict[str, Any] = {}
    try:
        if attempt.settings.source.version == "latest":
            now = attempt.source.load_newest_version()
            newer |= {"source_version": now} if now > pins.source_version else {}
        version = look_up_model_version(attempt.settings.model.uri, attempt.settings.tracking_uri)
        newer |= {"model_version": version} if version != pins.model_version else {}
    except SparkscoreError as error:
        attempt.warn(f"whether something newer is there could not be told: {error.found}")
    return newer or None
