"""What the run events of an as_of and the rows that readers see mean for the next attempt. Pure: no Spark, no I/O."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Literal

from sparkscore.errors import TableChanged, TemporaryError
from sparkscore.records import Pins, RunEvent

_FINAL = ("failed", "aborted", "published")


@dataclass(frozen=True, slots=True)
class Wishes:
    """What the caller asked for beyond the plain run."""

    replace: bool = False
    force: bool = False
    restart: bool = False


PLAIN = Wishes()
"""A run without any wish: publishes once."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What the next attempt does."""

    kind: Literal["already_published", "work"]
    revision: int
    attempt: int
    keep: Pins | None = None
    """Pins of an attempt that did not end; None: resolve anew."""
    shown: RunEvent | None = None
    """The publication that readers see now."""
    open: RunEvent | None = None
    """The last event of an attempt that never ended; to be closed as aborted."""


def unknown_runs(events: Sequence[RunEvent], visible: Mapping[str, int]) -> list[str]:
    """Runs whose rows readers see although no event says that they were published."""
    published = {event.run_id for event in events if event.event == "published"}
    return sorted(run_id for run_id in visible if run_id not in published)


def decide(events: Sequence[RunEvent], visible: Mapping[str, int], wishes: Wishes, *, committed: int = 0) -> Decision:
    """What the next attempt of an as_of does.

    Needs:   the as_of's `events`, oldest first, and `visible` rows by run_id, none unknown; with `force` the greatest
             revision `committed` to the table, which Delta would skip.
    Raises:  TableChanged when readers do not see what was published, unless forced.
    """
    shown = next((event for event in reversed(events) if event.event == "published"), None)
    if shown is not None and not wishes.force:
        _refuse_change(shown, visible)
    newest = max((event.revision for event in events), default=0)
    mine = [event for event in events if event.revision == newest]
    attempt = max((event.attempt for event in mine), default=0)
    last = _last_of(mine, attempt)
    done = shown is not None and shown.revision == newest
    if done and (wishes.replace or wishes.force):
        return Decision("work", max(newest, committed) + 1, 1, shown=shown)
    if wishes.force and committed >= max(newest, 1):
        return Decision("work", committed + 1, 1, shown=shown)
    keep = None if done or wishes.restart else _kept(mine, last)
    if done or (shown is not None and keep is None and not (wishes.replace or wishes.force)):
        return (
            Decision("already_published", shown.revision, shown.attempt, shown=shown)
            if shown
            else Decision("work", 1, 1)
        )
    unfinished = last if last is not None and last.event not in _FINAL else None
    return Decision("work", max(newest, 1), attempt + 1, keep=keep, shown=shown, open=unfinished)


def unsettled(events: Sequence[RunEvent]) -> list[RunEvent]:
    """Events, with pins, of the attempts that may still publish or whose pins the next attempt would keep.

    An attempt of a revision that is published, or of an older one, is settled: Delta's guard skips its commit.

    Needs:   the events of one job's table, oldest first.
    """
    found: list[RunEvent] = []
    for _, past in groupby(events, key=lambda event: event.as_of):
        attempts = [list(mine) for _, mine in groupby(past, key=lambda event: (event.revision, event.attempt))]
        done = max((mine[0].revision for mine in attempts if any(one.event == "published" for one in mine)), default=0)
        for mine in attempts:
            if mine[0].revision > done and _may_go_on(mine, newest=mine is attempts[-1]):
                found += [event for event in mine if event.pins is not None]
    return found


def _may_go_on(attempt: Sequence[RunEvent], *, newest: bool) -> bool:
    last = _last_of(attempt, attempt[0].attempt)
    return last is None or last.event not in _FINAL or (newest and _kept(attempt, last) is not None)


def _refuse_change(shown: RunEvent, visible: Mapping[str, int]) -> None:
    expected = {shown.run_id: shown.rows_scored} if shown.rows_scored else {}
    if dict(visible) == expected:
        return
    seen = ", ".join(f"{rows:,} of run {run_id[:12]}" for run_id, rows in visible.items()) or "none"
    raise TableChanged(
        f"the prediction table changed behind our back: it holds {seen} for this as_of",
        f"{shown.rows_scored or 0:,} rows of run {(shown.run_id or '')[:12]}, as published",
        "look at the table's history; --force publishes again",
    )


def _last_of(events: Sequence[RunEvent], attempt: int) -> RunEvent | None:
    """The event that ends an attempt, else its newest one."""
    mine = [event for event in events if event.attempt == attempt]
    return next((event for event in reversed(mine) if event.event in _FINAL), mine[-1] if mine else None)


def _kept(events: Sequence[RunEvent], last: RunEvent | None) -> Pins | None:
    """The pins of the last attempt, when it died, was aborted, or failed in a way that a retry may help."""
    if last is None or (last.event == "failed" and last.exit_code != TemporaryError.exit_code):
        return None
    return next(
        (event.pins for event in reversed(events) if event.attempt == last.attempt and event.pins is not None), None
    )
