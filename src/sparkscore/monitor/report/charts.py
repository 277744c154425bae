"""Pictures of one run: lists of bars, pairs of dots, histograms and small ones of a column's bins."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from sparkscore.monitor.report.bins import HistogramBin
from sparkscore.monitor.report.drawing import BLUE, INK, QUIET, SKY, SMALL, TRACK, VERMILION, WIDTH, render_svg
from sparkscore.monitor.report.words import share_text, shorten_name

if TYPE_CHECKING:
    import altair as alt

_ROW_LETTERS = 52
"""Greatest number of characters of a name and the text at its right together."""


@dataclass(frozen=True, slots=True)
class BarRow:
    """One line of a list of bars: a name, what is told of it at the right, the bar's length, whether it stands out."""

    label: str
    text: str
    value: float
    strong: bool = False


@dataclass(frozen=True, slots=True)
class DotPair:
    """Something that has one value now and had another then."""

    label: str
    text: str
    now: float
    then: float


def bar_chart(rows: Sequence[BarRow]) -> str:
    """A bar per row, below its name; of a row that stands out in another colour, with its words in bold."""
    import altair as alt

    greatest = max((row.value for row in rows), default=0) or 1
    base = _row_chart(rows)
    length = alt.X("value:Q", axis=None, scale=alt.Scale(domain=[0, greatest], range=[0, WIDTH]))
    colour = alt.ExprRef(f"datum.strong ? '{VERMILION}' : '{BLUE}'")
    bar = base.mark_bar(height=7, yOffset=9, color=colour).encode(x=length)
    return render_svg(alt.layer(_track_mark(base), bar, *_label_marks(base)), autosize="none")


def dot_pair_chart(rows: Sequence[DotPair]) -> str:
    """Two dots per row on one scale: filled for now, open for then."""
    import altair as alt

    values = [value for row in rows for value in (row.now, row.then)]
    room = (max(values) - min(values)) * 0.03 or 1
    scale = alt.Scale(domain=[min(values) - room, max(values) + room], range=[0, WIDTH])
    base = _row_chart(rows)
    now, then = (alt.X(f"{name}:Q", axis=None, scale=scale) for name in ("now", "then"))
    between = base.mark_rule(strokeWidth=2, color=BLUE, yOffset=9).encode(x=now, x2=alt.X2("then:Q"))
    filled = base.mark_point(filled=True, opacity=1, size=85, color=BLUE, yOffset=9).encode(x=now)
    opened = base.mark_point(filled=True, opacity=1, size=70, yOffset=9, fill="white", stroke=INK).encode(x=then)
    return render_svg(
        alt.layer(_track_mark(base, height=1), between, opened, filled, *_label_marks(base)), autosize="none"
    )


def histogram_chart(bins: Sequence[HistogramBin]) -> str:
    """Filled bars for now, a dashed line in steps for the last run."""
    import altair as alt

    told = [asdict(one) for one in bins]
    base = alt.Chart(alt.InlineData(told), width=WIDTH, height=190)
    x = alt.X("low:Q", scale=alt.Scale(nice=False), axis=alt.Axis(grid=False, tickCount=6, labelFlush=True))
    y = alt.Y("now:Q", axis=alt.Axis(format=".0%", tickCount=3), scale=alt.Scale(domainMin=0))
    layers: list[alt.Chart] = [
        base.mark_rect(color=SKY, stroke="white", strokeWidth=0.5).encode(
            x=x, x2=alt.X2("high:Q"), y=y, y2=alt.Y2Datum(0)
        )
    ]
    if bins and bins[-1].then is not None:
        steps = [*told, told[-1] | {"low": bins[-1].high}]
        line = alt.Chart(alt.InlineData(steps)).mark_line(
            interpolate="step-after", color=INK, strokeWidth=1.8, strokeDash=[5, 3]
        )
        layers.append(line.encode(x=alt.X("low:Q"), y=alt.Y("then:Q")))
    return render_svg(alt.layer(*layers), autosize="fit")


def share_chart(
    names: Sequence[str], now: Sequence[float], then: Sequence[float] | None, *, strong: bool = False
) -> str:
    """A small picture: per name a bar for its share now, a mark where it was then."""
    import altair as alt

    greatest = max(*now, *(then or ()), 1e-9)
    before: Sequence[float | None] = then or [None] * len(now)
    told = [
        {"at": at, "label": shorten_name(name, 17), "now": mine, "then": other, "text": share_text(mine)}
        for at, (name, mine, other) in enumerate(zip(names, now, before, strict=True))
    ]
    y = alt.Y("at:O", axis=None, scale=alt.Scale(padding=0))
    base = alt.Chart(alt.InlineData(told), width=SMALL, height=alt.Step(21)).encode(y=y)
    scale = alt.Scale(domain=[0, greatest], range=[118, SMALL - 44])
    label = base.mark_text(align="right", fontSize=12, color=QUIET).encode(x=alt.XValue(110), text=alt.Text("label:N"))
    text = base.mark_text(align="right", fontSize=12).encode(x=alt.XValue(SMALL), text=alt.Text("text:N"))
    bar = base.mark_bar(height=11, color=VERMILION if strong else SKY).encode(
        x=alt.X("now:Q", axis=None, scale=scale), x2=alt.X2Datum(0)
    )
    mark = base.mark_tick(thickness=2.5, size=17, color=INK, opacity=1).encode(
        x=alt.X("then:Q", axis=None, scale=scale)
    )
    return render_svg(alt.layer(label, text, bar, *([mark] if then else [])), autosize="none")


def _row_chart(rows: Sequence[BarRow | DotPair]) -> "alt.Chart":
    import altair as alt

    told = [_row_datum(at, row) for at, row in enumerate(rows)]
    y = alt.Y("at:O", axis=None, scale=alt.Scale(padding=0))
    return alt.Chart(alt.InlineData(told), width=WIDTH, height=alt.Step(38)).encode(y=y)


def _row_datum(at: int, row: BarRow | DotPair) -> dict[str, object]:
    return asdict(row) | {"at": at, "label": shorten_name(row.label, _ROW_LETTERS - len(row.text))}


def _label_marks(base: "alt.Chart") -> "tuple[alt.Chart, alt.Chart]":
    import altair as alt

    bold = alt.ExprRef("datum.strong ? 700 : 400")
    label = base.mark_text(align="left", dy=-5, fontWeight=bold).encode(x=alt.XValue(0), text=alt.Text("label:N"))
    return label, base.mark_text(align="right", dy=-5, fontWeight=bold).encode(
        x=alt.XValue(WIDTH), text=alt.Text("text:N")
    )


def _track_mark(base: "alt.Chart", height: int = 7) -> "alt.Chart":
    import altair as alt

    return base.mark_bar(height=height, yOffset=9, color=TRACK).encode(x=alt.XValue(0), x2=alt.X2Value(WIDTH))
