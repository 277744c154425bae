"""How a number changes from run to run."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from sparkscore.monitor.report.drawing import BLUE, CHART_WIDTH, INK, QUIET, VERMILION, render_svg
from sparkscore.records import to_utc_text

if TYPE_CHECKING:
    import altair as alt


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
    import altair as alt

    times = [*(one.as_of for one in points), *lost]
    data = [
        {"at": to_utc_text(one.as_of), "value": one.value, "text": one.text, "is_current": one.is_current}
        for one in points
    ]
    base = alt.Chart(alt.InlineData(data), width=CHART_WIDTH, height=150)
    max_value = max((one.value for one in points), default=0) or 1
    x, y = _time_axis(times), _value_axis(max_value * 1.2)
    current, style = (
        base.transform_filter("datum.is_current"),
        {"align": _label_align(points), "dy": _label_offset(points), "fontWeight": 700},
    )
    layers = [
        base.mark_line(color=BLUE, strokeWidth=1.8).encode(x=x, y=y),
        base.mark_point(filled=True, opacity=1, color=BLUE, size=alt.ExprRef("datum.is_current ? 110 : 22")).encode(
            x=x, y=y
        ),
        # the white one behind keeps the text apart from the line
        *(
            current.mark_text(**style, **look).encode(x=x, y=y, text=alt.Text("text:N"))
            for look in (_HALO, {"color": INK})
        ),
    ]
    crosses = alt.Chart(alt.InlineData([{"at": to_utc_text(at), "value": 0} for at in lost]))
    cross = crosses.mark_text(text="✕", fontSize=13, fontWeight=700, color=VERMILION, dy=-2, baseline="bottom")
    return render_svg(alt.layer(*layers, *([cross.encode(x=x, y=y)] if lost else [])), autosize="fit")


def _time_axis(times: Sequence[datetime]) -> "alt.X":
    """The points, with a tick at a few of them: Vega's own ticks are at midnights and months."""
    import altair as alt

    first, last = min(times), max(times)
    hourly = last - first < timedelta(days=3) and any((at.hour, at.minute) != (0, 0) for at in times)
    text = "%b %-d, %H:%M" if hourly else "%b %-d, %Y"
    ends: Any = (
        [_to_epoch_millis(first), _to_epoch_millis(last)]
        if first != last
        else [_to_epoch_millis(first - _DAY), _to_epoch_millis(last + _DAY)]
    )
    values: Any = [
        _to_epoch_millis(at) for at in ((first, first + (last - first) / 2, last) if first != last else (first,))
    ]
    axis = alt.Axis(grid=False, values=values, format=text, labelFlush=True, labelColor=QUIET)
    return alt.X("at:T", scale=alt.Scale(type="utc", domain=ends, padding=7), axis=axis)


def _value_axis(max_value: float) -> "alt.Y":
    import altair as alt

    return alt.Y(
        "value:Q",
        scale=alt.Scale(domain=[0, max_value], nice=False),
        axis=alt.Axis(labelExpr="format(datum.value, '~s')", tickCount=3, minExtent=34, maxExtent=34),
    )


def _label_align(points: Sequence[TrendPoint]) -> Any:
    """Where the label of the current run fits: it must not leave the picture at its ends."""
    at = next((at for at, one in enumerate(points) if one.is_current), 0)
    position = at / max(len(points) - 1, 1) if len(points) > 1 else 0.5
    return "right" if position > 0.75 else "left" if position < 0.25 else "center"


def _label_offset(points: Sequence[TrendPoint]) -> int:
    """Pixels below the dot: the line comes from above where the number fell, else from below."""
    at = next((at for at, one in enumerate(points) if one.is_current), 0)
    has_fallen = at > 0 and points[at - 1].value > points[at].value > 0
    return 18 if has_fallen else -15


_DAY = timedelta(days=1)
_HALO = {"stroke": "white", "strokeWidth": 5, "strokeJoin": "round"}


def _to_epoch_millis(at: datetime) -> int:
    return round(at.timestamp() * 1000)
