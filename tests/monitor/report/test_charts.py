"""Pictures: what lies where, and what is written at their edges."""

import re
from datetime import UTC, datetime, timedelta
from math import inf, nan

import pytest

from sparkscore.monitor.report.bins import HistogramBin
from sparkscore.monitor.report.charts import BarRow, bar_chart, histogram_chart, share_chart
from sparkscore.monitor.report.drawing import BLUE, SKY, VERMILION, nice_ticks, tick_text
from sparkscore.monitor.report.trend import TrendPoint, trend_chart
from tests.monitor.report.pages import tags, words

START = datetime(2013, 12, 9, tzinfo=UTC)


def places(svg: str, tag: str, name: str, **wanted: str) -> list[float]:
    found = [facts for kind, facts in tags(svg) if kind == tag and wanted.items() <= facts.items()]
    return [float(str(facts[name])) for facts in found]


def trend(*values: float) -> str:
    points = [TrendPoint(START + timedelta(days=at), value, f"{value:g}") for at, value in enumerate(values)]
    return trend_chart([*points[:-1], TrendPoint(points[-1].as_of, values[-1], "now", is_current=True)])


def test_a_bar_is_as_long_as_its_share_of_the_longest() -> None:
    picture = bar_chart([BarRow("a", "", 4), BarRow("b", "", 1), BarRow("c", "", 0, is_highlighted=True)])
    assert places(picture, "rect", "width", fill=BLUE) == [440, 110]
    assert places(picture, "rect", "width", fill=VERMILION) == [0]


@pytest.mark.parametrize("value", [nan, inf, -inf])
def test_what_is_no_number_has_no_place_and_stops_nothing(value: float) -> None:
    picture = bar_chart([BarRow("a", "", value), BarRow("b", "", 1)])
    assert not re.search("nan|inf", picture)


def test_a_histogram_covers_its_axis_and_its_highest_bar_the_height() -> None:
    picture = histogram_chart([HistogramBin(0, 1, 0.2, 0.4), HistogramBin(1, 2, 0.8, 0.6)])
    first, last = places(picture, "rect", "x", fill=SKY)
    assert places(picture, "rect", "width", fill=SKY) == [199.5, 199.5]
    assert last == first + 200
    low, high = places(picture, "rect", "height", fill=SKY)
    assert high == pytest.approx(4 * low, abs=0.1)
    assert [tag for tag, _ in tags(picture)].count("polyline") == 1
    assert words(picture) == "0% 50% 0.0 0.5 1.0 1.5 2.0"


def test_a_first_run_has_no_line_of_the_last_one() -> None:
    assert "polyline" not in histogram_chart([HistogramBin(0, 1, 1.0, None)])


def test_shares_of_the_run_before_are_marks() -> None:
    picture = share_chart(["low", "high"], [0.9, 0.1], [0.4, 0.6])
    assert len(places(picture, "rect", "x", width="2.5")) == 2
    assert not places(share_chart(["low"], [1.0], None), "rect", "x", width="2.5")
    assert words(picture) == "low 90% high 10%"


def test_a_trend_goes_from_the_first_run_to_the_last_and_names_its_own() -> None:
    picture = trend(10, 40, 20)
    x, y = places(picture, "circle", "cx"), places(picture, "circle", "cy")
    assert x[0] < x[1] < x[2]
    assert y[1] < y[2] < y[0]
    assert places(picture, "circle", "r") == [2.6, 2.6, 5.9]
    assert words(picture).endswith("Dec 9, 2013 Dec 10, 2013 Dec 11, 2013 now")


def test_one_run_is_in_the_middle() -> None:
    (x,) = places(trend(5), "circle", "cx")
    assert 200 < x < 280


def test_words_are_escaped() -> None:
    picture = bar_chart([BarRow("<script>&", '"<b>', 1)])
    assert "<script" not in picture
    assert "<b>" not in picture
    assert words(picture) == '<script>& "<b>'


@pytest.mark.parametrize(
    ("low", "high", "most", "ticks"),
    [
        (0, 1, 3, [0, 0.5, 1]),
        (0, 0.157, 3, [0, 0.1]),
        (-3, 5, 4, [-2, 0, 2, 4]),
        (0, 26_000, 3, [0, 10_000, 20_000]),
        (7, 7, 3, [7]),
    ],
)
def test_ticks_are_round(low: float, high: float, most: int, ticks: list[float]) -> None:
    assert nice_ticks(low, high, most) == pytest.approx(ticks)


def test_a_tick_has_the_decimals_that_tell_it_from_the_next() -> None:
    assert [tick_text(one, [0, 0.5, 1]) for one in (0, 0.5)] == ["0.0", "0.5"]
    assert [tick_text(one, [0, 10_000, 20_000]) for one in (0, 20_000)] == ["0", "20k"]
    assert tick_text(2_500_000, [0, 2_500_000]) == "2.5M"
    assert tick_text(0.002, [0, 0.002]) == "0.002"


@pytest.mark.parametrize("last", [0.0, 1.0, 5.0, 40.0])
def test_the_number_of_the_current_run_is_never_written_on_the_dates_below(last: float) -> None:
    picture = trend(60.0, last)
    (text,) = re.findall(r"<text[^>]*>now</text>", picture)
    assert float(re.findall(r' y="([\d.]+)"', text)[0]) <= 126
