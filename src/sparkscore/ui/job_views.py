"""The pages of one job that go over its runs: the list with the trend, gates, models, and raw events."""

import json
from collections import defaultdict
from collections.abc import Sequence
from typing import Any, get_args

from sparkscore.monitor.report.job import trends_section
from sparkscore.monitor.report.page_parts import Cell, Fact, PageTable, Section
from sparkscore.monitor.report.text_formats import UNKNOWN, count_text, number_text
from sparkscore.performance_schemas import PERFORMANCE_SUFFIX
from sparkscore.records import QUALITY_METRICS, EventKind, PerformanceRow, RunEvent
from sparkscore.store.performance_table import load_performance
from sparkscore.ui.overview_pages import expect_next_run
from sparkscore.ui.run_cells import (
    build_runs_table,
    list_run_fields,
    minute_text,
    name_state,
    narrow_lines,
    run_address,
    short_as_of,
    state_mark,
)
from sparkscore.ui.run_index import JobRuns, RunLine
from sparkscore.ui.table_reading import TableUnreadable, load_if_there
from sparkscore.ui.web_page import FormField, PageLink, PageQuery, TextBlock, WebPage, place_in_job

TREND_RUNS, GATE_RUNS = 200, 50
"""Newest as_ofs that the trend shows, and that the page of the gates looks at."""
_MOST_TEXT = 20_000
"""Characters of one event's details on a page."""


def build_job_page(runs: JobRuns, query: PageQuery, *, has_report: bool) -> WebPage:
    """The runs of a job, and how they changed."""
    listed = narrow_lines(runs.lines, query)
    shown = listed[query.select_rows(len(listed))]
    findings = runs.load_findings(shown)
    table = build_runs_table(
        [(runs, line) for line in shown], [findings[line.key] for line in shown], title="", with_job=False
    )
    sentence = f"{count_text(len(listed), 'run')}." if listed else "No run is like this."
    links = (PageLink("Report of the job", f"{runs.job.address}/reports/index.html"),) if has_report else ()
    page = WebPage(
        runs.job.name,
        f"Writes {runs.job.target.path or runs.job.target.name}.",
        facts=_job_facts(runs),
        links=links,
        sections=(_trend_section(runs),) if query.page == 1 and runs.lines else (),
        fields=list_run_fields(query),
        list_section=Section("Runs", sentence if runs.lines else "No run yet.", tables=(table,) if shown else ()),
        pager=query.list_pages(len(listed)),
    )
    return place_in_job(page, runs.job, "")


def build_gates_page(runs: JobRuns) -> WebPage:
    """Each rule of the gates over the newest runs."""
    title, lines = "Gates", runs.lines[:GATE_RUNS]
    last: dict[tuple[str, str, int], RunEvent] = {}
    for event in runs.load_line_events(lines):
        if event.parsed_details.get("verdicts"):
            last[(str(event.as_of), str(event.revision), event.attempt)] = event
    rules: dict[tuple[str, str, str], list[tuple[RunEvent, Any]]] = defaultdict(list)
    for event in last.values():
        for verdict in event.verdicts:
            for rule in verdict.rules:
                rules[(verdict.gate, verdict.suite, rule.rule)].append((event, rule))
    if not rules:
        return place_in_job(
            WebPage(title, f"No gate judged one of the {count_text(len(lines), 'newest run')}."), runs.job, "gates"
        )
    by_key = {(line.as_of, line.revision): line for line in lines}
    tables = [
        PageTable(
            f"{gate.capitalize()} gate, suite {suite}",
            ("Last verdict", "Rule", "Failed", "Judged", "Last observed", "Expected", "Last failed"),
            tuple(
                _gate_rule_row(runs, by_key, key[2], found)
                for key, found in sorted(rules.items(), key=lambda one: one[1][-1][1].passed)
                if key[:2] == (gate, suite)
            ),
            numbers=(2, 3),
        )
        for gate, suite in dict.fromkeys(key[:2] for key in rules)
    ]
    sentence = f"Attempts of the {count_text(len(lines), 'newest run')}, whether they were published or not."
    return place_in_job(WebPage(title, sections=(Section("Rules", sentence, tables=tuple(tables)),)), runs.job, "gates")


