"""Pictures of one run: lists of bars, pairs of dots, histograms and small ones of a column's bins."""

from collections.abc import Sequence
from dataclasses import dataclass

from sparkscore.monitor.report.bins import HistogramBin
from sparkscore.monitor.report.drawing import (
    AXIS_FONT,
    BLUE,
    CHART_WIDTH,
    GRID,
    INK,
    QUIET,
    SKY,
    SMALL_CHART_WIDTH,
    TRACK,
    VERMILION,
    LinearScale,
    TextStyle,
    dot,
    nice_ticks,
    polyline,
    rectangle,
    segment,
    svg,
    tick_text,
    words,
)
from sparkscore.monitor.report.text_formats import share_text, shorten_name

_ROW_LETTERS = 52
"""Greatest number of characters of a name and the text at its right together."""
_ROW_HEIGHT, _SMALL_ROW_HEIGHT, _HISTOGRAM_HEIGHT = 38, 21, 190


@dataclass(frozen=True, slots=True)
class BarRow:
    """One line of a list of bars: a name, the text at its right, the bar's length, whether it stands out."""

    label: str
    text: str
    value: float
    is_highlighted: bool = False


@dataclass(frozen=True, slots=True)
class DotPair:
    """Something that has one value in this run and had another in the run before."""

    label: str
    text: str
    current: float
    previous: float


def bar_chart(rows: Sequence[BarRow]) -> str:
    """A bar per row, below its name; of a row that stands out in another colour, with its text in bold."""
    scale = LinearScale(0, max((row.value for row in rows), default=0) or 1, 0, CHART_WIDTH)
    marks = []
    for index, row in enumerate(rows):
        top = index * _ROW_HEIGHT
        colour = VERMILION if row.is_highlighted else BLUE
        marks += _label_row(row.label, row.text, top, is_bold=row.is_highlighted)
        marks += [
            rectangle(0, top + 24.5, CHART_WIDTH, 7, TRACK),
            rectangle(0, top + 24.5, scale(row.value), 7, colour),
        ]
    return svg(CHART_WIDTH, len(rows) * _ROW_HEIGHT, marks)


def dot_pair_chart(rows: Sequence[DotPair]) -> str:
    """Two dots per row on one scale: filled for this run, open for the run before."""
    values = [value for row in rows for value in (row.current, row.previous)]
    padding = (max(values) - min(values)) * 0.03 or 1
    scale = LinearScale(min(values) - padding, max(values) + padding, 0, CHART_WIDTH)
    marks = []
    for index, row in enumerate(rows):
        top, current, previous = index * _ROW_HEIGHT, scale(row.current), scale(row.previous)
        level = top + 28
        marks += _label_row(row.label, row.text, top)
        marks += [rectangle(0, level - 0.5, CHART_WIDTH, 1, TRACK)]
        marks += [segment((current, level), (previous, level), BLUE, 2)]
        marks += [dot(previous, level, 4.2, "#fff", INK), dot(current, level, 4.7, BLUE)]
    return svg(CHART_WIDTH, len(rows) * _ROW_HEIGHT, marks)


def histogram_chart(bins: Sequence[HistogramBin]) -> str:
    """Filled bars for this run, a dashed line in steps for the last run."""
    previous = [one.previous for one in bins if one.previous is not None]
    highest = max(*(one.current for one in bins), *previous, 1e-9)
    x = LinearScale(bins[0].low, bins[-1].high, 36, CHART_WIDTH - 4)
    y = LinearScale(0, highest, _HISTOGRAM_HEIGHT - 24, 8)
    marks = [*_share_axis(y, highest), *_value_axis(x)]
    for one in bins:
        bar = rectangle(x(one.low) + 0.25, y(one.current), x(one.high) - x(one.low) - 0.5, y(0) - y(one.current), SKY)
        marks.append(bar)
    if len(previous) == len(bins):
        steps = [(x(end), y(share)) for one, share in zip(bins, previous, strict=True) for end in (one.low, one.high)]
        marks.append(polyline(steps, INK, dash="5 3"))
    return svg(CHART_WIDTH, _HISTOGRAM_HEIGHT, marks)


def share_chart(
    names: Sequence[str], current: Sequence[float], previous: Sequence[float] | None, *, is_highlighted: bool = False
) -> str:
    """A small picture: per name a bar for its share in this run, a mark where it was before."""
    scale = LinearScale(0, max(*current, *(previous or ()), 1e-9), 118, SMALL_CHART_WIDTH - 44)
    colour = VERMILION if is_highlighted else SKY
    label, right = TextStyle(12, QUIET, "end"), TextStyle(12, anchor="end")
    marks = []
    for index, (name, share) in enumerate(zip(names, current, strict=True)):
        top = index * _SMALL_ROW_HEIGHT
        marks += [words(110, top + 14.5, shorten_name(name, 17), label)]
        marks += [words(SMALL_CHART_WIDTH, top + 14.5, share_text(share), right)]
        marks += [rectangle(118, top + 5, scale(share) - 118, 11, colour)]
        if previous:
            marks.append(rectangle(scale(previous[index]) - 1.25, top + 2, 2.5, 17, INK))
    return svg(SMALL_CHART_WIDTH, len(names) * _SMALL_ROW_HEIGHT, marks)


def _label_row(label: str, text: str, top: float, *, is_bold: bool = False) -> list[str]:
    left, right = TextStyle(bold=is_bold), TextStyle(anchor="end", bold=is_bold)
    name = shorten_name(label, _ROW_LETTERS - len(text))
    return [words(0, top + 18, name, left), words(CHART_WIDTH, top + 18, text, right)]


def _share_axis(y: LinearScale, highest: float) -> list[str]:
    marks = []
    for tick in nice_ticks(0, highest, 3):
        level = y(tick)
        marks += [segment((36, level), (CHART_WIDTH - 4, level), GRID)]
        marks += [words(30, level + 4.5, share_text(tick), TextStyle(AXIS_FONT, QUIET, "end"))]
    return marks


def _value_axis(x: LinearScale) -> list[str]:
    ticks = nice_ticks(x.low, x.high, 6)
    style = TextStyle(AXIS_FONT, QUIET, "middle")
    return [words(x(tick), _HISTOGRAM_HEIGHT - 6, tick_text(tick, ticks), style) for tick in ticks]
