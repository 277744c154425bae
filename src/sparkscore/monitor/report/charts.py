"""Pictures of one run: lists of bars, pairs of dots, histograms and small ones of a column's bins."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from sparkscore.monitor.report.bins import HistogramBin
from sparkscore.monitor.report.drawing import (
    BLUE,
    CHART_WIDTH,
    INK,
    QUIET,
    SKY,
    SMALL_CHART_WIDTH,
    TRACK,
    VERMILION,
    render_svg,
)
from sparkscore.monitor.report.text_formats import share_text, shorten_name

if TYPE_CHECKING:
    import altair as alt

_ROW_LETTERS = 52
"""Greatest number of characters of a name and the text at its right together."""


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
    import altair as alt

    max_value = max((row.value for row in rows), default=0) or 1
    base = _row_chart(rows)
    length = alt.X("value:Q", axis=None, scale=alt.Scale(domain=[0, max_value], range=[0, CHART_WIDTH]))
    colour = alt.ExprRef(f"datum.is_highlighted ? '{VERMILION}' : '{BLUE}'")
    bar = base.mark_bar(height=7, yOffset=9, color=colour).encode(x=length)
    return render_svg(alt.layer(_track_mark(base), bar, *_label_marks(base)), autosize="none")


def dot_pair_chart(rows: Sequence[DotPair]) -> str:
    """Two dots per row on one scale: filled for this run, open for the run before."""
    import altair as alt

    values = [value for row in rows for value in (row.current, row.previous)]
    padding = (max(values) - min(values)) * 0.03 or 1
    scale = alt.Scale(domain=[min(values) - padding, max(values) + padding], range=[0, CHART_WIDTH])
    base = _row_chart(rows)
    current, previous = (alt.X(f"{name}:Q", axis=None, scale=scale) for name in ("current", "previous"))
    between = base.mark_rule(strokeWidth=2, color=BLUE, yOffset=9).encode(x=current, x2=alt.X2("previous:Q"))
    filled = base.mark_point(filled=True, opacity=1, size=85, color=BLUE, yOffset=9).encode(x=current)
    opened = base.mark_point(filled=True, opacity=1, size=70, yOffset=9, fill="white", stroke=INK).encode(x=previous)
    return render_svg(
        alt.layer(_track_mark(base, height=1), between, opened, filled, *_label_marks(base)), autosize="none"
    )


def histogram_chart(bins: Sequence[HistogramBin]) -> str:
    """Filled bars for this run, a dashed line in steps for the last run."""
    import altair as alt

    data = [asdict(one) for one in bins]
    base = alt.Chart(alt.InlineData(data), width=CHART_WIDTH, height=190)
    x = alt.X("low:Q", scale=alt.Scale(nice=False), axis=alt.Axis(grid=False, tickCount=6, labelFlush=True))
    y = alt.Y("current:Q", axis=alt.Axis(format=".0%", tickCount=3), scale=alt.Scale(domainMin=0))
    layers: list[alt.Chart] = [
        base.mark_rect(color=SKY, stroke="white", strokeWidth=0.5).encode(
            x=x, x2=alt.X2("high:Q"), y=y, y2=alt.Y2Datum(0)
        )
    ]
    if bins and bins[-1].previous is not None:
        steps = [*data, data[-1] | {"low": bins[-1].high}]
        line = alt.Chart(alt.InlineData(steps)).mark_line(
            interpolate="step-after", color=INK, strokeWidth=1.8, strokeDash=[5, 3]
        )
        layers.append(line.encode(x=alt.X("low:Q"), y=alt.Y("previous:Q")))
    return render_svg(alt.layer(*layers), autosize="fit")


def share_chart(
    names: Sequence[str], current: Sequence[float], previous: Sequence[float] | None, *, is_highlighted: bool = False
) -> str:
    """A small picture: per name a bar for its share in this run, a mark where it was before."""
    import altair as alt

    max_value = max(*current, *(previous or ()), 1e-9)
    marks: Sequence[float | None] = previous or [None] * len(current)
    data = [
        {"index": index, "label": shorten_name(name, 17), "current": share, "previous": mark, "text": share_text(share)}
        for index, (name, share, mark) in enumerate(zip(names, current, marks, strict=True))
    ]
    y = alt.Y("index:O", axis=None, scale=alt.Scale(padding=0))
    base = alt.Chart(alt.InlineData(data), width=SMALL_CHART_WIDTH, height=alt.Step(21)).encode(y=y)
    scale = alt.Scale(domain=[0, max_value], range=[118, SMALL_CHART_WIDTH - 44])
    label = base.mark_text(align="right", fontSize=12, color=QUIET).encode(x=alt.XValue(110), text=alt.Text("label:N"))
    text = base.mark_text(align="right", fontSize=12).encode(x=alt.XValue(SMALL_CHART_WIDTH), text=alt.Text("text:N"))
    bar = base.mark_bar(height=11, color=VERMILION if is_highlighted else SKY).encode(
        x=alt.X("current:Q", axis=None, scale=scale), x2=alt.X2Datum(0)
    )
    mark = base.mark_tick(thickness=2.5, size=17, color=INK, opacity=1).encode(
        x=alt.X("previous:Q", axis=None, scale=scale)
    )
    return render_svg(alt.layer(label, text, bar, *([mark] if previous else [])), autosize="none")


def _row_chart(rows: Sequence[BarRow | DotPair]) -> "alt.Chart":
    import altair as alt

    data = [_row_datum(index, row) for index, row in enumerate(rows)]
    y = alt.Y("index:O", axis=None, scale=alt.Scale(padding=0))
    return alt.Chart(alt.InlineData(data), width=CHART_WIDTH, height=alt.Step(38)).encode(y=y)


def _row_datum(index: int, row: BarRow | DotPair) -> dict[str, object]:
    return asdict(row) | {"index": index, "label": shorten_name(row.label, _ROW_LETTERS - len(row.text))}


def _label_marks(base: "alt.Chart") -> "tuple[alt.Chart, alt.Chart]":
    import altair as alt

    bold = alt.ExprRef("datum.is_highlighted ? 700 : 400")
    label = base.mark_text(align="left", dy=-5, fontWeight=bold).encode(x=alt.XValue(0), text=alt.Text("label:N"))
    return label, base.mark_text(align="right", dy=-5, fontWeight=bold).encode(
        x=alt.XValue(CHART_WIDTH), text=alt.Text("text:N")
    )


def _track_mark(base: "alt.Chart", height: int = 7) -> "alt.Chart":
    import altair as alt

    return base.mark_bar(height=height, yOffset=9, color=TRACK).encode(x=alt.XValue(0), x2=alt.X2Value(CHART_WIDTH))
