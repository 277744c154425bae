"""Runs as rows of tables, on every page in the same words."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Literal
from urllib.parse import quote

from sparkscore.errors import ConfigError
from sparkscore.monitor.report.page_parts import Cell, PageTable
from sparkscore.monitor.report.text_formats import UNKNOWN, count_text, day_text, duration_text, number_text
from sparkscore.records import parse_as_of, to_utc_text
from sparkscore.ui.run_index import LOST_STATES, JobRuns, LineFindings, RunLine
from sparkscore.ui.web_page import FormField, PageQuery, WrongRequest

STATES = ("published", "replaced", "failed", "aborted", "open")
"""How runs ended, as lists name it; `open`: no event says that it ended."""
RUN_HEAD = ("State", "As of", "Rows", "Rejected", "Seconds", "Drifted", "SLA", "Model", "Ended")
_RUN_NUMBERS = (2, 3, 4, 5)


def name_state(line: RunLine) -> str:
    """One of the states."""
    if line.is_published:
        return "replaced" if line.is_replaced else "published"
    return line.state if line.state in LOST_STATES else "open"


def state_mark(line: RunLine) -> Literal["", "good", "bad", "warn"]:
    """What its symbol says."""
    state = name_state(line)
    return "good" if state == "published" else "bad" if state in LOST_STATES else "" if state == "replaced" else "warn"


def run_address(runs: JobRuns, line: RunLine) -> str:
    """The path of the run's page."""
    return f"{runs.job.address}/runs/{quote(line.key, safe='@:')}"


def minute_text(moment: datetime | None) -> str:
    """A moment to the minute."""
    return UNKNOWN if moment is None else to_utc_text(moment)[:16].replace("T", " ")


def short_as_of(moment: datetime) -> str:
    """An as_of without the midnight that most of them have."""
    return day_text(to_utc_text(moment))


def sla_cell(found: LineFindings) -> Cell:
    """Whether a run kept its SLA."""
    if found.sla_broken:
        return Cell(f"broken: {', '.join(found.sla_broken)}", "bad")
    return Cell(UNKNOWN) if found.sla_kept is None else Cell("kept", "good")


def build_runs_table(
    shown: Sequence[tuple[JobRuns, RunLine]], findings: Sequence[LineFindings], *, title: str, with_job: bool
) -> PageTable:
    """A row per run, in their order."""
    rows = []
    for (runs, line), found in zip(shown, findings, strict=True):
        revision = f" (revision {line.revision})" if line.revision > 1 else ""
        lost = f", {count_text(line.lost, 'attempt')} lost" if line.lost and line.state not in LOST_STATES else ""
        cells = [
            Cell(_state_text(line) + lost, state_mark(line)),
            Cell(short_as_of(line.as_of) + revision, link=run_address(runs, line)),
            Cell(number_text(line.rows_scored)),
            Cell(number_text(line.rows_rejected), "warn" if line.rows_rejected else ""),
            Cell(duration_text(line.seconds)),
            Cell(number_text(found.drifted), "warn" if found.drifted else ""),
            sla_cell(found),
            Cell(format_run_model(line)),
            Cell(minute_text(line.ended_at)),
        ]
        rows.append((Cell(runs.job.name, link=runs.job.address), *cells) if with_job else tuple(cells))
    head = ("Job", *RUN_HEAD) if with_job else RUN_HEAD
    return PageTable(title, head, tuple(rows), numbers=tuple(at + with_job for at in _RUN_NUMBERS))


def format_run_model(line: RunLine) -> str:
    """Name and version of a run's model."""
    return UNKNOWN if line.model_name is None else f"{line.model_name} {line.model_version or ''}".strip()


def narrow_lines(lines: Sequence[RunLine], query: PageQuery) -> Sequence[RunLine]:
    """The runs that the form of a list asks for.

    Raises:  WrongRequest.
    """
    state = query.find_choice("state", STATES)
    since, until = parse_day(query, "from"), parse_day(query, "to")
    end = None if until is None else until + timedelta(days=1)
    return [
        line
        for line in lines
        if (not state or name_state(line) == state)
        and (since is None or line.as_of >= since)
        and (end is None or line.as_of < end)
    ]


def list_run_fields(query: PageQuery) -> tuple[FormField, ...]:
    """The fields of `narrow_lines`."""
    return (
        FormField("state", "State", query.find_text("state"), STATES),
        FormField("from", "As of, from", query.find_text("from")),
        FormField("to", "As of, to", query.find_text("to")),
    )


def parse_day(query: PageQuery, name: str) -> datetime | None:
    """A day as its midnight in UTC; None where none is asked for.

    Raises:  WrongRequest.
    """
    text = query.find_text(name)
    if not text:
        return None
    try:
        return parse_as_of(text).astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    except ConfigError:
        raise WrongRequest(400, f"{name} is a day, for example 2013-12-31.") from None


def _state_text(line: RunLine) -> str:
    state = name_state(line)
    if state == "open":
        return f"open since {line.state}"
    if line.exit_code and state == "published":
        return f"published, exit code {line.exit_code}"
    return f"failed with {line.exit_code} ({line.error})" if state == "failed" else state
