"""How a number changes from run to run."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from sparkscore.monitor.report.drawing import BLUE, INK, QUIET, VERMILION, WIDTH, render_svg
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
    here: bool = False


def trend_chart(moments: Sequence[TrendPoint], lost: Sequence[datetime] = ()) -> str:
    """A line over as_of with a dot per run, the page's own run larger and named; crosses where attempts were lost."""
    import altair as alt

    times = [*(one.as_of for one in moments), *lost]
    told = [{"at": to_utc_text(one.as_of), "value": one.value, "text": one.text, "here": one.here} for one in moments]
    base = alt.Chart(alt.InlineData(told), width=WIDTH, height=150)
    greatest = max((one.value for one in moments), default=0) or 1
    x, y = _time_axis(times), _value_axis(greatest * 1.2)
    here, words = (
        base.transform_filter("datum.here"),
        {"align": _label_align(moments), "dy": _label_offset(moments), "fontWeight": 700},
    )
    layers = [
        base.mark_line(color=BLUE, strokeWidth=1.8).encode(x=x, y=y),
        base.mark_point(filled=True, opacity=1, color=BLUE, size=alt.ExprRef("datum.here ? 110 : 22")).encode(x=x, y=y),
        # the white one behind keeps the words apart from the line
        *(
            here.mark_text(**words, **look).encode(x=x, y=y, text=alt.Text("text:N"))
            for look in (_HALO, {"color": INK})
        ),
    ]
    crosses = alt.Chart(alt.InlineData([{"at": to_utc_text(at), "value": 0} for at in lost]))
    cross = crosses.mark_text(text="✕", fontSize=13, fontWeight=700, color=VERMILION, dy=-2, baseline="bottom")
    return render_svg(alt.layer(*layers, *([cross.encode(x=x, y=y)] if lost else [])), autosize="fit")


def _time_axis(times: Sequence[datetime]) -> "alt.X":
    """The moments, with a tick at a few of them: Vega's own ticks are at midnights and months."""
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


def _value_axis(greatest: float) -> "alt.Y":
    import altair as alt

    return alt.Y(
        "value:Q",
        scale=alt.Scale(domain=[0, greatest], nice=False),
        axis=alt.Axis(labelExpr="format(datum.value, '~s')", tickCount=3, minExtent=34, maxExtent=34),
    )


def _label_align(moments: Sequence[TrendPoint]) -> Any:
    """Where the named run's words fit: they must not leave the picture at its ends."""
    at = next((at for at, one in enumerate(moments) if one.here), 0)
    place = at / max(len(moments) - 1, 1) if len(moments) > 1 else 0.5
    return "right" if place > 0.75 else "left" if place < 0.25 else "center"


def _label_offset(moments: Sequence[TrendPoint]) -> int:
    """Pixels below the dot: the line comes from above where the number fell, else from below."""
    at = next((at for at, one in enumerate(moments) if one.here), 0)
    fell = at > 0 and moments[at - 1].value > moments[at].value > 0
    return 18 if fell else -15


_DAY = timedelta(days=1)
_HALO = {"stroke": "white", "strokeWidth": 5, "strokeJoin": "round"}


def _to_epoch_millis(at: datetime) -> int:
    return round(at.timestamp() * 1000)
