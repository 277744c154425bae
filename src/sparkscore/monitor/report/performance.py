"""How good predictions were, on the page of a job: by window and model version, by segment, and their calibration."""

from collections.abc import Sequence

from sparkscore.monitor.quality.decay import FIRST_METRICS
from sparkscore.monitor.report.page_parts import Cell, Figure, PageTable, Section
from sparkscore.monitor.report.performance_charts import WindowPoint, calibration_chart, version_chart
from sparkscore.monitor.report.text_formats import UNKNOWN, count_text, day_text, number_text, share_text
from sparkscore.records import METRICS_BY_NAME, QUALITY_METRICS, Measure, PerformanceRow, to_utc_text

_SHOWN_WINDOWS, _SHOWN_SLICES, _SHOWN_METRICS, _MANY = 60, 40, 4, 1000


def performance_section(rows: Sequence[PerformanceRow]) -> Section:
    """Curves and tables of the newest windows of the granularity that was evaluated last."""
    newest = max((row.evaluated_at for row in rows if row.evaluated_at), default=None)
    own = next((row.granularity for row in rows if row.evaluated_at == newest), "")
    whole = [row for row in rows if row.is_whole and row.granularity == own]
    known = [row for row in whole if row.quality.count][-_SHOWN_WINDOWS:]
    if not known:
        return Section("Realised performance", "No truth of any prediction is known yet.")
    names = _choose_metrics(known)
    last = known[-1]
    figures = [_metric_figure(names[0], known)] if names else []
    figures += [_calibration_figure(last)] if last.quality.calibration else []
    slices = [
        row
        for row in rows
        if (row.start, row.granularity, row.model_version, row.is_whole) == (last.start, own, last.model_version, False)
    ]
    tables = [_windows_table(whole[-_SHOWN_WINDOWS:], names)]
    tables += [_slices_table(slices, names, last)] if slices else []
    sentence = f"Of the rows of the window of {_window_text(last)}, {share_text(last.labelled_share)} have a truth yet."
    return Section("Realised performance", sentence, figures=tuple(figures), tables=tuple(tables))


def _choose_metrics(rows: Sequence[PerformanceRow]) -> list[str]:
    known = [one.name for one in QUALITY_METRICS if any(row.quality.value(one.name) is not None for row in rows)]
    first = [name for name in FIRST_METRICS.get(rows[-1].problem, ()) if name in known]
    return list(dict.fromkeys([*first, *known]))[:_SHOWN_METRICS]


def _metric_figure(name: str, rows: Sequence[PerformanceRow]) -> Figure:
    measures = [(row, row.quality.measures.get(name)) for row in rows]
    points = [
        WindowPoint(row.start, row.model_version, one.value, one.low, one.high)
        for row, one in measures
        if one is not None and one.value is not None
    ]
    last = rows[-1].quality.measures.get(name)
    text = METRICS_BY_NAME[name].text
    sentence = (
        f"{_measure_text(last)} in the last window, of version {rows[-1].model_version}; lines are intervals of 95 %."
    )
    return Figure(f"{text} by window and model version", version_chart(points), sentence)


def _calibration_figure(row: PerformanceRow) -> Figure:
    error = row.quality.value("ece")
    sentence = (
        f"Share of positives over the predicted probability; the expected calibration error is {number_text(error)}."
        " On the dashed line both are equal; larger dots stand for more rows."
    )
    return Figure(
        f"Calibration in the window of {_window_text(row)}", calibration_chart(row.quality.calibration), sentence
    )


def _windows_table(rows: Sequence[PerformanceRow], names: Sequence[str]) -> PageTable:
    head = ("", "Window", "Version", "Rows", "With truth", *_metric_heads(names), "Why")
    lines = tuple(
        (
            _state_cell(row),
            Cell(_window_text(row)),
            Cell(row.model_version),
            Cell(number_text(row.rows)),
            Cell(share_text(row.labelled_share)),
            *_metric_cells(row, names),
            Cell("; ".join(row.breaches or row.alerts) or row.note),
        )
        for row in reversed(rows)
    )
    numbers = tuple(range(1, 6 + len(names)))
    return PageTable("Windows", head, lines, f"{count_text(len(rows), 'window')}, the newest first.", numbers)


def _metric_heads(names: Sequence[str]) -> list[str]:
    heads = [METRICS_BY_NAME[name].text for name in names]
    return [*heads[:1], "95 %", *heads[1:]]


def _metric_cells(row: PerformanceRow, names: Sequence[str]) -> list[Cell]:
    """The values, and the interval of the first."""
    values = [Cell(_value_text(row.quality.value(name))) for name in names]
    interval = Cell(_ends_text(row.quality.measures.get(names[0])) if names else "")
    return [*values[:1], interval, *values[1:]]


def _slices_table(rows: Sequence[PerformanceRow], names: Sequence[str], last: PerformanceRow) -> PageTable:
    head = ("Segment", "Value", "Rows", "With truth", *_metric_heads(names))
    shown = sorted(rows, key=lambda row: (row.slice_key or "", -row.rows))[:_SHOWN_SLICES]
    lines = tuple(
        (
            Cell(row.slice_key or ""),
            Cell("NULL" if row.slice_value is None else row.slice_value),
            Cell(number_text(row.rows)),
            Cell(share_text(row.labelled_share)),
            *_metric_cells(row, names),
        )
        for row in shown
    )
    left = f" {len(rows) - len(shown):,} more are in the table." if len(rows) > len(shown) else ""
    sentence = f"Those of {_window_text(last)}, version {last.model_version}.{left}"
    return PageTable("Segments", head, lines, sentence, tuple(range(2, 5 + len(names))))


def _state_cell(row: PerformanceRow) -> Cell:
    if row.breaches:
        return Cell("broken", "bad")
    if row.alerts:
        return Cell("alert", "warn")
    return Cell("not judged") if "not judged" in row.note else Cell("within limits", "good")


def _measure_text(measure: Measure | None) -> str:
    if measure is None or measure.value is None:
        return UNKNOWN
    interval = _ends_text(measure)
    return f"{_value_text(measure.value)} ({interval})" if interval != UNKNOWN else _value_text(measure.value)


def _value_text(value: float | None) -> str:
    return UNKNOWN if value is None else f"{value:.3f}" if abs(value) < _MANY else number_text(value)


def _ends_text(measure: Measure | None) -> str:
    if measure is None or measure.low is None or measure.high is None:
        return UNKNOWN
    return f"{_value_text(measure.low)} to {_value_text(measure.high)}"


def _window_text(row: PerformanceRow) -> str:
    return day_text(to_utc_text(row.start))
