"""The report of `optimize-model`: speed beside agreement, for the model and each candidate."""

from collections.abc import Mapping, Sequence

from sparkscore.monitor.report.charts import BarRow, bar_chart
from sparkscore.monitor.report.page import render_page
from sparkscore.monitor.report.page_parts import Cell, Fact, Figure, PageHead, PageTable, Section
from sparkscore.monitor.report.range_charts import RangeRow, range_chart
from sparkscore.monitor.report.text_formats import UNKNOWN, count_text, number_text, rate_text, share_text
from sparkscore.records import MeasuredModel, OptimizationReport

_MARKS = {"chosen": "good", "within_tolerance": "", "tolerance_missed": "bad", "failed": "bad", "too_slow": "warn"}
_WORDS = {
    "chosen": "Chosen",
    "within_tolerance": "Within tolerance",
    "too_slow": "Too slow",
    "tolerance_missed": "Tolerance missed",
    "not_applicable": "Not applicable",
    "failed": "Failed",
    "parent": "The model",
}


def optimization_page(report: OptimizationReport, tolerance: Mapping[str, float]) -> str:
    """A complete HTML document without scripts, which fetches nothing.

    Runs on: driver.
    """
    timed = [one for one in report.measured if one.speed is not None]
    return render_page(_head(report), [_speed_section(report, timed), _agreement_section(report, tolerance)])


def _head(report: OptimizationReport) -> PageHead:
    parent, source = report.parent, report.source
    chosen = next((one for one in report.measured if one.status == "chosen"), None)
    name = UNKNOWN if parent is None else f"{parent.name} version {parent.version}"
    if chosen is None:
        sentence = "No candidate is within the tolerance and fast enough: nothing takes the model's place."
    else:
        sentence = (
            f"{chosen.name} predicts {_times(chosen.speedup)} as many rows per second as the model by its own runtime."
        )
    return PageHead(
        kind=f"Optimisation for {report.job}",
        title=name,
        sentence=sentence,
        mark="bad" if chosen is None else "good",
        state="Nothing chosen" if chosen is None else f"Chosen: {chosen.name}",
        warnings=report.warnings,
        facts=(
            Fact("Rows", number_text(report.rows), "of the source, predicted by each"),
            Fact("Rows per batch", number_text(report.batch_rows)),
            Fact("Threads", number_text(report.cores)),
            Fact("Speed-up", _times(chosen.speedup) if chosen else UNKNOWN, "over its own runtime"),
            Fact("Over MLflow's pyfunc", _times(chosen.speedup_over_pyfunc) if chosen else UNKNOWN),
            Fact("Size", _size(chosen.bytes) if chosen else UNKNOWN, f"the model: {_size(_parent_bytes(report))}"),
        ),
        small="" if source is None else f"source {source.table} version {source.version}",
    )


def _speed_section(report: OptimizationReport, timed: Sequence[MeasuredModel]) -> Section:
    if not timed:
        return Section("Speed", "Nothing was measured.")
    rates = [
        RangeRow(
            one.name, rate_text(one.speed.rows_per_second), one.speed.rows_per_second, one.speed.rows_per_second_range
        )
        for one in timed
        if one.speed is not None
    ]
    sizes = [BarRow(one.name, _size(one.bytes), float(one.bytes or 0), one.status == "chosen") for one in timed]
    head = ("Model", "Rows per second", "Speed-up", "Over pyfunc", "Batch, p50", "Batch, p99", "Load", "Size")
    table = PageTable("Speed", head, tuple(map(_speed_row, timed)), numbers=tuple(range(1, len(head))))
    return Section(
        "Speed",
        "From Arrow columns to predictions, as in a run; all in the same rounds, each round in another order.",
        figures=(
            Figure(
                "Rows per second",
                range_chart(rates),
                "The median of the rounds; the line is from the slowest to the fastest.",
            ),
            Figure("Size", bar_chart(sizes), "Bytes of the model's files."),
        ),
        tables=(table,),
    )


def _speed_row(one: MeasuredModel) -> tuple[Cell, ...]:
    speed = one.speed
    assert speed is not None  # noqa: S101  the rows are of what was measured
    least, most = one.speedup_range or (0.0, 0.0)
    return (
        Cell(one.name, "good" if one.status == "chosen" else ""),
        Cell(number_text(speed.rows_per_second)),
        Cell(f"{_times(one.speedup)} ({least:.2f} to {most:.2f})"),
        Cell(_times(one.speedup_over_pyfunc)),
        Cell(f"{speed.p50_ms:.3g} ms"),
        Cell(f"{speed.p99_ms:.3g} ms"),
        Cell(f"{speed.load_seconds:.3g} s"),
        Cell(_size(one.bytes)),
    )


def _agreement_section(report: OptimizationReport, tolerance: Mapping[str, float]) -> Section:
    rows = [one for one in report.measured if one.status != "parent" or one.agreement is not None]
    head = ("Model", "Outcome", "Greatest difference", "Mean difference", "Other labels", "ROC AUC", "Why")
    limits = ", ".join(f"{name.replace('_', ' ')} {value:g}" for name, value in tolerance.items())
    table = PageTable(
        "Agreement", head, tuple(map(_agreement_row, rows)), f"Tolerance: {limits}.", numbers=(2, 3, 4, 5)
    )
    return Section(
        "Agreement with the model",
        f"Predictions for the same {count_text(report.rows, 'row')}, beside those of the model by its own runtime.",
        tables=(table,),
    )


def _agreement_row(one: MeasuredModel) -> tuple[Cell, ...]:
    found = one.agreement
    outcome = Cell(_WORDS[one.status], _MARKS.get(one.status, ""))  # type: ignore[arg-type]  # of these words
    if found is None:
        return (Cell(one.name), outcome, *[Cell(UNKNOWN)] * 4, Cell(one.reason))
    flips = f"{found.flips:,} ({share_text(found.flip_ratio)})" if found.flips else "0"
    return (
        Cell(one.name),
        outcome,
        Cell(_difference(found.max_difference)),
        Cell(_difference(found.mean_difference)),
        Cell(flips),
        Cell(UNKNOWN if found.auc is None else f"{found.auc:.4f}"),
        Cell(one.reason),
    )


def _difference(value: float | None) -> str:
    return UNKNOWN if value is None else f"{value:.2g}"


def _times(value: float | None) -> str:
    return UNKNOWN if value is None else f"{value:.2f}×"


def _size(size: int | None) -> str:
    if size is None:
        return UNKNOWN
    return f"{size / 1e6:.1f} MB" if size >= 1_000_000 else f"{size / 1e3:.1f} kB"


def _parent_bytes(report: OptimizationReport) -> int | None:
    return next((one.bytes for one in report.measured if one.status == "parent"), None)
