"""Realised performance in a table for a terminal: the newest windows of an evaluation."""

from collections.abc import Sequence

from rich.table import Table

from sparkscore.monitor.quality.decay import BEST_WINDOW, VALIDATION
from sparkscore.records import (
    METRICS_BY_NAME,
    QUALITY_METRICS,
    EvaluatedWindow,
    EvaluationReport,
    Measure,
    PerformanceRow,
)

SHOWN_METRICS = 7
"""Columns of metrics: more do not fit a terminal."""


def performance_table(report: EvaluationReport) -> Table:
    """The windows of a result, one line each."""
    words = {
        "evaluated": f"{report.windows_evaluated:,} windows evaluated, {report.windows_unchanged:,} unchanged",
        "nothing_new": "no new truth: nothing done",
        "nothing_published": "nothing is published yet",
    }.get(report.status, report.status)
    table = Table(box=None, pad_edge=False, caption=_caption(report, words), caption_justify="left")
    names = _shown_names(report.windows)
    for name in ("window", "version", "rows", "with truth"):
        table.add_column(name, justify="left" if name == "window" else "right", no_wrap=True)
    for name in names:
        table.add_column(METRICS_BY_NAME[name].text, justify="right")
    table.add_column("worse than")
    for one in report.windows:
        table.add_row(*_window_cells(one), *(_number(one.metrics.get(name)) for name in names), _decay_text(one))
    return table


def slice_table(rows: Sequence[PerformanceRow]) -> Table:
    """Slices of one window, one line each, with the interval of the first metric."""
    table = Table(box=None, pad_edge=False)
    names = [
        metric.name for metric in QUALITY_METRICS if any(row.quality.value(metric.name) is not None for row in rows)
    ]
    shown = names[:SHOWN_METRICS]
    for title in ("rows of", "", "rows", "with truth"):
        table.add_column(title, justify="left" if title in ("rows of", "") else "right")
    for index, name in enumerate(shown):
        table.add_column(METRICS_BY_NAME[name].text, justify="right")
        if index == 0:
            table.add_column("95 %", justify="right")
    for row in rows:
        values = [_number(row.quality.value(name)) for name in shown]
        interval = _interval_text(row.quality.measures.get(shown[0])) if shown else ""
        cells = [values[0], interval, *values[1:]] if values else []
        table.add_row(
            row.slice_key or "all", row.slice_value or "", f"{row.rows:,}", _share(row.labelled_share), *cells
        )
    return table


def _caption(report: EvaluationReport, words: str) -> str:
    lines = [words]
    found = report.labels
    if found is not None and report.status == "evaluated":
        parts = [f"{found.rows:,} truths read"]
        for name, text in (
            ("nulls", "without a value"),
            ("invalid", "of no known value"),
            ("of_future", "of the future"),
            ("outdated", "superseded"),
            ("conflicting", "in conflict"),
            ("unmatched", "for what was never scored"),
        ):
            count = getattr(found, name)
            parts += [f"{count:,} {text}"] if count else []
        lines.append(", ".join(parts))
    return "\n".join([*lines, *(f"broken: {text}" for text in report.failed)])


def _shown_names(windows: Sequence[EvaluatedWindow]) -> list[str]:
    known = {name for one in windows for name in one.metrics}
    return [metric.name for metric in QUALITY_METRICS if metric.name in known][:SHOWN_METRICS]


def _window_cells(one: EvaluatedWindow) -> tuple[str, ...]:
    start = one.start.removesuffix("T00:00:00Z")
    share = one.labelled_rows / one.rows if one.rows else None
    return f"{start} {one.granularity}", one.model_version, f"{one.rows:,}", _share(share)


def _decay_text(one: EvaluatedWindow) -> str:
    """The first metric with a decay, against each reference: `validation -2.1 %`."""
    shown = {VALIDATION: "validation", BEST_WINDOW: "best"}
    first = next((found.metric for found in one.decay), None)
    parts = (f"{shown[found.against]} {found.loss:+.1%}" for found in one.decay if found.metric == first)
    return ", ".join(parts)


def _interval_text(measure: Measure | None) -> str:
    if measure is None or measure.low is None or measure.high is None:
        return ""
    return f"{measure.low:.3f} to {measure.high:.3f}"


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}" if abs(value) < 1000 else f"{value:,.0f}"


def _share(value: float | None) -> str:
    return "" if value is None else f"{value:.1%}"
