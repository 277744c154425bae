"""The page of one run: what its report shows, its pins, attempts, exports, and examples of its rejects."""

from collections.abc import Sequence

from sparkscore.monitor.report.cost import cost_section
from sparkscore.monitor.report.drift import drift_section
from sparkscore.monitor.report.page_parts import Cell, Fact, PageTable, Section
from sparkscore.monitor.report.predictions import predictions_section
from sparkscore.monitor.report.run_overview import run_head, source_section
from sparkscore.monitor.report.text_formats import UNKNOWN, count_text, duration_text, number_text
from sparkscore.monitor.report.verdict_sections import rejects_section, verdicts_section
from sparkscore.pipelines.report import assemble_run_page, summarise_run_events
from sparkscore.pipelines.shared.job_events import JobEvents
from sparkscore.records import RunEvent, RunPage
from sparkscore.store.table import Table
from sparkscore.ui.job_views import event_block, list_events
from sparkscore.ui.quality_views import list_reject_cells, load_rejected_rows
from sparkscore.ui.run_cells import name_state, short_as_of
from sparkscore.ui.run_index import JobRuns, RunLine, leave_unreadable_details_out
from sparkscore.ui.table_reading import TableUnreadable, describe_unreadable, explain_unreadable, read_table_rows
from sparkscore.ui.web_page import PageLink, WebPage, place_in_job

_EXAMPLES = 20
_MIN_RUN_ID_LENGTH = 8


def find_run_line(runs: JobRuns, name: str) -> RunLine | None:
    """The run that an address names: by as_of and revision, or by the beginning of its run_id."""
    found = runs.by_key.get(name)
    if found is not None or len(name) < _MIN_RUN_ID_LENGTH:
        return found
    return next((line for line in runs.lines if line.run_id and line.run_id.startswith(name)), None)


def build_run_page(runs: JobRuns, line: RunLine, *, has_report: bool) -> WebPage:
    """Everything that the tables hold of a run.

    Raises:  TableUnreadable where its run events cannot be read; the rest then says so by itself.
    """
    raw = [one for one in runs.load_raw_events([line]) if one.revision == line.revision]
    events = [leave_unreadable_details_out(one) for one in raw]
    mine = [one for one in events if one.attempt == line.attempt]
    content, warnings = _load_content(runs, line, mine)
    if events != raw:
        warnings.append("Details of events of this run are no JSON object. The page lacks what they hold.")
    head = run_head(content)
    sections = [
        source_section(content),
        _pins_section(mine),
        _seconds_section(content),
        verdicts_section(content),
        predictions_section(content),
        drift_section(content),
        rejects_section(content),
        *_example_section(runs, line, warnings),
        _exports_section(content),
        cost_section(content),
        Section("Events", "", tables=(list_events(runs, events),)),
    ]
    links = (PageLink("Report of the run", f"{runs.job.address}/reports/{line.run_id}.html"),) if has_report else ()
    page = WebPage(
        f"Run of {short_as_of(line.as_of)}" + (f", revision {line.revision}" if line.revision > 1 else ""),
        head.sentence,
        kind=f"Run of {runs.job.name}",
        state=f"{head.state}, replaced by a later revision" if name_state(line) == "replaced" else head.state,
        mark=head.mark,
        facts=head.facts,
        error=head.error,
        warnings=(*warnings, *head.warnings),
        links=links,
        sections=tuple(sections),
        blocks=tuple(event_block(one) for one in raw),
        small=head.small,
    )
    return place_in_job(page, runs.job, "", PageLink(short_as_of(line.as_of), ""))


def _load_content(runs: JobRuns, line: RunLine, mine: Sequence[RunEvent]) -> tuple[RunPage, list[str]]:
    """What the report would show; without what cannot be read, and why not."""
    target = runs.job.target
    if line.run_id is None or not line.is_published:
        return summarise_run_events(mine, target), []
    events = JobEvents(runs.job.runs, runs.job.name, runs.index)
    try:
        with explain_unreadable(runs.job.runs):
            return assemble_run_page(events, target, mine), []
    except TableUnreadable:
        beside = [target.sibling(suffix) for suffix in ("_profile", "_drift", "_rejects")]
        unread = [describe_unreadable(table) for table in beside if _is_unreadable(table)]
        return summarise_run_events(mine, target), [f"{one} The page lacks what it holds." for one in unread]


def _is_unreadable(table: Table) -> bool:
    try:
        with explain_unreadable(table):
            if table.exists():
                read_table_rows(table)
    except TableUnreadable:
        return True
    return False


def _pins_section(mine: Sequence[RunEvent]) -> Section:
    pinned = next((one for one in reversed(mine) if one.pins is not None), None)
    if pinned is None or pinned.pins is None:
        return Section("Pins", "The run ended before it had pinned a source and a model.")
    pins = pinned.pins
    facts = (
        Fact("Id of the source", pins.source_id),
        Fact("Digest of the model", pins.model_digest),
        Fact("Digest of the scoring", pins.scoring_digest),
    )
    sentence = "With the versions above, what the run kept fixed: equal pins give equal predictions."
    return Section("Pins", sentence, facts=facts)


def _seconds_section(content: RunPage) -> Section:
    parts = [(name, value) for name, value in content.report.seconds.items() if name != "total" and value]
    if not parts:
        return Section("Seconds by part", "No part of the run was timed.")
    rows = tuple((Cell(name.replace("_", " ")), Cell(duration_text(value))) for name, value in parts)
    table = PageTable("", ("Part", "Time"), rows, numbers=(1,), narrow=True)
    total = content.report.seconds.get("total")
    return Section("Seconds by part", f"{duration_text(total)} in all; parts may overlap.", tables=(table,))


def _example_section(runs: JobRuns, line: RunLine, warnings: list[str]) -> list[Section]:
    if not line.rows_rejected:
        return []
    try:
        found = load_rejected_rows(runs, [line])
    except TableUnreadable as error:
        if not warnings:
            warnings.append(str(error))
        return []
    if not found.num_rows:
        return []
    rows = tuple(list_reject_cells(found.slice(0, _EXAMPLES)))
    head = ("Code", "Key", "Error", "Message")
    sentence = f"The first {count_text(len(rows), 'rejected row')} of {number_text(line.rows_rejected)}."
    return [Section("Examples of rejects", sentence, tables=(PageTable("", head, rows),))]


def _exports_section(content: RunPage) -> Section:
    made = content.report.exports
    if not made:
        return Section("Exports", "Nothing was exported of this run.")
    names = [name for name in type(made[0]).__slots__ if name != "error"]
    rows = tuple(tuple(Cell(_plain_text(getattr(one, name))) for name in names) for one in made)
    return Section("Exports", tables=(PageTable("", tuple(name.replace("_", " ") for name in names), rows),))


def _plain_text(value: object) -> str:
    if value is None or value == "":
        return UNKNOWN
    return number_text(value) if isinstance(value, int | float) and not isinstance(value, bool) else str(value)
