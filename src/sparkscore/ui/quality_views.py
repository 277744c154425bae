"""The pages of one job on what was measured: drift, realised performance, rejects."""

import json
import re
from collections.abc import Sequence
from dataclasses import replace
from itertools import islice
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from sparkscore.monitor.report.drift import drift_section, ranked_drifts
from sparkscore.monitor.report.page_parts import Cell, Figure, PageTable, Section
from sparkscore.monitor.report.performance import performance_section
from sparkscore.monitor.report.text_formats import UNKNOWN, count_text, number_text
from sparkscore.monitor.report.trend import TrendPoint, trend_chart
from sparkscore.performance_schemas import PERFORMANCE_SUFFIX
from sparkscore.pipelines.report import summarise_run_events
from sparkscore.records import Drift
from sparkscore.redaction.known_secrets import MASK
from sparkscore.store.direct_tables import DirectTable
from sparkscore.store.monitoring_tables import load_drifts
from sparkscore.store.performance_table import load_performance
from sparkscore.ui.run_cells import run_address, short_as_of
from sparkscore.ui.run_index import JobRuns, RunLine
from sparkscore.ui.table_reading import MOST_ROWS, TableUnreadable, explain_unreadable, load_if_there
from sparkscore.ui.web_page import PAGE_LENGTH, FormField, PageQuery, WebPage, place_in_job

RECENT_RUNS = 30
"""Newest publications that the pages of drift and rejects look at."""
_HASHED_KEY = re.compile(r"[0-9a-f]{64}")
_REJECT_COLUMNS = ("code", "key", "error", "message")
_NO_REJECTS = pa.table({"code": pa.array([], pa.string())})


def build_drift_page(runs: JobRuns) -> WebPage:
    """How far the newest publication is from its references, and how the furthest column of each run changed."""
    table, lines = runs.job.target.sibling("_drift"), _recent_publications(runs)
    wanted = {str(line.run_id): line.as_of for line in lines}
    rows = load_if_there(table, lambda: _load_overall(runs, wanted)) or {}
    if not lines or not rows:
        sentence = "No run was compared with another one, or with a baseline, yet: `profile` and `drift` in the config."
        return place_in_job(WebPage("Drift", sentence), runs.job, "drift")
    newest = next(line for line in lines if str(line.run_id) in rows)
    events = [one for one in runs.load_line_events([newest]) if one.run_id == newest.run_id]
    with explain_unreadable(table):
        drifts = load_drifts(table, job=runs.job.name, runs={str(newest.run_id): newest.as_of})
    section = replace(
        drift_section(replace(summarise_run_events(events, runs.job.target), drifts=drifts)),
        title=f"The run of {short_as_of(newest.as_of)}",
    )
    page = WebPage("Drift", sections=(_drift_trend(runs, lines, rows), section))
    return place_in_job(page, runs.job, "drift")


def build_performance_page(runs: JobRuns) -> WebPage:
    """How good the predictions were, once the truth was there."""
    table = runs.job.target.sibling(PERFORMANCE_SUFFIX)
    rows = load_if_there(table, lambda: load_performance(table, job=runs.job.name)) or []
    if not rows:
        sentence = "Nothing was evaluated yet: name the table of truths in `labels`, and run `sparkscore evaluate`."
        return place_in_job(WebPage("Realised performance", sentence), runs.job, "performance")
    broken = [(row, text) for row in rows for text in (*row.breaches, *row.alerts)][-20:]
    cells = tuple(
        (Cell("broken", "bad"), Cell(short_as_of(row.start)), Cell(str(row.model_version)), Cell(text))
        for row, text in reversed(broken)
    )
    limits = Section(
        "Limits",
        "" if cells else "No limit of performance.fail or performance.alerts was broken.",
        tables=(PageTable("", ("State", "Window", "Model version", "What was broken"), cells),) if cells else (),
    )
    page = WebPage("Realised performance", sections=(performance_section(rows), limits))
    return place_in_job(page, runs.job, "performance")


