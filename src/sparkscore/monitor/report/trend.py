"""How a number changes from run to run."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sparkscore.monitor.report.drawing import (
    AXIS_FONT,
    BLUE,
    CHART_WIDTH,
    GRID,
    QUIET,
    VERMILION,
    LinearScale,
    TextAnchor,
    TextStyle,
    dot,
    nice_ticks,
    polyline,
    segment,
    svg,
    tick_text,
    words,
)

_HEIGHT, _LEFT, _RIGHT, _BOTTOM = 150, 44, CHART_WIDTH - 7, 126
_BELOW = 22
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


@dataclass(frozen=True, slots=True)
class TrendPoint:
    """One run in a trend."""

    as_of: datetime
    value: float
    text: str
    """The value as text, shown next to the run of this report."""
    is_current: bool = False


def trend_chart(points: Sequence[TrendPoint], lost: Sequence[datetime] = ()) -> str:
    """A line over as_of with a dot per run, the page's own run larger and named; crosses where attempts were lost."""
    times = [*(one.as_of for one in points), *lost]
    x = LinearScale(min(times).timestamp(), max(times).timestamp(), _LEFT + 7, _RIGHT)
    y = LinearScale(0, (max((one.value for one in points), default=0) or 1) * 1.2, _BOTTOM, 4)
    places = [(x(one.as_of.timestamp()), y(one.value)) for one in points]
    marks = [*_number_axis(y), *time_axis(x, times, _HEIGHT), polyline(places, BLUE)]
    marks += [dot(*at, 5.9 if one.is_current else 2.6, BLUE) for one, at in zip(points, places, strict=True)]
    label = TextStyle(anchor=_label_anchor(points), bold=True, halo=True)
    for index, (one, at) in enumerate(zip(points, places, strict=True)):
        if one.is_current:
            marks.append(words(at[0], at[1] + _label_offset(points, index, at[1]), one.text, label))
    cross = TextStyle(AXIS_FONT, VERMILION, "middle", bold=True)
    marks += [words(x(at.timestamp()), _BOTTOM - 3, "✕", cross) for at in lost]
    return svg(CHART_WIDTH, _HEIGHT, marks)


def _number_axis(y: LinearScale) -> list[str]:
    marks, ticks = [], nice_ticks(0, y.high, 3)
    for tick in ticks:
        marks += [segment((_LEFT, y(tick)), (_RIGHT, y(tick)), GRID)]
        marks += [words(_LEFT - 8, y(tick) + 4.5, tick_text(tick, ticks), TextStyle(AXIS_FONT, QUIET, "end"))]
    return marks


def time_axis(x: LinearScale, times: Sequence[datetime], height: float) -> list[str]:
    """The first moment, the last and the middle: ticks at midnights and months say less of runs."""
    first, last = min(times), max(times)
    is_hourly = last - first < timedelta(days=3) and any((at.hour, at.minute) != (0, 0) for at in times)
    moments: list[tuple[datetime, TextAnchor]] = [
        (first, "start"),
        (first + (last - first) / 2, "middle"),
        (last, "end"),
    ]
    shown: list[tuple[datetime, TextAnchor]] = moments if first != last else [(first, "middle")]
    return [
        words(x(at.timestamp()), height - 6, _moment_text(at, is_hourly=is_hourly), TextStyle(AXIS_FONT, QUIET, anchor))
        for at, anchor in shown
    ]


def _moment_text(at: datetime, *, is_hourly: bool) -> str:
    day = f"{_MONTHS[at.month - 1]} {at.day}"
    return f"{day}, {at:%H:%M}" if is_hourly else f"{day}, {at.year}"


def _label_anchor(points: Sequence[TrendPoint]) -> TextAnchor:
    """Where the label of the current run fits: it must not leave the picture at its ends."""
    at = next((at for at, one in enumerate(points) if one.is_current), 0)
    position = at / max(len(points) - 1, 1) if len(points) > 1 else 0.5
    return "end" if position > 0.75 else "start" if position < 0.25 else "middle"


def _label_offset(points: Sequence[TrendPoint], at: int, height: float) -> int:
    """Pixels below the dot: the line comes from above where the number fell, else from below; never on the dates."""
    has_fallen = at > 0 and points[at - 1].value > points[at].value
    return _BELOW if has_fallen and height + _BELOW <= _BOTTOM else -11
