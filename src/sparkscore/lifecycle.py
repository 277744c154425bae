"""What the run events and the visible rows of an as_of mean for the next attempt. Pure: no Spark, no I/O."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from dataclasses import replace as replace_fields
from datetime import datetime
from itertools import groupby
from typing import Literal, TypeVar

from sparkscore.errors import ConfigError, TableChanged, TemporaryError
from sparkscore.records import Pins, PublicationKey, RunEvent

RunNamed = TypeVar("RunNamed", RunEvent, PublicationKey)

_FINAL_EVENTS = ("failed", "aborted", "published")
_MIN_RUN_ID_LENGTH = 8
"""A run may be named by so many characters of its run_id, or more."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What the next attempt does."""

    kind: Literal["already_published", "work"]
    revision: int
    attempt: int
    keep: Pins | None = None
    """Pins of an attempt that did not end; None: resolve anew."""
    current: RunEvent | None = None
    """The current publication."""
    unfinished: RunEvent | None = None
    """The last event of an attempt that never ended, which must be closed as aborted."""
    earlier: RunEvent | None = None
    """The publication whose rows a rollback publishes again."""
    staged: bool = False
    """An attempt of the same verb, with these pins, has staged what is to be published."""


def unknown_runs(events: Sequence[RunEvent], visible: Mapping[str, int]) -> list[str]:
    """Runs with visible rows although no event says that they were published."""
    published = {event.run_id for event in events if event.event == "published"}
    return sorted(run_id for run_id in visible if run_id not in published)


def decide_next_attempt(
    events: Sequence[RunEvent],
    visible: Mapping[str, int],
    *,
    replace: bool = False,
    force: bool = False,
    restart: bool = False,
    committed: int = 0,
) -> Decision:
    """What the next attempt of an as_of does.

    `replace` supersedes what is published, `force` also where the table was changed by someone else, `restart` drops
    the pins of an attempt that did not end.

    Needs:   the as_of's `events`, oldest first, and `visible` rows by run_id, none unknown; with `force` the greatest
             revision `committed` to the table, which Delta would skip.
    Raises:  TableChanged if the visible rows are not the published ones, unless forced.
    """
    current = _current_publication(events)
    if current is not None and not force:
        _refuse_changed_rows(current, visible)
    newest = max((event.revision for event in events), default=0)
    own_events = [event for event in events if event.revision == newest]
    attempt = max((event.attempt for event in own_events), default=0)
    last = _last_attempt_event(own_events, attempt)
    is_published = current is not None and current.revision == newest
    if is_published and (replace or force):
        return Decision("work", max(newest, committed) + 1, 1, current=current)
    if force and committed >= max(newest, 1):
        return Decision("work", committed + 1, 1, current=current)
    keep = None if is_published or restart else _reusable_pins(own_events, last)
    unfinished = last if last is not None and last.event not in _FINAL_EVENTS else None
    if current is not None and (is_published or (keep is None and not (replace or force))):
        return replace_fields(_decide_no_work(current), unfinished=None if is_published else unfinished)
    return Decision("work", max(newest, 1), attempt + 1, keep=keep, current=current, unfinished=unfinished)


def decide_rollback(
    events: Sequence[RunEvent], visible: Mapping[str, int], *, to: str | None, recovered: Sequence[str] = ()
) -> Decision:
    """What a rollback of an as_of does: `earlier` is published again as the next revision, unless it is current.

    Without `to` it is the publication before the current one. A rollback that died after its commit is
    one of the runs `recovered` just now, and is not taken back by the command that repeats it.

    Needs:   as `decide_next_attempt`; `to` as a revision, or a run_id or its beginning.
    Raises:  ConfigError if nothing earlier is published, TableChanged.
    """
    current = _require_current_publication(events, visible)
    if to is None and current.run_id in recovered and _origin_run_id(events, current, "rollback"):
        return _decide_no_work(current)
    earlier = _find_earlier_publication(events, to)
    if earlier.run_id in (current.run_id, _origin_run_id(events, current, "rollback")):
        return _decide_no_work(current)
    return replace_fields(_decide_next_revision(events, current, "rollback"), earlier=earlier)


