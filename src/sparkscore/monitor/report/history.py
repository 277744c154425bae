"""Runs from the events of a job."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from itertools import groupby

from sparkscore.records import FOLLOW_UP_EVENTS, RunEvent


@dataclass(frozen=True, slots=True)
class RunSummary:
    """What the events of an as_of say of its newest revision's last attempt."""

    as_of: datetime
    run_id: str | None
    event: str
    """The last one that says how far it came: `monitored` says nothing of that."""
    scored: int | None
    rejected: int | None
    seconds: float | None
    """Of the whole attempt."""
    rate: float | None
    """Rows per second of scoring and staging; None where nothing was scored anew."""
    drifted: int | None
    message: str | None

    @property
    def is_published(self) -> bool:
        """Whether the run is published."""
        return self.event == "published"


def summarise_runs(history: Sequence[RunEvent]) -> tuple[RunSummary, ...]:
    """One per as_of, oldest first."""
    return _summarise_history(tuple(history))


@lru_cache(maxsize=1)
def _summarise_history(history: tuple[RunEvent, ...]) -> tuple[RunSummary, ...]:
    """Each section of a page asks for the same."""
    ordered = sorted(history, key=lambda event: (event.as_of, event.revision, event.attempt, event.at))
    return tuple(_summarise_run(list(events)) for _, events in groupby(ordered, key=lambda event: event.as_of))


def lost_attempts(history: Sequence[RunEvent]) -> tuple[RunEvent, ...]:
    """Attempts that failed or were aborted, also if a later one succeeded."""
    return tuple(sorted((one for one in history if one.event in ("failed", "aborted")), key=lambda one: one.as_of))


def _summarise_run(events: Sequence[RunEvent]) -> RunSummary:
    last = events[-1]
    attempt_events = [one for one in events if (one.revision, one.attempt) == (last.revision, last.attempt)]
    parsed = [one.parsed_details for one in attempt_events]
    details = {name: value for one in parsed for name, value in one.items() if value is not None}
    seconds: dict[str, float] = {}
    for one in parsed:
        seconds |= {part: value for part, value in (one.get("seconds") or {}).items() if value is not None}
    columns = {
        name: value for one in attempt_events for name in _KNOWN_COLUMNS if (value := getattr(one, name)) is not None
    }
    names = [one.event for one in attempt_events if one.event not in FOLLOW_UP_EVENTS]
    scored, scoring = columns.get("rows_scored"), seconds.get("score_and_stage")
    return RunSummary(
        as_of=last.as_of,
        run_id=columns.get("run_id"),
        event=names[-1] if names else "published",
        scored=scored,
        rejected=columns.get("rows_rejected"),
        seconds=seconds.get("total", sum(seconds.values()) or None),
        rate=scored / scoring if scored and scoring else None,
        drifted=details.get("drifted"),
        message=columns.get("message"),
    )


_KNOWN_COLUMNS = ("run_id", "rows_scored", "rows_rejected", "message")
