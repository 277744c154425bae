"""The runs of a job from the columns of its run events: what lists of runs show, without the details of all of them."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any, get_args

import pyarrow as pa

from sparkscore.records import FOLLOW_UP_EVENTS, EventKind, PublicationKey, RunEvent, RunIndex, to_utc_text
from sparkscore.store.direct_tables import DirectTable
from sparkscore.store.run_events import load_events
from sparkscore.ui.served_jobs import ServedJob
from sparkscore.ui.table_reading import TableUnreadable, explain_unreadable

_COLUMNS = (
    *("as_of", "revision", "attempt", "event", "at", "run_id", "rows_read", "rows_scored", "rows_rejected"),
    *("exit_code", "error", "model_name", "model_version", "source_version"),
)
_NEVER_NULL = ("as_of", "revision", "attempt", "event", "at")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_RANKS = {name: rank for rank, name in enumerate(get_args(EventKind))}
LOST_STATES = ("failed", "aborted")


@dataclass(slots=True)
class RunLine:
    """One revision of an as_of: what its last attempt came to."""

    as_of: datetime
    revision: int
    attempt: int = 0
    state: str = "started"
    started_at: datetime | None = None
    ended_at: datetime | None = None
    lost: int = 0
    """Attempts that failed or were aborted."""
    is_replaced: bool = False
    """A later revision of the as_of is published."""
    run_id: str | None = None
    rows_read: int | None = None
    rows_scored: int | None = None
    rows_rejected: int | None = None
    exit_code: int | None = None
    error: str | None = None
    model_name: str | None = None
    model_version: str | None = None
    source_version: int | None = None

    @property
    def key(self) -> str:
        """Its name in addresses."""
        return f"{to_utc_text(self.as_of)}@{self.revision}"

    @property
    def seconds(self) -> float | None:
        """Of the last attempt, as far as its events tell."""
        if self.started_at is None or self.ended_at is None:
            return None
        return (self.ended_at - self.started_at).total_seconds()

    @property
    def is_published(self) -> bool:
        """Whether its rows were published."""
        return self.state == "published"


@dataclass(frozen=True, slots=True)
class LineFindings:
    """What monitoring found of a run."""

    drifted: int | None = None
    """Columns."""
    sla_kept: int | None = None
    sla_broken: tuple[str, ...] = ()


@dataclass
class JobRuns:
    """All runs of a job at one version of its run events. Newest as_of first."""

    job: ServedJob
    version: int
    lines: Sequence[RunLine]
    event_keys: Sequence[tuple[datetime, int, int, str, datetime]]
    """as_of, revision, attempt, event and time of every event, the newest first."""
    by_key: dict[str, RunLine]
    kept: dict[str, Any] = field(default_factory=dict)
    """What pages keep of this version."""
    _findings: dict[str, LineFindings] = field(default_factory=dict)

    @cached_property
    def index(self) -> RunIndex:
        """As the pipelines have it."""
        current = [one for one in reversed(self.lines) if one.is_published and not one.is_replaced and one.run_id]
        as_ofs = tuple(dict.fromkeys(one.as_of for one in reversed(self.lines)))
        return RunIndex(as_ofs, tuple(PublicationKey(one.as_of, str(one.run_id)) for one in current))

    @cached_property
    def newest_published(self) -> RunLine | None:
        """The publication of the greatest as_of."""
        return next((one for one in self.lines if one.is_published and not one.is_replaced), None)

    def load_line_events(self, lines: Sequence[RunLine]) -> list[RunEvent]:
        """All events of the as_ofs of these lines, oldest first; details that are no JSON object are left out.

        Raises:  TableUnreadable.
        """
        return [leave_unreadable_details_out(one) for one in self.load_raw_events(lines)]

    def load_raw_events(self, lines: Sequence[RunLine]) -> list[RunEvent]:
        """The same with details as they are, whatever stands in them.

        Raises:  TableUnreadable.
        """
        as_ofs = {line.as_of for line in lines}
        with explain_unreadable(self.job.runs):
            return load_events(self.job.runs, job=self.job.name, as_ofs=as_ofs) if as_ofs else []

    def load_findings(self, lines: Sequence[RunLine]) -> dict[str, LineFindings]:
        """What monitoring found of these runs, by their keys. What was read once is kept.

        Raises:  TableUnreadable.
        """
        missing = [line for line in lines if line.key not in self._findings and line.is_published]
        events = self.load_line_events(missing)
        monitored = {(one.as_of, one.revision): one.parsed_details for one in events if one.event == "monitored"}
        for line in missing:
            self._findings[line.key] = _to_findings(monitored.get((line.as_of, line.revision)))
        return {line.key: self._findings.get(line.key, LineFindings()) for line in lines}


def load_job_runs(job: ServedJob, known: JobRuns | None) -> JobRuns:
    """The runs as the table has them now: those that are known where no commit was made since.

    Jobs:    none.
    Raises:  TableUnreadable.
    """
    with explain_unreadable(job.runs):
        version = job.runs.log.load_newest_version()
        if known is not None and known.job is job and known.version == version:
            return known
        rows = DirectTable.open_shared(job.runs).read_rows(columns=_COLUMNS)
    empty = [name for name in _NEVER_NULL if rows[name].null_count]
    if empty:
        raise TableUnreadable(f"Rows of {job.runs.name} have no {', '.join(empty)}: the table is damaged.")
    return _index_rows(job, version, rows)


def leave_unreadable_details_out(event: RunEvent) -> RunEvent:
    """The event, without details where they are no JSON object: one that is damaged hides no other."""
    try:
        return event if isinstance(event.parsed_details, dict) else replace(event, details=None)
    except ValueError:
        return replace(event, details=None)


def _index_rows(job: ServedJob, version: int, rows: pa.Table) -> JobRuns:
    times = {name: rows[name].cast(pa.int64()).to_pylist() for name in ("as_of", "at")}
    columns = [times.get(name) or rows[name].to_pylist() for name in _COLUMNS]
    ordered = sorted(
        zip(*columns, strict=True), key=lambda row: (row[0], row[1], row[2], row[4], _RANKS.get(row[3], len(_RANKS)))
    )
    lines: dict[tuple[int, int], RunLine] = {}
    keys = []
    for row in ordered:
        as_of, at = _EPOCH + timedelta(microseconds=row[0]), _EPOCH + timedelta(microseconds=row[4])
        line = lines.setdefault((row[0], row[1]), RunLine(as_of, row[1]))
        _add_event(line, dict(zip(_COLUMNS[5:], row[5:], strict=True)), attempt=row[2], event=row[3], at=at)
        keys.append((as_of, row[1], row[2], row[3], at))
    newest: dict[datetime, int] = {line.as_of: line.revision for line in lines.values() if line.is_published}
    for line in lines.values():
        line.is_replaced = line.is_published and newest[line.as_of] != line.revision
    found = list(lines.values())[::-1]
    return JobRuns(job, version, found, keys[::-1], {line.key: line for line in found})


def _add_event(line: RunLine, values: dict[str, Any], *, attempt: int, event: str, at: datetime) -> None:
    """Take over what an event says; they come in order."""
    if attempt != line.attempt:
        line.attempt, line.started_at, line.ended_at, line.exit_code, line.error = attempt, None, None, None, None
    if event not in FOLLOW_UP_EVENTS:
        line.state, line.ended_at = event, at
        line.started_at = line.started_at or at
        line.lost += event in LOST_STATES
    for name, value in values.items():
        if value is not None:
            setattr(line, name, value)


def _to_findings(details: Any) -> LineFindings:
    if not isinstance(details, dict):
        return LineFindings()
    rules = [one for one in details.get("sla") or () if isinstance(one, dict)]
    broken = tuple(str(one.get("rule")) for one in rules if not one.get("kept"))
    drifted = details.get("drifted")
    return LineFindings(
        drifted if isinstance(drifted, int) else None, len(rules) - len(broken) if rules else None, broken
    )
