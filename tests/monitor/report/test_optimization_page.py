"""The report of `optimize-model`."""

from dataclasses import replace

from sparkscore.monitor.report.drawing import BLUE, INK
from sparkscore.monitor.report.optimization import optimization_page
from sparkscore.monitor.report.range_charts import RangeRow, range_chart
from sparkscore.records import Agreement, MeasuredModel, OptimizationReport, ReportedModel, ReportedSource, Speed
from tests.monitor.report.pages import tags, words

SPEED = Speed(0.02, 1000.0, (800.0, 1200.0), 10.0, 20.0)
PARENT = MeasuredModel("parent, sklearn", "parent", bytes=300_000, speed=SPEED, agreement=Agreement(0, 0, 0, 0, 0.7))
FAST = MeasuredModel(
    *("onnx", "chosen", "look-ups", 10_000),
    speed=replace(SPEED, rows_per_second=5000.0, rows_per_second_range=(4000.0, 6000.0)),
    agreement=Agreement(5e-16, 1e-16, 0, 0.0, 0.7),
    speedup=5.0,
    speedup_range=(4.0, 6.0),
    speedup_over_pyfunc=6.0,
)
ROUGH = replace(FAST, name="onnx-int8", status="tolerance_missed", reason="share of other labels 0.01, at most 0")
REPORT = OptimizationReport(
    "flights",
    "measured",
    parent=ReportedModel("late", "1"),
    source=ReportedSource("flights", 3),
    rows=20_000,
    batch_rows=10_000,
    cores=2,
    measured=(PARENT, FAST, ROUGH),
    chosen="onnx",
)


def test_the_page_shows_speed_beside_agreement() -> None:
    shown = words(optimization_page(REPORT, {"max_difference": 1e-4}))
    for text in ("late version 1", "Chosen: onnx", "5.00×", "6.00×", "5e-16", "Tolerance missed", "0.7000"):
        assert text in shown
    assert "share of other labels 0.01, at most 0" in shown
    assert "source flights version 3" in shown


def test_without_a_choice_it_says_so() -> None:
    shown = words(optimization_page(replace(REPORT, measured=(PARENT, ROUGH), chosen=None), {}))
    assert "Nothing chosen" in shown


def test_what_was_not_measured_has_its_reason() -> None:
    nothing = MeasuredModel("pruned", "not_applicable", "the graph multiplies by no matrix of floats")
    shown = words(optimization_page(replace(REPORT, measured=(PARENT, FAST, nothing)), {}))
    assert "Not applicable" in shown
    assert "the graph multiplies by no matrix of floats" in shown


def test_a_bar_ends_at_the_median_and_a_line_spans_the_rounds() -> None:
    picture = range_chart([RangeRow("a", "", 5.0, (2.5, 10.0)), RangeRow("b", "", 1.0, (1.0, 1.0))])
    bars = [facts["width"] for kind, facts in tags(picture) if kind == "rect" and facts["fill"] == BLUE]
    lines = [facts for kind, facts in tags(picture) if kind == "line" and facts["stroke"] == INK]
    assert [float(str(width)) for width in bars] == [220, 44]
    assert (lines[0]["x1"], lines[0]["x2"]) == ("110", "440")
