"""Draws pictures as SVG text, offline: altair describes them, vl-convert draws them. No scripts, no fonts, no ids.

Each has a fixed width, for a phone, and scales with its place. Colours are of Okabe and Ito's palette, which the
colour-blind can tell apart, and none of them is alone: words, dashes or shapes say the same.
"""

import re
from importlib.util import find_spec
from typing import TYPE_CHECKING, Literal

from sparkscore.errors import ConfigError

if TYPE_CHECKING:
    import altair as alt

CHART_WIDTH, SMALL_CHART_WIDTH = 440, 300
BLUE, SKY, VERMILION, INK, QUIET, TRACK = "#0072B2", "#56B4E9", "#D55E00", "#1a1a1a", "#595959", "#ececec"
_AXIS = {
    "domain": False,
    "gridColor": "#e6e6e6",
    "labelColor": QUIET,
    "labelFontSize": 13,
    "labelPadding": 6,
    "ticks": False,
    "title": None,
}
_CONFIG = {
    "aria": False,  # the page says in words what a picture shows
    "axis": _AXIS,
    "background": None,
    "padding": 0,
    "text": {"color": INK, "fontSize": 14},
    "view": {"stroke": None},
}


def require_report_extra() -> None:
    """Refuse to write a report if the libraries that draw its pictures are not installed. Imports nothing.

    Raises:  ConfigError that names the extra.
    """
    missing = [name for name in ("altair", "vl_convert") if find_spec(name) is None]
    if missing:
        raise ConfigError(
            f'reports need {" and ".join(missing)}, not installed here: pip install "sparkscore[report]"',
            "the extra report, which draws the reports of runs and jobs",
            "install it, or set monitor.report: false",
        )


def render_svg(chart: "alt.Chart | alt.LayerChart", *, autosize: Literal["none", "fit"]) -> str:
    """The SVG element. Its texts are escaped by Vega; nothing in it is fetched."""
    import vl_convert

    spec = chart.to_dict(validate=False) | {"autosize": {"type": autosize, "contains": "padding"}}
    picture = str(vl_convert.vegalite_to_svg(spec, config=_CONFIG, allowed_base_urls=[]))
    # inside HTML the name spaces are known, and without a size of its own the picture takes its place's
    return re.sub(r'^<svg [^>]*?(viewBox="[^"]*")', r"<svg \1", picture, count=1)
