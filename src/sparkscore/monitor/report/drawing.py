"""Draws pictures as SVG text, from lines, rectangles, dots and words. No scripts, no fonts, no ids.

Each has a fixed width, for a phone, and scales with its place. Colours are of Okabe and Ito's palette, which the
colour-blind can tell apart, and none of them is alone: words, dashes or shapes say the same.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from math import ceil, floor, isfinite, log10
from typing import Literal

CHART_WIDTH, SMALL_CHART_WIDTH = 440, 300
BLUE, SKY, VERMILION, INK, QUIET, TRACK, GRID = (
    "#0072B2",
    "#56B4E9",
    "#D55E00",
    "#1a1a1a",
    "#595959",
    "#ececec",
    "#e6e6e6",
)
AXIS_FONT = 13
_SI_PREFIXES = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))

TextAnchor = Literal["start", "middle", "end"]


@dataclass(frozen=True, slots=True)
class LinearScale:
    """From values to pixels."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        """Where a value lies; the middle where the scale has no extent."""
        extent = self.high - self.low
        share = (value - self.low) / extent if extent else 0.5
        return self.start + share * (self.end - self.start)


def svg(width: float, height: float, marks: Iterable[str]) -> str:
    """The SVG element. Without a size of its own it takes its place's."""
    return f'<svg viewBox="0 0 {_pixels(width)} {_pixels(height)}">{"".join(marks)}</svg>'


def rectangle(x: float, y: float, width: float, height: float, fill: str) -> str:
    """A filled rectangle."""
    size = f'width="{_pixels(max(width, 0.0))}" height="{_pixels(max(height, 0.0))}"'
    return f'<rect x="{_pixels(x)}" y="{_pixels(y)}" {size} fill="{fill}"/>'


def segment(start: tuple[float, float], end: tuple[float, float], stroke: str, width: float = 1.0) -> str:
    """A straight line."""
    ends = f'x1="{_pixels(start[0])}" y1="{_pixels(start[1])}" x2="{_pixels(end[0])}" y2="{_pixels(end[1])}"'
    return f'<line {ends} stroke="{stroke}" stroke-width="{width:g}"/>'


def polyline(points: Sequence[tuple[float, float]], stroke: str, *, width: float = 1.8, dash: str = "") -> str:
    """A line through points."""
    path = " ".join(f"{_pixels(x)},{_pixels(y)}" for x, y in points)
    dashes = f' stroke-dasharray="{dash}"' if dash else ""
    return f'<polyline points="{path}" fill="none" stroke="{stroke}" stroke-width="{width:g}"{dashes}/>'


def dot(x: float, y: float, radius: float, fill: str, stroke: str = "") -> str:
    """A disc, with an edge if it has a stroke."""
    edge = f' stroke="{stroke}" stroke-width="2"' if stroke else ""
    return f'<circle cx="{_pixels(x)}" cy="{_pixels(y)}" r="{radius:g}" fill="{fill}"{edge}/>'


@dataclass(frozen=True, slots=True)
class TextStyle:
    """How words look."""

    size: int = 14
    fill: str = INK
    anchor: TextAnchor = "start"
    bold: bool = False
    halo: bool = False
    """A white edge behind the words keeps them apart from lines."""


def words(x: float, y: float, text: str, style: TextStyle) -> str:
    """Words on a line, escaped; `y` is where they stand."""
    weight = ' font-weight="700"' if style.bold else ""
    halo = ' stroke="#fff" stroke-width="5" stroke-linejoin="round" paint-order="stroke"' if style.halo else ""
    look = f'font-size="{style.size}" fill="{style.fill}" text-anchor="{style.anchor}"{weight}{halo}'
    return f'<text x="{_pixels(x)}" y="{_pixels(y)}" {look}>{escape(text)}</text>'


def nice_ticks(low: float, high: float, most: int) -> list[float]:
    """Round values from low to high, at most so many: 1, 2 or 5 times a power of ten apart."""
    rough = (high - low) / max(most, 1)
    if not rough > 0:
        return [low]
    power = 10.0 ** floor(log10(rough))
    step = next(one * power for one in (1, 2, 5, 10) if one * power >= rough * 0.999)
    return [at * step for at in range(ceil(low / step - 1e-9), floor(high / step + 1e-9) + 1)]


def tick_text(value: float, ticks: Sequence[float]) -> str:
    """A tick's value with as many decimals as tell it from its neighbours; thousands by prefix: `20k`."""
    step = ticks[1] - ticks[0] if len(ticks) > 1 else abs(value)
    for unit, prefix in _SI_PREFIXES:
        if max(abs(one) for one in ticks) >= unit:
            return f"{value / unit:.3g}{prefix}" if value else "0"
    decimals = max(0, -floor(log10(step) + 1e-9)) if step else 0
    return f"{value:.{min(decimals, 12)}f}"


def _pixels(value: float) -> str:
    """What is no number has no place, and is drawn at the edge."""
    return f"{value if isfinite(value) else 0.0:.2f}".rstrip("0").rstrip(".")
