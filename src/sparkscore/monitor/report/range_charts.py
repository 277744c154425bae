"""A picture of values with their spread: a bar to the median, a line from the least to the greatest."""

from collections.abc import Sequence
from dataclasses import dataclass

from sparkscore.monitor.report.drawing import (
    BLUE,
    CHART_WIDTH,
    INK,
    TRACK,
    LinearScale,
    TextStyle,
    rectangle,
    segment,
    svg,
    words,
)
from sparkscore.monitor.report.text_formats import shorten_name

_HEIGHT = 42


@dataclass(frozen=True, slots=True)
class RangeRow:
    """One line: a name, the text at its right, the median, and the least and greatest value."""

    label: str
    text: str
    value: float
    ends: tuple[float, float]


def range_chart(rows: Sequence[RangeRow]) -> str:
    """A bar per row below its name, with a line for the spread."""
    scale = LinearScale(0, max((row.ends[1] for row in rows), default=0) or 1, 0, CHART_WIDTH)
    marks = []
    for index, row in enumerate(rows):
        top = index * _HEIGHT
        low, high = map(scale, row.ends)
        marks += [words(0, top + 18, shorten_name(row.label, 30), TextStyle())]
        marks += [words(CHART_WIDTH, top + 18, row.text, TextStyle(anchor="end"))]
        marks += [rectangle(0, top + 25, CHART_WIDTH, 7, TRACK), rectangle(0, top + 25, scale(row.value), 7, BLUE)]
        marks += [segment((low, top + 35.5), (high, top + 35.5), INK, 1.5)]
        marks += [segment((x, top + 33), (x, top + 38), INK, 1.5) for x in (low, high)]
    return svg(CHART_WIDTH, len(rows) * _HEIGHT, marks)
