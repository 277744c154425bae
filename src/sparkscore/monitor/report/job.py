"""How runs of a job change over time, on the page of one run and on the job's own."""

import re
from collections.abc import Callable, Sequence
from datetime import datetime

from sparkscore.monitor.report.history import RunSummary, lost_attempts, summarise_runs
from sparkscore.monitor.report.page_parts import Cell, Fact, Figure, Legend, PageHead, PageTable, Section
from sparkscore.monitor.report.text_formats import UNKNOWN, count_text, day_text, duration_text, number_text, rate_text
from sparkscore.monitor.report.trend import TrendPoint, trend_chart
from sparkscore.records import RunEvent, RunPage, to_utc_text

TrendMeasure = tuple[str, Callable[[RunSummary], float | None], Callable[[float | None], str]]
_RATE_MEASURE: TrendMeasure = ("Rows per second of scoring", lambda one: one.rate, rate_text)
_TREND_MEASURES: tuple[TrendMeasure, ...] = (
    ("Rows published", lambda one: one.scored if one.is_published else None, number_text),
    ("Rows rejected", lambda one: one.rejected, number_text),
    ("Duration, seconds", lambda one: one.seconds, duration_text),
    _RATE_MEASURE,
    ("Columns that drifted", lambda one: one.drifted, number_text),
)


def throughput_section(page: RunPage) -> Section:
    """Rows per second of each run up to this one."""
    runs, title = summarise_runs(page.history), "Throughput over time"
    figure = _trend_figure(
        _RATE_MEASURE, runs, lost_attempts(page.history), current_run=(page.report.run_id, "this run")
    )
    if figure is None:
        return Section(title, "No run of this job has scored rows yet.")
    return Section(title, figures=(figure,), legend=_attempts_legend(page.history))


def job_head(job: str, history: Sequence[RunEvent]) -> PageHead:
    """How many runs there are and how the last one ended."""
    runs, attempts = summarise_runs(history), lost_attempts(history)
    if not runs:
        return PageHead("Job report", job, "No runs yet.")
    published = [one for one in runs if one.is_published]
    last = runs[-1]
    figures = (
        Fact("Runs published", f"{len(published):,}", f"of {len(runs):,} as_of"),
        Fact("Attempts lost", f"{len(attempts):,}", "failed or aborted", "bad" if attempts else "good"),
        Fact("Rows published", number_text(sum(one.scored or 0 for one in published))),
        Fact("Rows rejected", number_text(sum(one.rejected or 0 for one in runs))),
    )
    sentence = f"{count_text(len(runs), 'run')} from {_as_of_text(runs[0].as_of)} to {_as_of_text(last.as_of)}."
    state = f"Last run {last.event}"
    return PageHead("Job report", job, sentence, "good" if last.is_published else "bad", state, facts=figures)


def trends_section(history: Sequence[RunEvent]) -> Section:
    """One picture per measure, all over the same runs."""
    runs, attempts = summarise_runs(history), lost_attempts(history)
    current_run = (runs[-1].run_id if runs else None, "the last run")
    figures = [
        figure
        for measure in _TREND_MEASURES
        if (figure := _trend_figure(measure, runs, attempts, current_run=current_run)) is not None
    ]
    return Section(
        "Trend over runs",
        "" if figures else "Nothing was measured yet.",
        figures=tuple(figures),
        legend=_attempts_legend(history),
    )


def runs_section(history: Sequence[RunEvent]) -> Section:
    """All runs, the newest first, each with a link to its page; then the attempts that were lost."""
    head = ("", "As of", "Scored", "Rejected", "Duration", "Rows/s", "Drifted")
    rows = tuple(_run_row(one) for one in reversed(summarise_runs(history)))
    tables = [PageTable("", head, rows, numbers=(2, 3, 4, 5, 6))] if rows else []
    if attempts := lost_attempts(history):
        attempt_rows = tuple(_attempt_row(one) for one in reversed(attempts))
        tables.append(PageTable("Attempts that were lost", ("", "As of", "Attempt", "Ended", "Why"), attempt_rows))
    return Section("Runs", "" if rows else "No runs yet.", tables=tuple(tables))


def _trend_figure(
    measure: TrendMeasure,
    runs: Sequence[RunSummary],
    attempts: Sequence[RunEvent],
    *,
    current_run: tuple[str | None, str],
) -> Figure | None:
    title, read_value, format_value = measure
    points = [
        TrendPoint(one.as_of, value, format_value(value), one.run_id is not None and one.run_id == current_run[0])
        for one in runs
        if (value := read_value(one)) is not None
    ]
    if not points:
        return None
    middle = sorted(points, key=lambda one: one.value)[len(points) // 2].text
    current = next((f"{one.text} in {current_run[1]}; " for one in points if one.is_current), "")
    sentence = (
        f"{current}the median of {len(points):,} runs is {middle}."
        if len(points) > 1
        else f"{points[0].text} in one run."
    )
    return Figure(title, trend_chart(points, [one.as_of for one in attempts]), sentence[:1].upper() + sentence[1:])


def _attempts_legend(history: Sequence[RunEvent]) -> Legend:
    return "attempts" if lost_attempts(history) else ""


def _run_row(run: RunSummary) -> tuple[Cell, ...]:
    link = f"{run.run_id}.html" if run.run_id and re.fullmatch("[0-9a-f]+", run.run_id) else ""
    return (
        Cell(run.event, "good" if run.is_published else "bad" if run.event in ("failed", "aborted") else "warn"),
        Cell(_as_of_text(run.as_of), link=link),
        Cell(number_text(run.scored)),
        Cell(number_text(run.rejected)),
        Cell(duration_text(run.seconds)),
        Cell(UNKNOWN if run.rate is None else number_text(round(run.rate))),
        Cell(number_text(run.drifted)),
    )


def _attempt_row(event: RunEvent) -> tuple[Cell, ...]:
    reason = (event.message or event.error or UNKNOWN).splitlines()[0]
    ended = to_utc_text(event.at)[:16].replace("T", " ")
    return (
        Cell(event.event, "bad"),
        Cell(_as_of_text(event.as_of)),
        Cell(f"{event.revision}.{event.attempt}"),
        Cell(ended),
        Cell(reason),
    )


def _as_of_text(moment: datetime) -> str:
    return day_text(to_utc_text(moment))
