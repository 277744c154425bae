"""How runs of a job change over time, on the page of one run and on the job's own."""

import re
from collections.abc import Callable, Sequence
from datetime import datetime

from sparkscore.monitor.report.history import RunSummary, lost_attempts, summarise_runs
from sparkscore.monitor.report.parts import Cell, Fact, Figure, Legend, PageHead, PageTable, Section
from sparkscore.monitor.report.trend import TrendPoint, trend_chart
from sparkscore.monitor.report.words import UNKNOWN, count_text, day_text, duration_text, number_text, rate_text
from sparkscore.records import RunEvent, RunPage, to_utc_text

TrendMeasure = tuple[str, Callable[[RunSummary], float | None], Callable[[float | None], str]]
_RATE_MEASURE: TrendMeasure = ("Rows per second of scoring", lambda one: one.rate, rate_text)
_TREND_MEASURES: tuple[TrendMeasure, ...] = (
    ("Rows published", lambda one: one.scored if one.published else None, number_text),
    ("Rows rejected", lambda one: one.rejected, number_text),
    ("Duration, seconds", lambda one: one.seconds, duration_text),
    _RATE_MEASURE,
    ("Columns that drifted", lambda one: one.drifted, number_text),
)


def throughput_section(page: RunPage) -> Section:
    """Rows per second of each run up to this one."""
    told, title = summarise_runs(page.history), "Throughput over time"
    figure = _trend_figure(_RATE_MEASURE, told, lost_attempts(page.history), here=(page.report.run_id, "this run"))
    if figure is None:
        return Section(title, "No run of this job has scored rows yet.")
    return Section(title, figures=(figure,), legend=_attempts_legend(page.history))


def job_head(job: str, history: Sequence[RunEvent]) -> PageHead:
    """How many runs there are and how the last one ended."""
    told, attempts = summarise_runs(history), lost_attempts(history)
    if not told:
        return PageHead("Job report", job, "No runs yet.")
    published = [one for one in told if one.published]
    last = told[-1]
    figures = (
        Fact("Runs published", f"{len(published):,}", f"of {len(told):,} as_of"),
        Fact("Attempts lost", f"{len(attempts):,}", "failed or aborted", "bad" if attempts else "good"),
        Fact("Rows published", number_text(sum(one.scored or 0 for one in published))),
        Fact("Rows rejected", number_text(sum(one.rejected or 0 for one in told))),
    )
    says = f"{count_text(len(told), 'run')} from {_as_of_text(told[0].as_of)} to {_as_of_text(last.as_of)}."
    state = f"Last run {last.event}"
    return PageHead("Job report", job, says, "good" if last.published else "bad", state, facts=figures)


def trends_section(history: Sequence[RunEvent]) -> Section:
    """One picture per measure, all over the same runs."""
    told, attempts = summarise_runs(history), lost_attempts(history)
    here = (told[-1].run_id if told else None, "the last run")
    figures = [
        figure
        for measure in _TREND_MEASURES
        if (figure := _trend_figure(measure, told, attempts, here=here)) is not None
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
        gone = tuple(_attempt_row(one) for one in reversed(attempts))
        tables.append(PageTable("Attempts that were lost", ("", "As of", "Attempt", "Ended", "Why"), gone))
    return Section("Runs", "" if rows else "No runs yet.", tables=tuple(tables))


def _trend_figure(
    measure: TrendMeasure, told: Sequence[RunSummary], attempts: Sequence[RunEvent], *, here: tuple[str | None, str]
) -> Figure | None:
    title, value_of, words = measure
    found = [
        TrendPoint(one.as_of, value, words(value), one.run_id is not None and one.run_id == here[0])
        for one in told
        if (value := value_of(one)) is not None
    ]
    if not found:
        return None
    middle = sorted(found, key=lambda one: one.value)[len(found) // 2].text
    now = next((f"{one.text} in {here[1]}; " for one in found if one.here), "")
    says = f"{now}the median of {len(found):,} runs is {middle}." if len(found) > 1 else f"{found[0].text} in one run."
    return Figure(title, trend_chart(found, [one.as_of for one in attempts]), says[:1].upper() + says[1:])


def _attempts_legend(history: Sequence[RunEvent]) -> Legend:
    return "attempts" if lost_attempts(history) else ""


def _run_row(one: RunSummary) -> tuple[Cell, ...]:
    link = f"{one.run_id}.html" if one.run_id and re.fullmatch("[0-9a-f]+", one.run_id) else ""
    return (
        Cell(one.event, "good" if one.published else "bad" if one.event in ("failed", "aborted") else "warn"),
        Cell(_as_of_text(one.as_of), link=link),
        Cell(number_text(one.scored)),
        Cell(number_text(one.rejected)),
        Cell(duration_text(one.seconds)),
        Cell(UNKNOWN if one.rate is None else number_text(round(one.rate))),
        Cell(number_text(one.drifted)),
    )


def _attempt_row(one: RunEvent) -> tuple[Cell, ...]:
    why = (one.message or one.error or UNKNOWN).splitlines()[0]
    ended = to_utc_text(one.at)[:16].replace("T", " ")
    return (
        Cell(one.event, "bad"),
        Cell(_as_of_text(one.as_of)),
        Cell(f"{one.revision}.{one.attempt}"),
        Cell(ended),
        Cell(why),
    )


def _as_of_text(moment: datetime) -> str:
    return day_text(to_utc_text(moment))
