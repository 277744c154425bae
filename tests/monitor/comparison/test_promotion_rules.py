"""The rules of a promotion, each by itself: what was found, the limit, and whether it holds."""

from typing import Any

import pytest

from sparkscore.monitor.comparison.promotion_rules import describe_refusal, judge_promotion
from sparkscore.records import ComparisonReport, Drift, ModelAgreement, ModelGain
from sparkscore.settings.promotion_settings import PromotionSettings

GAIN = ModelGain("roc_auc", 0.80, 0.82, 0.02, 0.01, 0.03, 5000)


def segment(gain: float | None, rows: int = 500) -> ModelAgreement:
    return ModelAgreement(rows, "carrier", "AA", gain=ModelGain("roc_auc", 0.8, None, gain, None, None, rows))


def report(**changes: Any) -> ComparisonReport:
    values = {
        "agreement": ModelAgreement(100, flips_up=3, flips_down=1),
        "drifts": (Drift("prediction", "prediction", "BASELINE", "the champion", 100, 100, psi=0.1),),
        "cost_ratio": 1.4,
        "segments": (segment(0.01), segment(-0.02)),
    }
    return ComparisonReport("job", "failed", **{**values, **changes})


@pytest.mark.parametrize(
    ("setting", "holds", "breaks"),
    [
        ("min_rows", 5000, 5001),
        ("min_gain", 0.02, 0.021),
        ("max_flips", 0.04, 0.039),
        ("max_drift", 0.1, 0.09),
        ("max_cost_ratio", 1.4, 1.39),
        ("max_segment_loss", 0.02, 0.019),
    ],
)
def test_a_rule_holds_up_to_its_limit(setting: str, holds: float, breaks: float) -> None:
    for value, expected in ((holds, True), (breaks, False)):
        settings = PromotionSettings(**{"metric": "roc_auc", "min_rows": 1, setting: value})
        (rule,) = [one for one in judge_promotion(report(), GAIN, settings) if one.rule == setting]
        assert rule.held is expected
        assert rule.found
        assert f"{value:,}" in rule.limit


def test_a_gain_whose_interval_holds_0_is_not_sure() -> None:
    unsure = ModelGain("roc_auc", 0.80, 0.82, 0.02, -0.001, 0.041, 5000)
    rules = judge_promotion(report(), unsure, PromotionSettings(metric="roc_auc"))
    assert [(one.rule, one.held) for one in rules] == [("min_rows", True), ("min_gain", True), ("confidence", False)]
    assert describe_refusal(rules).startswith("confidence: -0.001 to +0.041, expected")


def test_what_is_not_known_does_not_hold() -> None:
    settings = PromotionSettings(metric="roc_auc", max_flips=1, max_drift=9, max_cost_ratio=99)
    found = report(agreement=None, drifts=(), cost_ratio=None)
    assert {one.rule for one in judge_promotion(found, None, settings) if not one.held} == {
        "min_rows",
        "min_gain",
        "confidence",
        "max_flips",
        "max_drift",
        "max_cost_ratio",
    }


def test_a_segment_with_few_rows_is_not_judged() -> None:
    settings = PromotionSettings(metric="roc_auc", max_segment_loss=0.0, min_segment_rows=100)
    few = report(segments=(segment(-0.5, rows=99), segment(None)))
    assert [one.held for one in judge_promotion(few, GAIN, settings) if one.rule == "max_segment_loss"] == [True]