def build_rejects_page(runs: JobRuns, query: PageQuery) -> WebPage:
    """Rejected rows of the newest publications: by code, and one by one."""
    lines = _recent_publications(runs)
    found = load_rejected_rows(runs, lines)
    among = f"the {count_text(len(lines), 'newest publication')}"
    if not found.num_rows:
        query.find_choice("code", ())
        return place_in_job(WebPage("Rejects", f"No row was rejected by {among}."), runs.job, "rejects")
    counts = _count_codes(found)
    codes = tuple(sorted(one["code"] for one in counts))
    code = query.find_choice("code", codes)
    chosen = found.filter(pc.field("code") == code) if code else found
    shown = chosen.slice(query.select_rows(chosen.num_rows).start, PAGE_LENGTH)
    rows = tuple(
        (
            Cell(one["code"]),
            Cell(number_text(one["rows"])),
            Cell(number_text(one["runs"])),
            _run_cell(runs, lines[one["newest"]]),
        )
        for one in counts
    )
    listed = tuple(
        (*cells, _run_cell(runs, lines[at]))
        for cells, at in zip(list_reject_cells(shown), shown["newest_first"].to_pylist(), strict=True)
    )
    head = ("Code", "Key", "Error", "Message", "Run")
    page = WebPage(
        "Rejects",
        f"Rows that {among} did not score, with the reason. Values of sensitive keys are not shown.",
        sections=(
            Section("By code", tables=(PageTable("", ("Code", "Rows", "Runs", "Newest"), rows, numbers=(1, 2)),)),
        ),
        fields=(FormField("code", "Code", code, codes),),
        list_section=Section("Rows", f"{count_text(chosen.num_rows, 'row')}.", tables=(PageTable("", head, listed),)),
        pager=query.list_pages(chosen.num_rows),
    )
    return place_in_job(page, runs.job, "rejects")


def load_rejected_rows(runs: JobRuns, lines: Sequence[RunLine]) -> pa.Table:
    """The rejected rows of these runs, in their order; `newest_first` is the place of the run among them.

    They stay columns: a page shows few of what may be a million.

    Raises:  TableUnreadable, also for more rows than a page can look at.
    """
    table = runs.job.target.sibling("_rejects")
    wanted = [str(line.run_id) for line in lines]
    if sum(line.rows_rejected or 0 for line in lines) > MOST_ROWS:
        raise TableUnreadable(f"More than {MOST_ROWS:,} rows are rejected: ask {table.name} by Spark.")
    dates = sorted({line.as_of.date() for line in lines if line.rows_rejected})
    rows = None
    if dates:
        rows = load_if_there(table, lambda: _read_reject_rows(DirectTable.open_shared(table), dates, wanted))
    return _NO_REJECTS if rows is None else rows


def list_reject_cells(rows: pa.Table) -> list[tuple[Cell, ...]]:
    """Code, key, error and message of rejected rows."""
    return [
        (
            Cell(row["code"]),
            Cell(_reject_key_text(row["key"])),
            Cell(row["error"] or UNKNOWN),
            Cell(row["message"] or ""),
        )
        for row in rows.select(_REJECT_COLUMNS).to_pylist()
    ]


def _count_codes(rows: pa.Table) -> list[dict[str, Any]]:
    """Rows, runs and the newest run by code, the most frequent first."""
    sums = [("run_id", "count"), ("run_id", "count_distinct"), ("newest_first", "min")]
    counted = rows.group_by("code").aggregate(sums).rename_columns(["code", "rows", "runs", "newest"])
    found: list[dict[str, Any]] = counted.sort_by([("rows", "descending"), ("code", "ascending")]).to_pylist()
    return found


