"""The page of a shadow beside production."""

from dataclasses import replace

from sparkscore.monitor.report.shadow import shadow_page
from sparkscore.records import ReportedModel, ShadowReport, ShadowRule, ShadowSide
from tests.monitor.report.pages import tags, words
from tests.monitor.report.test_comparison_page import FOUND
from tests.monitor.report.test_comparison_page import REPORT as COMPARISON

REPORT = ShadowReport(
    "late-flights",
    "2013-12-31T00:00:00Z",
    "compared",
    exit_code=5,
    production=ShadowSide("predictions", "a" * 64, ReportedModel("late", "1"), 7, 1010, 2, 12.5, "scan"),
    shadow=ShadowSide("predictions_shadow", "b" * 64, ReportedModel("late", "2"), 7, 1000, 12, 13.1, "scan"),
    only_production=10,
    only_shadow=0,
    agreement=COMPARISON.agreement,
    segments=COMPARISON.segments,
    drifts=COMPARISON.drifts,
    rules=(ShadowRule("max_changed", False, 0.04, 0.02), ShadowRule("max_difference", True, 0.041, 0.05)),
)


def test_the_page_names_production_and_shadow_and_no_champion() -> None:
    shown = words(shadow_page(REPORT, FOUND))
    for text in (
        "Shadow of late-flights for 2013-12-31",
        "Too different",
        "Exceeded: max_changed",
        "predictions_shadow",
    ):
        assert text in shown
    for text in ("late version 1", "late version 2", "4.0% of the labels change", "carrier = UA", "Production 0"):
        assert text in shown
    assert "champion" not in shown.lower()
    assert "challenger" not in shown.lower()


def test_within_the_limits_and_without_limits_it_says_so() -> None:
    kept = replace(REPORT, exit_code=0, rules=(ShadowRule("max_changed", True, 0.01, 0.02),))
    assert "All limits of shadow are kept" in words(shadow_page(kept, FOUND)).replace("`", "")
    assert "Limits" not in words(shadow_page(replace(REPORT, rules=()), FOUND))


def test_what_is_unknown_leaves_the_page_whole() -> None:
    bare = replace(REPORT, production=None, shadow=None, only_production=None, agreement=None, segments=(), drifts=())
    assert "Both runs" in words(shadow_page(bare, FOUND))


def test_pictures_have_words_and_nothing_is_fetched() -> None:
    page = shadow_page(REPORT, FOUND)
    pictures = [attributes for tag, attributes in tags(page) if tag == "div" and attributes.get("role") == "img"]
    assert len(pictures) == 2
    assert all(one.get("aria-label") for one in pictures)
    assert "<script" not in page