def build_models_page(runs: JobRuns) -> WebPage:
    """The versions that have scored, since when, and how good they were."""
    by_model: dict[tuple[str, str], list[RunLine]] = defaultdict(list)
    for line in runs.lines:
        if line.model_name is not None and line.is_published:
            by_model[(line.model_name, line.model_version or "")].append(line)
    if not by_model:
        return place_in_job(WebPage("Models", "No run was published by a model yet."), runs.job, "models")
    warnings: tuple[str, ...] = ()
    quality: dict[tuple[str, str], PerformanceRow] = {}
    try:
        quality = _newest_quality(runs)
    except TableUnreadable as error:
        warnings = (str(error),)
    rows = []
    for (name, version), lines in by_model.items():
        row = quality.get((name, version))
        rows.append(
            (
                Cell(f"{name} {version}".strip()),
                Cell(short_as_of(lines[-1].as_of), link=run_address(runs, lines[-1])),
                Cell(short_as_of(lines[0].as_of), link=run_address(runs, lines[0])),
                Cell(number_text(len(lines))),
                Cell(number_text(sum(line.rows_scored or 0 for line in lines))),
                Cell(UNKNOWN if row is None else _quality_text(row)),
            )
        )
    head = (
        "Model and version",
        "First as_of",
        "Last as_of",
        "Publications",
        "Rows",
        "Realised performance, newest window",
    )
    current = runs.newest_published
    sentence = f"The newest publication is of {current.model_name} {current.model_version}." if current else ""
    section = Section("Versions that have scored", sentence, tables=(PageTable("", head, tuple(rows), numbers=(3, 4)),))
    return place_in_job(WebPage("Models", warnings=warnings, sections=(section,)), runs.job, "models")


def build_events_page(runs: JobRuns, query: PageQuery) -> WebPage:
    """The run events as they are, the newest as_of first."""
    kind = query.find_choice("event", get_args(EventKind))
    keys = [key for key in runs.event_keys if not kind or key[3] == kind]
    shown = keys[query.select_rows(len(keys))]
    lines = {(line.as_of, line.revision): line for line in runs.lines}
    found = runs.load_raw_events([lines[key[:2]] for key in shown])
    by_key = {(one.as_of, one.revision, one.attempt, one.event, one.at): one for one in found}
    events = [by_key[key] for key in shown if key in by_key]
    page = WebPage(
        "Events",
        "What the table of run events holds; the details are below the list.",
        fields=(FormField("event", "Event", kind, get_args(EventKind)),),
        list_section=Section("Events", f"{count_text(len(keys), 'event')}.", tables=(list_events(runs, events),)),
        pager=query.list_pages(len(keys)),
        blocks=tuple(event_block(one) for one in events),
    )
    return place_in_job(page, runs.job, "events")


def list_events(runs: JobRuns, events: Sequence[RunEvent]) -> PageTable:
    """A row per event."""
    head = ("Event", "As of", "Revision", "Attempt", "At", "Exit code", "Error", "Message")
    by_key = {(line.as_of, line.revision): line for line in runs.lines} if events else {}
    rows = [
        (
            Cell(one.event, "bad" if one.event in ("failed", "aborted") else ""),
            Cell(short_as_of(one.as_of), link=_line_link(runs, by_key.get((one.as_of, one.revision)))),
            Cell(str(one.revision)),
            Cell(str(one.attempt)),
            Cell(minute_text(one.at)),
            Cell(number_text(one.exit_code)),
            Cell(one.error or UNKNOWN),
            Cell((one.message or UNKNOWN)[:500]),
        )
        for one in events
    ]
    return PageTable("", head, tuple(rows), numbers=(2, 3, 5))