def _read_reject_rows(table: DirectTable, dates: Sequence[Any], wanted: Sequence[str]) -> pa.Table:
    rows = table.read_rows(("as_of_date", dates), columns=(*_REJECT_COLUMNS, "run_id"))
    places = pc.index_in(rows["run_id"], value_set=pa.array(wanted, pa.string()))
    mine = rows.append_column("newest_first", places).filter(pc.field("newest_first").is_valid())
    return mine.sort_by("newest_first")


def _reject_key_text(key: str) -> str:
    """A key as people read it. Values of sensitive columns are hashes in the table, and are not shown."""
    try:
        parts = json.loads(key)
    except ValueError:
        return key[:200]
    if not isinstance(parts, dict):
        return key[:200]
    shown = (f"{name}={MASK if _HASHED_KEY.fullmatch(str(value)) else value}" for name, value in parts.items())
    return ", ".join(shown)[:200]


def _run_cell(runs: JobRuns, line: RunLine) -> Cell:
    return Cell(short_as_of(line.as_of), link=run_address(runs, line))


def _recent_publications(runs: JobRuns) -> list[RunLine]:
    current = (line for line in runs.lines if line.is_published and not line.is_replaced and line.run_id)
    return list(islice(current, RECENT_RUNS))


def _load_overall(runs: JobRuns, wanted: dict[str, Any]) -> dict[str, list[Drift]]:
    """The distances of whole runs by run_id, without segments, bins and shares."""
    table = runs.job.target.sibling("_drift")
    columns = ("run_id", "column_name", "log_type", "drift_type", "against", "count", "count_cmp", "slice_key")
    dates = sorted({as_of.date() for as_of in wanted.values()})
    read = DirectTable.open_shared(table).read_rows(
        ("as_of_date", dates), columns=(*columns, "population_stability_index", "drifted")
    )
    found: dict[str, list[Drift]] = {}
    for row in read.to_pylist():
        if row["slice_key"] is None and row["run_id"] in wanted:
            names = (row["column_name"], row["log_type"], row["drift_type"], row["against"])
            distance, drifted = row["population_stability_index"], row["drifted"]
            one = Drift(*names, row["count"], row["count_cmp"], psi=distance, drifted=drifted)
            found.setdefault(row["run_id"], []).append(one)
    return found


def _drifted_text(drifts: Sequence[Drift]) -> str:
    """Columns that drifted from any reference, of those that were compared with one."""
    known = {(one.column, one.log_type): False for one in drifts}
    known |= {(one.column, one.log_type): True for one in drifts if one.drifted}
    return f"{sum(known.values())} of {len(known)}"


def _drift_trend(runs: JobRuns, lines: Sequence[RunLine], rows: dict[str, list[Drift]]) -> Section:
    newest = next((str(line.run_id) for line in lines if str(line.run_id) in rows), "")
    points, worst = [], []
    for line in reversed(lines):
        ranked = ranked_drifts([one for one in rows.get(str(line.run_id), ()) if one.psi is not None])
        if ranked:
            value = max(one.psi or 0.0 for one in ranked)
            points.append(TrendPoint(line.as_of, value, number_text(value), str(line.run_id) == newest))
            worst.append((line, ranked))
    if not points:
        return Section("Furthest column of each run", "No distance is known.")
    cells = tuple(
        (
            Cell("drifted", "bad") if ranked[0].drifted else Cell("kept", "good"),
            _run_cell(runs, line),
            Cell(ranked[0].column),
            Cell(number_text(ranked[0].psi)),
            Cell(_drifted_text(ranked)),
            Cell(ranked[0].against),
        )
        for line, ranked in reversed(worst)
    )
    head = ("State", "Run", "Furthest column", "PSI", "Drifted", "Against")
    figure = Figure(
        "Greatest PSI of a column",
        trend_chart(points),
        f"{points[-1].text} in the newest run; the greatest of {count_text(len(points), 'run')} is"
        f" {number_text(max(one.value for one in points))}.",
    )
    return Section("Furthest column of each run", figures=(figure,), tables=(PageTable("", head, cells, numbers=(3,)),))