def decide_retry(events: Sequence[RunEvent], visible: Mapping[str, int], *, run_id: str) -> Decision:
    """What a retry of a run's rejects does: the next revision with the run's pins; nothing if it was already retried.

    Needs:   as `decide_next_attempt`.
    Raises:  ConfigError if another run is current, TableChanged.
    """
    current = _require_current_publication(events, visible)
    if current.run_id == run_id:
        decision = _decide_next_revision(events, current, "rejects")
        return replace_fields(decision, keep=current.pins, staged=decision.staged and decision.keep == current.pins)
    if _origin_run_id(events, current, "rejects") == run_id:
        return _decide_no_work(current)
    raise ConfigError(
        f"run {run_id[:12]} is not the current publication",
        f"run {(current.run_id or '')[:12]}, revision {current.revision}, the current publication of this as_of",
        "retry the rejects of that run",
    )


def select_run_events(events: Sequence[RunNamed], run: str) -> list[RunNamed]:
    """The events of one run, or its keys, named by its run_id or the beginning of it.

    Raises:  ConfigError if there is no such run.
    """
    found = [event for event in events if len(run) >= _MIN_RUN_ID_LENGTH and (event.run_id or "").startswith(run)]
    if not found:
        known = list(dict.fromkeys(event.run_id[:12] for event in events if event.run_id))
        raise ConfigError(
            f"no run {run}",
            f"one of {', '.join(known[-10:]) or 'none so far'}",
            f"give at least {_MIN_RUN_ID_LENGTH} characters; `runs` lists the runs",
        )
    return found


def find_scoring_publications(events: Sequence[RunEvent], publications: Sequence[RunEvent]) -> list[RunEvent]:
    """The publications that scored what these show: themselves, or the ones whose rows a rollback published again."""
    published = {event.run_id: event for event in events if event.event == "published"}

    def scored(event: RunEvent) -> RunEvent:
        while event.verb == "rollback" and event.origin_run_id in published:
            event = published[event.origin_run_id]
        return event

    return [scored(event) for event in publications]


def exported_targets(events: Sequence[RunEvent], run_id: str | None) -> set[tuple[str, str]]:
    """Name and target of the exports that were made of a publication."""
    made = [event for event in events if event.event == "exported" and event.run_id == run_id and event.error is None]
    found = (event.parsed_details.get("export") or {} for event in made)
    return {(one.get("name", ""), one.get("target", "")) for one in found}


def settled_challengers(events: Sequence[RunEvent], run_id: str | None) -> set[str]:
    """Keys of the challengers that are published beside a publication, or are its champion."""
    ended = [event for event in events if event.event == "challenged" and event.run_id == run_id]
    return {str(event.parsed_details.get("challenger_key")) for event in ended if event.error is None}


def list_publications(events: Sequence[RunEvent]) -> list[RunEvent]:
    """The publications of an as_of, one per revision, oldest first."""
    found = {event.revision: event for event in events if event.event == "published"}
    return [found[revision] for revision in sorted(found)]


def find_needed_full_run(events: Sequence[RunEvent], *, kept_from: datetime) -> datetime | None:
    """The as_of of the publication of all rows on which what is kept from a time on stands: the newest one that is not
    later. None where there is none: what is kept begins with such a publication.

    Needs:   all `events` of the job, oldest first.
    """
    published = {event.as_of: event for event in events if event.event == "published"}
    whole = [as_of for as_of, event in published.items() if event.pins and event.pins.additions.changes_since is None]
    return max((as_of for as_of in whole if as_of <= kept_from), default=None)


def _find_earlier_publication(events: Sequence[RunEvent], to: str | None) -> RunEvent:
    published = list_publications(events)
    if to is not None and not (to.isdigit() and len(to) < _MIN_RUN_ID_LENGTH):
        return select_run_events(published, to)[-1]
    found = published[-2:-1] if to is None else [event for event in published if event.revision == int(to)]
    if not found:
        listed = ", ".join(f"{event.revision} (run {(event.run_id or '')[:12]})" for event in published)
        raise ConfigError(
            "no earlier publication of this as_of" if to is None else f"no publication {to} of this as_of",
            f"one of the published revisions {listed}",
            "name one with --to, or score again with --replace",
        )
    return found[0]


