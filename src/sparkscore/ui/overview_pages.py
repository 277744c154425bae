"""The pages over all jobs: how each of them is, and the runs of all."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from heapq import merge
from itertools import pairwise
from statistics import median

from sparkscore.monitor.report.drift import ranked_drifts
from sparkscore.monitor.report.page_parts import Cell, PageTable, Section
from sparkscore.monitor.report.text_formats import UNKNOWN, count_text, number_text
from sparkscore.monitor.sla_rules import missed_run_rules
from sparkscore.records import RunEvent
from sparkscore.store.monitoring_tables import load_drifts
from sparkscore.ui.run_cells import (
    build_runs_table,
    list_run_fields,
    name_state,
    narrow_lines,
    run_address,
    short_as_of,
    sla_cell,
    state_mark,
)
from sparkscore.ui.run_index import JobRuns, LineFindings, RunLine
from sparkscore.ui.served_jobs import ServedJob
from sparkscore.ui.table_reading import TableUnreadable, load_if_there
from sparkscore.ui.web_page import FormField, PageQuery, WebPage

_HEAD = ("Last run", "Job", "As of", "Last published", "Rows", "Rejected", "Worst drift", "SLA", "Next expected")
_FEW_STEPS = 10
"""Last steps from as_of to as_of from which the next one is guessed."""


def build_overview(homes: Sequence[str], found: Mapping[ServedJob, JobRuns | TableUnreadable]) -> WebPage:
    """All jobs under these homes, each with its last run."""
    places = ", ".join(homes)
    if not found:
        sentence = f"No job has run under {places} yet: there are no run events. `sparkscore score` writes the first."
        return WebPage("Jobs", sentence)
    rows, warnings = [], []
    for job, runs in found.items():
        if isinstance(runs, TableUnreadable):
            warnings.append(f"{job.name}: {runs}")
            rows.append(_unknown_row(job, "cannot be read"))
        else:
            rows.append(_overview_row(runs) if runs.lines else _unknown_row(job, "no run yet"))
    table = PageTable("", _HEAD, tuple(rows), numbers=(4, 5))
    return WebPage(
        "Jobs",
        f"{count_text(len(found), 'job')} under {places}. Rows, rejects, drift and SLA are of what was published last.",
        warnings=tuple(warnings),
        sections=(Section("All jobs", tables=(table,)),),
    )


def build_all_runs(found: Sequence[JobRuns], query: PageQuery) -> WebPage:
    """The runs of all jobs, the newest as_of first."""
    by_name = {runs.job.slug: runs for runs in found}
    chosen = query.find_choice("job", tuple(by_name))
    narrowed = [
        [(runs, line) for line in narrow_lines(runs.lines, query)]
        for slug, runs in by_name.items()
        if chosen in ("", slug)
    ]
    listed = list(merge(*narrowed, key=lambda one: one[1].as_of, reverse=True))
    shown = listed[query.select_rows(len(listed))]
    fields = (FormField("job", "Job", chosen, tuple(by_name)), *list_run_fields(query))
    table = build_runs_table(shown, _load_findings(shown), title="", with_job=True)
    sentence = f"{count_text(len(listed), 'run')}." if listed else "No run is like this."
    return WebPage(
        "Runs of all jobs",
        fields=fields,
        list_section=Section("Runs", sentence, tables=(table,) if shown else ()),
        pager=query.list_pages(len(listed)),
    )


def _load_findings(shown: Sequence[tuple[JobRuns, RunLine]]) -> list[LineFindings]:
    """What monitoring found of them, read at once for each job."""
    by_job: dict[str, list[RunLine]] = {}
    for runs, line in shown:
        by_job.setdefault(runs.job.slug, []).append(line)
    jobs = {runs.job.slug: runs for runs, _ in shown}
    found = {slug: jobs[slug].load_findings(lines) for slug, lines in by_job.items()}
    return [found[runs.job.slug][line.key] for runs, line in shown]


def expect_next_run(runs: JobRuns, *, now: datetime | None = None) -> Cell:
    """When the next as_of is due: by the config's `sla`, else by the steps of the last ones, which is a guess."""
    now = now or datetime.now(UTC)
    settings, as_ofs = runs.job.settings, runs.index.as_ofs
    if settings is not None and settings.sla.every_hours is not None and as_ofs:
        missed = [one for one in _missed_runs(runs, now) if one]
        due = as_ofs[-1] + timedelta(hours=settings.sla.every_hours)
        if missed:
            return Cell(f"late: {count_text(len(missed), 'run')} since {short_as_of(missed[0])}", "bad")
        return Cell(short_as_of(due))
    steps = [after - before for before, after in pairwise(as_ofs[-_FEW_STEPS - 1 :])]
    if not steps:
        return Cell(UNKNOWN)
    step = timedelta(seconds=median(one.total_seconds() for one in steps))
    return Cell(f"{short_as_of(as_ofs[-1] + step)}, guessed from the last steps")


def _missed_runs(runs: JobRuns, now: datetime) -> list[datetime | None]:
    settings = runs.job.settings
    if settings is None:
        return []
    events = [
        RunEvent(runs.job.name, line.as_of, line.revision, line.attempt, line.state, line.ended_at or line.as_of)  # type: ignore[arg-type]
        for line in reversed(runs.lines)
    ]
    late = missed_run_rules(events, settings.sla, now=now)
    return [_rule_as_of(rule.rule) for rule in late]


def _rule_as_of(rule: str) -> datetime | None:
    return datetime.fromisoformat(rule.removeprefix("run of ")) if rule.startswith("run of ") else None


def _overview_row(runs: JobRuns) -> tuple[Cell, ...]:
    last, current = runs.lines[0], runs.newest_published
    shown = current or last
    try:
        found = runs.load_findings([shown])[shown.key]
    except TableUnreadable:
        found = LineFindings()
    published = Cell("never") if current is None else Cell(short_as_of(shown.as_of), link=run_address(runs, shown))
    return (
        Cell(name_state(last), state_mark(last)),
        Cell(runs.job.name, link=runs.job.address),
        Cell(short_as_of(last.as_of), link=run_address(runs, last)),
        published,
        Cell(number_text(shown.rows_scored)),
        Cell(number_text(shown.rows_rejected), "warn" if shown.rows_rejected else ""),
        _worst_drift(runs),
        sla_cell(found),
        expect_next_run(runs),
    )


def _worst_drift(runs: JobRuns) -> Cell:
    """Of the newest publication: kept with its version, as a run's distances are there before its last event."""
    if "worst" not in runs.kept:
        runs.kept["worst"] = _find_worst_drift(runs)
    found: Cell = runs.kept["worst"]
    return found


def _find_worst_drift(runs: JobRuns) -> Cell:
    line, table = runs.newest_published, runs.job.target.sibling("_drift")
    if line is None or line.run_id is None:
        return Cell(UNKNOWN)
    wanted = {line.run_id: line.as_of}
    try:
        drifts = load_if_there(table, lambda: load_drifts(table, job=runs.job.name, runs=wanted))
    except TableUnreadable:
        return Cell("cannot be read", "warn")
    ranked = ranked_drifts([one for one in drifts or () if one.slice_key is None and one.psi is not None])
    if not ranked:
        return Cell(UNKNOWN)
    worst = ranked[0]
    return Cell(f"{worst.column}, PSI {number_text(worst.psi)}", "bad" if worst.drifted else "")


def _unknown_row(job: ServedJob, state: str) -> tuple[Cell, ...]:
    return (Cell(state, "warn"), Cell(job.name, link=job.address), *(Cell(UNKNOWN) for _ in _HEAD[2:]))
