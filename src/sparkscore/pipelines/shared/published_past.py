"""What was published of a job before an as_of, and whether anything was after it: by run events and by commits."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from sparkscore.errors import VersionGone
from sparkscore.ingest.changed_rows import FULL_ADVICE
from sparkscore.pipelines.shared.job_events import JobEvents
from sparkscore.pipelines.shared.run_attempt import Attempt
from sparkscore.records import Pins, PublicationKey, RunCommitNote, RunEvent, to_utc_text
from sparkscore.store import commit_history


@dataclass(frozen=True, slots=True)
class PublishedPast:
    """The publications around an as_of."""

    last: Pins | None
    """Of the newest publication of an earlier as_of; None where there is none."""
    after: datetime | None
    """The greatest as_of with a publication, where it is later."""

    @classmethod
    def load(cls, attempt: Attempt) -> "PublishedPast":
        """What is published now, also by an attempt that died before it could record it.

        Jobs:    none, or small ones where only Spark reaches the tables.
        Raises:  VersionGone for a publication of which nobody knows what it has read; ForeignTable.
        """
        events = JobEvents.open(attempt.runs_table, job=attempt.settings.job)
        published = {key.as_of: key for key in events.index.publications}
        before = max((as_of for as_of in published if as_of < attempt.as_of), default=None)
        event = None if before is None else _load_publication(events, published[before])
        unrecorded = {note.as_of: note.pins for note in _find_unrecorded(attempt, event, events)}
        as_ofs = {*published, *unrecorded}
        last = max((as_of for as_of in as_ofs if as_of < attempt.as_of), default=None)
        after = max((as_of for as_of in as_ofs if as_of > attempt.as_of), default=None)
        if last in unrecorded:
            return cls(unrecorded[last], after)
        if event is not None and event.pins is None:
            raise VersionGone(
                f"the run events do not say what the publication of {to_utc_text(event.as_of)} has read",
                "its pins",
                FULL_ADVICE,
            )
        return cls(None if event is None else event.pins, after)


def _load_publication(events: JobEvents, key: PublicationKey) -> RunEvent | None:
    found = [event for event in events.load_as_ofs((key.as_of,)) if event.event == "published"]
    return next((event for event in reversed(found) if event.run_id == key.run_id), None)


def _find_unrecorded(attempt: Attempt, last: RunEvent | None, events: JobEvents) -> Iterator[RunCommitNote]:
    """The newest commit of each as_of that no event tells of, of those after the commit of the last publication."""
    if not attempt.target.exists():
        return
    known = {(key.as_of, key.run_id) for key in events.index.publications}
    since = -1 if last is None or last.table_version is None else last.table_version
    seen: set[datetime] = set()
    for commit in commit_history.iterate_run_commits(attempt.target, after=since):
        note = commit.note
        if note.as_of not in seen and (note.as_of, note.run_id) not in known:
            yield note
        seen.add(note.as_of)
