"""What later increments say of a publication: which of its rows they have removed, and that they go on from it."""

from collections.abc import Mapping, Sequence

from sparkscore.errors import ConfigError, PinsConflict
from sparkscore.lifecycle import list_publications
from sparkscore.pipelines.shared.job_events import JobEvents
from sparkscore.pipelines.shared.report_codec import REMOVED_ROWS, decode_increment
from sparkscore.pipelines.shared.run_attempt import Attempt
from sparkscore.records import RunEvent, to_utc_text
from sparkscore.store import commit_history


def include_removed_rows(attempt: Attempt, events: Sequence[RunEvent], visible: Mapping[str, int]) -> dict[str, int]:
    """The visible rows of an as_of by run, and those that later increments have removed.

    Needs:   all `events` of the as_of.
    Jobs:    none where all rows of its publication are there; else as `JobEvents`.
    """
    current = next(iter(list_publications(events)[-1:]), None)
    if current is None or current.run_id is None or visible.get(current.run_id, 0) >= current.rows_visible:
        return dict(visible)
    removed = _count_later_removals(attempt, current.run_id)
    return {**visible, current.run_id: visible.get(current.run_id, 0) + removed} if removed else dict(visible)


def _count_later_removals(attempt: Attempt, run_id: str) -> int:
    """By the events of later as_ofs, and by the table's own history where an event is missing."""
    by_run: dict[str, int] = {}
    if attempt.target.exists():
        for commit in commit_history.load_run_commits(attempt.target):
            by_run[commit.note.run_id] = commit.note.removed.get(run_id, 0)
    for event in _load_later_events(attempt):
        if event.event == "published" and event.run_id is not None:
            by_run[event.run_id] = (event.parsed_details.get(REMOVED_ROWS) or {}).get(run_id, 0)
    return sum(by_run.values())


def _load_later_events(attempt: Attempt) -> list[RunEvent]:
    events = JobEvents.open(attempt.runs_table, job=attempt.settings.job)
    return events.load_as_ofs([as_of for as_of in events.index.as_ofs if as_of > attempt.as_of])


def refuse_returning_keys(attempt: Attempt) -> None:
    """Refuse to publish an as_of anew of which later increments have deleted keys: they would come back.

    Jobs:    as `JobEvents`; none for jobs that delete no keys.
    Raises:  ConfigError.
    """
    if attempt.settings.source.on_delete != "delete":
        return
    for event in _load_later_events(attempt):
        told = decode_increment(event) if event.event == "published" else None
        if told is not None and told.on_delete == "delete" and told.rows_deleted:
            raise ConfigError(
                f"the increment of {to_utc_text(event.as_of)} has deleted keys that {to_utc_text(attempt.as_of)} may"
                " bring back",
                "an as_of after it",
                "score --full with a later as_of scores all rows that the source has",
            )


def refuse_overtaken_increment(attempt: Attempt) -> None:
    """Refuse the first publication of an as_of after a later one was published meanwhile: that one goes on from where
    this one began, and has no row for what this one may say of a key.

    Jobs:    as `JobEvents`; none for jobs that read all rows.
    Raises:  PinsConflict.
    """
    if attempt.report.increment is None or attempt.revision > 1:
        return
    later = [event for event in _load_later_events(attempt) if event.event == "published"]
    if later:
        raise PinsConflict(
            f"{to_utc_text(later[-1].as_of)} was published meanwhile, and goes on from where"
            f" {to_utc_text(attempt.as_of)} began",
            "as_ofs that are published in their order",
            "nothing is lost: the later increment has the changes of this one",
        )


def refuse_other_range(attempt: Attempt, current: RunEvent, earlier: RunEvent) -> None:
    """Refuse to publish an earlier run of an as_of again whose rows are of another range than the current ones, where
    later increments go on from those.

    Jobs:    as `JobEvents`; none for jobs that read all rows.
    Raises:  ConfigError.
    """
    if not attempt.settings.source.reads_changes:
        return
    refuse_returning_keys(attempt)
    later = [event for event in _load_later_events(attempt) if event.event == "published"]
    if later and _range_of(current) != _range_of(earlier):
        raise ConfigError(
            f"revision {earlier.revision} has read other versions of the source than revision {current.revision}, from"
            f" which the increment of {to_utc_text(later[-1].as_of)} goes on",
            "a revision of the same range, or an as_of after which nothing is published",
            "score --full with a later as_of publishes all rows again",
        )


def _range_of(event: RunEvent) -> tuple[int | None, int] | None:
    pins = event.pins
    return None if pins is None else (pins.additions.changes_since, pins.source_version)