def event_block(event: RunEvent) -> TextBlock:
    """The details of an event."""
    try:
        text = json.dumps(json.loads(event.details or "{}"), indent=2, ensure_ascii=False)
    except ValueError:
        text = event.details or ""
    cut = "" if len(text) <= _MOST_TEXT else f"\n… {len(text) - _MOST_TEXT:,} more characters"
    title = f"Details: {event.event}, {short_as_of(event.as_of)}, revision {event.revision}, attempt {event.attempt}"
    return TextBlock(title, text[:_MOST_TEXT] + cut)


def _line_link(runs: JobRuns, line: RunLine | None) -> str:
    return "" if line is None else run_address(runs, line)


def _job_facts(runs: JobRuns) -> tuple[Fact, ...]:
    published = [line for line in runs.lines if line.is_published and not line.is_replaced]
    lost = sum(line.lost for line in runs.lines)
    last = runs.lines[0] if runs.lines else None
    found = "" if last is None else state_mark(last)
    upcoming = expect_next_run(runs)
    when, _, guess = upcoming.text.partition(", ")
    return (
        Fact(
            "Last run",
            UNKNOWN if last is None else name_state(last),
            "" if last is None else short_as_of(last.as_of),
            "" if found == "warn" else found,
        ),
        Fact("As_ofs published", f"{len(published):,}", f"of {len(runs.index.as_ofs):,}"),
        Fact("Attempts lost", f"{lost:,}", "failed or aborted"),
        Fact("Rows published", number_text(sum(line.rows_scored or 0 for line in published))),
        Fact("Rows rejected", number_text(sum(line.rows_rejected or 0 for line in published))),
        Fact("Next expected", when, guess, "bad" if upcoming.mark == "bad" else ""),
    )


def _trend_section(runs: JobRuns) -> Section:
    """Of the newest as_ofs; drawn once for a version of the events."""
    if "trend" not in runs.kept:
        newest = set(runs.index.as_ofs[-TREND_RUNS:])
        events = runs.load_line_events([line for line in runs.lines if line.as_of in newest])
        runs.kept["trend"] = trends_section(events)
    found: Section = runs.kept["trend"]
    return found


def _gate_rule_row(
    runs: JobRuns, by_key: dict[Any, RunLine], name: str, found: Sequence[tuple[RunEvent, Any]]
) -> tuple[Cell, ...]:
    _, last = found[-1]
    failed = [event for event, rule in found if not rule.passed]
    line = by_key.get((failed[-1].as_of, failed[-1].revision)) if failed else None
    return (
        Cell("passed", "good") if last.passed else Cell("failed", "bad" if last.severity == "critical" else "warn"),
        Cell(name),
        Cell(number_text(len(failed))),
        Cell(number_text(len(found))),
        Cell(last.observed),
        Cell(last.expected),
        Cell(short_as_of(failed[-1].as_of) if failed else UNKNOWN, link=_line_link(runs, line)),
    )


def _newest_quality(runs: JobRuns) -> dict[tuple[str, str], PerformanceRow]:
    """The newest whole window of each model version that has a truth, by the name of the model and the version."""
    table = runs.job.target.sibling(PERFORMANCE_SUFFIX)
    rows = load_if_there(table, lambda: load_performance(table, job=runs.job.name)) or ()
    return {(str(row.model_name), str(row.model_version)): row for row in rows if row.is_whole and row.quality.count}


def _quality_text(row: PerformanceRow) -> str:
    known = [(one, row.quality.value(one.name)) for one in QUALITY_METRICS]
    texts = [f"{metric.text} {number_text(value)}" for metric, value in known if value is not None]
    return f"{', '.join(texts[:3]) or 'no metric'}; as_of {short_as_of(row.start)}"
