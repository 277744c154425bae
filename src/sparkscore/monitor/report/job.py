"""How runs of a job change over time, on the page of one run and on the job's own."""

import re
from collections.abc import Callable, Sequence
from datetime import datetime

from sparkscore.monitor.report.history import Told, lost, runs
from sparkscore.monitor.report.parts import Cell, Fact, Figure, Head, Legend, Section, Table
from sparkscore.monitor.report.trend import Moment, trend
from sparkscore.monitor.report.words import UNKNOWN, counted, day, duration, number, rate
from sparkscore.records import RunEvent, RunPage, utc_text

Measure = tuple[str, Callable[[Told], float | None], Callable[[float | None], str]]
_RATE: Measure = ("Rows per second of scoring", lambda one: one.rate, rate)
_MEASURES: tuple[Measure, ...] = (
    ("Rows published", lambda one: one.scored if one.published else None, number),
    ("Rows rejected", lambda one: one.rejected, number),
    ("Duration, seconds", lambda one: one.seconds, duration),
    _RATE,
    ("Columns that drifted", lambda one: one.drifted, number),
)


def throughput(page: RunPage) -> Section:
    """Rows per second of each run up to this one."""
    told, title = runs(page.history), "Throughput over time"
    figure = _figure(_RATE, told, lost(page.history), here=(page.report.run_id, "this run"))
    if figure is None:
        return Section(title, "No run of this job has scored rows yet.")
    return Section(title, figures=(figure,), legend=_legend(page.history))


def job_head(job: str, history: Sequence[RunEvent]) -> Head:
    """How many runs there are and how the last one ended."""
    told, attempts = runs(history), lost(history)
    if not told:
        return Head("Job report", job, "No runs yet.")
    published = [one for one in told if one.published]
    last = told[-1]
    figures = (
        Fact("Runs published", f"{len(published):,}", f"of {len(told):,} as_of"),
        Fact("Attempts lost", f"{len(attempts):,}", "failed or aborted", "bad" if attempts else "good"),
        Fact("Rows published", number(sum(one.scored or 0 for one in published))),
        Fact("Rows rejected", number(sum(one.rejected or 0 for one in told))),
    )
    says = f"{counted(len(told), 'run')} from {_day(told[0].as_of)} to {_day(last.as_of)}."
    state = f"Last run {last.event}"
    return Head("Job report", job, says, "good" if last.published else "bad", state, facts=figures)


def trends(history: Sequence[RunEvent]) -> Section:
    """One picture per measure, all over the same runs."""
    told, attempts = runs(history), lost(history)
    here = (told[-1].run_id if told else None, "the last run")
    figures = [figure for measure in _MEASURES if (figure := _figure(measure, told, attempts, here=here)) is not None]
    return Section(
        "Trend over runs",
        "" if figures else "Nothing was measured yet.",
        figures=tuple(figures),
        legend=_legend(history),
    )


def runs_table(history: Sequence[RunEvent]) -> Section:
    """All runs, the newest first, each with a link to its page; then the attempts that were lost."""
    head = ("", "As of", "Scored", "Rejected", "Duration", "Rows/s", "Drifted")
    rows = tuple(_row(one) for one in reversed(runs(history)))
    tables = [Table("", head, rows, numbers=(2, 3, 4, 5, 6))] if rows else []
    if attempts := lost(history):
        gone = tuple(_attempt(one) for one in reversed(attempts))
        tables.append(Table("Attempts that were lost", ("", "As of", "Attempt", "Ended", "Why"), gone))
    return Section("Runs", "" if rows else "No runs yet.", tables=tuple(tables))


def _figure(
    measure: Measure, told: Sequence[Told], attempts: Sequence[RunEvent], *, here: tuple[str | None, str]
) -> Figure | None:
    title, value_of, words = measure
    found = [
        Moment(one.as_of, value, words(value), one.run_id is not None and one.run_id == here[0])
        for one in told
        if (value := value_of(one)) is not None
    ]
    if not found:
        return None
    middle = sorted(found, key=lambda one: one.value)[len(found) // 2].text
    now = next((f"{one.text} in {here[1]}; " for one in found if one.here), "")
    says = f"{now}the median of {len(found):,} runs is {middle}." if len(found) > 1 else f"{found[0].text} in one run."
    return Figure(title, trend(found, [one.as_of for one in attempts]), says[:1].upper() + says[1:])


def _legend(history: Sequence[RunEvent]) -> Legend:
    return "attempts" if lost(history) else ""


def _row(one: Told) -> tuple[Cell, ...]:
    link = f"{one.run_id}.html" if one.run_id and re.fullmatch("[0-9a-f]+", one.run_id) else ""
    return (
        Cell(one.event, "good" if one.published else "bad" if one.event in ("failed", "aborted") else "warn"),
        Cell(_day(one.as_of), link=link),
        Cell(number(one.scored)),
        Cell(number(one.rejected)),
        Cell(duration(one.seconds)),
        Cell(UNKNOWN if one.rate is None else number(round(one.rate))),
        Cell(number(one.drifted)),
    )


def _attempt(one: RunEvent) -> tuple[Cell, ...]:
    why = (one.message or one.error or UNKNOWN).splitlines()[0]
    ended = utc_text(one.at)[:16].replace("T", " ")
    return (
        Cell(one.event, "bad"),
        Cell(_day(one.as_of)),
        Cell(f"{one.revision}.{one.attempt}"),
        Cell(ended),
        Cell(why),
    )


def _day(moment: datetime) -> str:
    return day(utc_text(moment))
