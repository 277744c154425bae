"""Pictures of realised performance: a metric over windows, a line for each model version; a calibration curve."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sparkscore.monitor.report.drawing import (
    AXIS_FONT,
    BLUE,
    CHART_WIDTH,
    GRID,
    INK,
    QUIET,
    SKY,
    VERMILION,
    LinearScale,
    TextStyle,
    dot,
    nice_ticks,
    polyline,
    segment,
    svg,
    tick_text,
    words,
)
from sparkscore.monitor.report.trend import time_axis
from sparkscore.records import CalibrationBin

_HEIGHT, _LEFT, _RIGHT, _BOTTOM = 190, 44, CHART_WIDTH - 40, 166
_SIDE = 230
_LINES = ((BLUE, ""), (VERMILION, "6 3"), (SKY, "2 3"), (INK, "8 3 2 3"))
"""Colour and dashes of the versions, in turn: neither is alone."""


@dataclass(frozen=True, slots=True)
class WindowPoint:
    """A metric in one window of one model version."""

    start: datetime
    version: str
    value: float
    low: float | None = None
    high: float | None = None


def version_chart(points: Sequence[WindowPoint]) -> str:
    """A line per model version over windows, named at its end, with an upright line for each confidence interval."""
    ends = [end for one in points for end in (one.low, one.high, one.value) if end is not None]
    padding = (max(ends) - min(ends)) * 0.08 or 0.01
    times = [one.start for one in points]
    x = LinearScale(min(times).timestamp(), max(times).timestamp(), _LEFT + 7, _RIGHT)
    y = LinearScale(min(ends) - padding, max(ends) + padding, _BOTTOM, 6)
    marks = [*_value_grid(y), *time_axis(x, times, _HEIGHT)]
    for index, version in enumerate(dict.fromkeys(one.version for one in points)):
        marks += _version_marks([one for one in points if one.version == version], _LINES[index % len(_LINES)], x, y)
    return svg(CHART_WIDTH, _HEIGHT, marks)


def _version_marks(points: Sequence[WindowPoint], line: tuple[str, str], x: LinearScale, y: LinearScale) -> list[str]:
    colour, dash = line
    places = [(x(one.start.timestamp()), y(one.value)) for one in points]
    marks = [polyline(places, colour, dash=dash)]
    for one, (across, down) in zip(points, places, strict=True):
        if one.low is not None and one.high is not None:
            marks.append(segment((across, y(one.low)), (across, y(one.high)), colour, 1.2))
        marks.append(dot(across, down, 2.8, colour))
    across, down = places[-1]
    marks.append(
        words(across + 6, down + 4.5, f"v{points[-1].version}", TextStyle(AXIS_FONT, colour, bold=True, halo=True))
    )
    return marks


def calibration_chart(bins: Sequence[CalibrationBin]) -> str:
    """The share of positives over the mean probability of each bin, beside the line on which both are equal."""
    x, y = LinearScale(0, 1, 44, 44 + _SIDE), LinearScale(0, 1, _SIDE + 6, 6)
    rows = max(one.count for one in bins)
    quiet = TextStyle(AXIS_FONT, QUIET, "end")
    marks = []
    for tick in (0.0, 0.5, 1.0):
        marks += [segment((x(0), y(tick)), (x(1), y(tick)), GRID), words(36, y(tick) + 4.5, f"{tick:.1f}", quiet)]
        marks += [words(x(tick), _SIDE + 24, f"{tick:.1f}", TextStyle(AXIS_FONT, QUIET, "middle"))]
    marks.append(polyline([(x(0), y(0)), (x(1), y(1))], QUIET, width=1.2, dash="5 3"))
    places = [(x(one.mean_prediction), y(one.positive_share)) for one in bins]
    marks.append(polyline(places, BLUE))
    marks += [dot(*at, 2.5 + 5 * (one.count / rows) ** 0.5, BLUE) for one, at in zip(bins, places, strict=True)]
    return svg(CHART_WIDTH, _SIDE + 30, marks)


def _value_grid(y: LinearScale) -> list[str]:
    marks, ticks = [], nice_ticks(y.low, y.high, 4)
    for tick in ticks:
        marks.append(segment((_LEFT, y(tick)), (_RIGHT, y(tick)), GRID))
        marks.append(words(_LEFT - 8, y(tick) + 4.5, tick_text(tick, ticks), TextStyle(AXIS_FONT, QUIET, "end")))
    return marks
