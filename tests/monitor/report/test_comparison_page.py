"""The page of a champion and a challenger."""

from dataclasses import replace

from sparkscore.monitor.drift_detection import measure_drifts
from sparkscore.monitor.report.comparison import comparison_page
from sparkscore.records import (
    ColumnProfile,
    ComparedPredictions,
    ComparisonReport,
    ModelAgreement,
    ModelCost,
    ModelGain,
    Promotion,
    PromotionRule,
    ReportedModel,
)
from sparkscore.settings import DriftSettings
from tests.monitor.report.pages import tags, words

POINTS = tuple(one / 50 for one in range(51))


def profile(shift: int, *, slice_value: str | None = None) -> ColumnProfile:
    weights = tuple(float(max(1, 40 - abs(place - shift))) for place in range(51))
    rows, key = int(sum(weights)), None if slice_value is None else "carrier"
    mean = sum(point * weight for point, weight in zip(POINTS, weights, strict=True)) / rows
    head = ("prediction", "prediction", "double", rows, 0, 0)
    return ColumnProfile(*head, key, slice_value, 0.0, 1.0, mean, 0.2, POINTS, weights)  # type: ignore[arg-type]


def agreement(name: str | None = None) -> ModelAgreement:
    key = None if name is None else "carrier"
    gain = ModelGain("roc_auc", 0.8, 0.82, 0.02, 0.01, 0.03, 900)
    return ModelAgreement(1000, key, name, 0.96, 0.93, 0.041, 0.31, 0.32, 0.36, 33, 7, 210, 750, gain)


CHAMPION = (profile(10), profile(12, slice_value="AA"), profile(14, slice_value="UA"))
CHALLENGER = (profile(20), profile(15, slice_value="AA"), profile(30, slice_value="UA"))
FOUND = ComparedPredictions((agreement(), agreement("AA"), agreement("UA")), CHAMPION, CHALLENGER)
RULES = (
    PromotionRule("min_gain", True, "+0.02 roc_auc", "at least 0.005"),
    PromotionRule("max_flips", False, "0.04 of the labels", "at most 0.03"),
)
REPORT = ComparisonReport(
    "late-flights",
    "not_promoted",
    as_ofs=("2013-12-01T00:00:00Z", "2013-12-31T00:00:00Z"),
    champion=ReportedModel("late", "1"),
    challenger=ReportedModel("late", "2"),
    champion_rows=1010,
    challenger_rows=1000,
    agreement=FOUND.agreements[0],
    segments=FOUND.agreements[1:],
    drifts=measure_drifts(
        CHALLENGER, CHAMPION, drift_type="BASELINE", against="the champion", limits=DriftSettings(min_rows=10)
    ),
    costs={"champion": ModelCost(2.0, 500, 2, None), "challenger": ModelCost(3.0, 333, 2, 4_200_000)},
    cost_ratio=1.5,
    quality=(
        ModelGain("roc_auc", 0.8, 0.82, 0.02, 0.01, 0.03, 900),
        ModelGain("log_loss", 0.4, 0.41, -0.01, -0.02, 0.001, 900),
    ),
    truth_share=0.9,
    promotion=Promotion(False, "late@champion", RULES),
)


def test_the_page_says_what_differs_what_it_costs_and_which_rule_does_not_hold() -> None:
    shown = words(comparison_page(REPORT, FOUND))
    for text in ("late version 2 against late version 1", "Not promoted", "late@champion still points to the champion"):
        assert text in shown
    for text in ("4.0% of the labels change: 33 from 0 to 1, 7 from 1 to 0", "0.04 of the labels", "at most 0.03"):
        assert text in shown
    for text in ("+0.02", "+0.01 to +0.03", "1.50×", "4.2 MB", "carrier = UA", "challenger", "champion"):
        assert text in shown


def test_it_is_whole_without_labels_truth_and_segments() -> None:
    bare = ModelAgreement(10, equal_share=0.5)
    none = replace(
        REPORT,
        status="compared",
        agreement=bare,
        segments=(),
        drifts=(),
        quality=(),
        promotion=None,
        costs={},
        cost_ratio=None,
        truth_share=None,
    )
    words_only = ColumnProfile("prediction", "prediction", "string", 10, 0, 0, top=(("a", 6), ("b", 4)))
    shown = words(comparison_page(none, ComparedPredictions((bare,), (words_only,), (words_only,))))
    for text in ("no labels", "no segments", "No run has measured both"):
        assert text in shown
    assert "Promotion" not in shown


def test_pictures_have_words_and_nothing_is_fetched() -> None:
    page = comparison_page(REPORT, FOUND)
    pictures = [attributes for tag, attributes in tags(page) if tag == "div" and attributes.get("role") == "img"]
    assert len(pictures) == 2
    assert all(one.get("aria-label") for one in pictures)
    assert "<script" not in page
    assert "http" not in page.replace("http-equiv", "")