def _origin_run_id(events: Sequence[RunEvent], publication: RunEvent, verb: str) -> str | None:
    """The run from which a verb made the current publication; None if another verb made it."""
    origins = (event.origin_run_id for event in events if event.run_id == publication.run_id and event.verb == verb)
    return next((run_id for run_id in origins if run_id is not None), None)


def _require_current_publication(events: Sequence[RunEvent], visible: Mapping[str, int]) -> RunEvent:
    current = _current_publication(events)
    if current is None:
        raise ConfigError("nothing is published for this as_of", "an as_of with a publication", "`runs` lists them")
    _refuse_changed_rows(current, visible)
    return current


def _current_publication(events: Sequence[RunEvent]) -> RunEvent | None:
    return next((event for event in reversed(events) if event.event == "published"), None)


def _decide_no_work(current: RunEvent) -> Decision:
    return Decision("already_published", current.revision, current.attempt, current=current)


def _decide_next_revision(events: Sequence[RunEvent], current: RunEvent, verb: str) -> Decision:
    """The next revision; one that was started and not published is taken over, whichever verb started it."""
    newest = max(event.revision for event in events)
    if newest == current.revision:
        return Decision("work", newest + 1, 1, current=current)
    own_events = [event for event in events if event.revision == newest]
    attempt = max(event.attempt for event in own_events)
    last = _last_attempt_event(own_events, attempt)
    keep = _reusable_pins(own_events, last, verb)
    staged = keep is not None and any(event.event == "staged" and event.verb == verb for event in own_events)
    unfinished = last if last is not None and last.event not in _FINAL_EVENTS else None
    return Decision("work", newest, attempt + 1, keep=keep, current=current, unfinished=unfinished, staged=staged)


def unsettled_events(events: Sequence[RunEvent]) -> list[RunEvent]:
    """Events, with pins, of the attempts that may still publish or whose pins the next attempt would keep.

    An attempt of a revision that is published, or of an older one, is settled: Delta's guard skips its commit.

    Needs:   the events of one job's table, oldest first.
    """
    found: list[RunEvent] = []
    for _, past in groupby(events, key=lambda event: event.as_of):
        attempts = [list(mine) for _, mine in groupby(past, key=lambda event: (event.revision, event.attempt))]
        done = max((mine[0].revision for mine in attempts if any(one.event == "published" for one in mine)), default=0)
        for mine in attempts:
            if mine[0].revision > done and _can_attempt_continue(mine, newest=mine is attempts[-1]):
                found += [event for event in mine if event.pins is not None]
    return found


def _can_attempt_continue(attempt: Sequence[RunEvent], *, newest: bool) -> bool:
    last = _last_attempt_event(attempt, attempt[0].attempt)
    return (
        last is None
        or last.event not in _FINAL_EVENTS
        or (newest and _reusable_pins(attempt, last, last.verb) is not None)
    )


def _refuse_changed_rows(current: RunEvent, visible: Mapping[str, int]) -> None:
    expected = {current.run_id: current.rows_visible} if current.rows_visible else {}
    if dict(visible) == expected:
        return
    visible_text = ", ".join(f"{rows:,} of run {run_id[:12]}" for run_id, rows in visible.items()) or "none"
    raise TableChanged(
        f"the prediction table was changed by someone else: it holds {visible_text} for this as_of",
        f"{current.rows_visible:,} rows of run {(current.run_id or '')[:12]}, as published",
        "look at the table's history; --force publishes again",
    )


def _last_attempt_event(events: Sequence[RunEvent], attempt: int) -> RunEvent | None:
    """The event that ends an attempt, else its newest one."""
    own_events = [event for event in events if event.attempt == attempt]
    return next(
        (event for event in reversed(own_events) if event.event in _FINAL_EVENTS),
        own_events[-1] if own_events else None,
    )


def _reusable_pins(events: Sequence[RunEvent], last: RunEvent | None, verb: str = "score") -> Pins | None:
    """The pins of the last attempt, when it died, was aborted, or failed in a way that a retry may help.

    What another verb has begun is that verb's to finish: a plain run never goes on with a rollback.
    """
    if last is None or last.verb != verb or (last.event == "failed" and last.exit_code != TemporaryError.exit_code):
        return None
    return next(
        (event.pins for event in reversed(events) if event.attempt == last.attempt and event.pins is not None), None
    )
