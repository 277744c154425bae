from dataclasses import replace

import pytest

from sparkscore.model.optimise.candidate_choice import ToleranceLimits, judge_candidates
from sparkscore.records import Agreement, MeasuredModel, Speed

LIMITS = ToleranceLimits(1e-4, 1e-5, 0.0, 0.001, 1.0)
EQUAL = Agreement(0.0, 0.0, 0, 0.0, auc=0.7)
SPEED = Speed(0.1, 1000.0, (900.0, 1100.0), 1.0, 2.0)


def candidate(name: str, speedup: float, *, size: int = 1000, agreement: Agreement | None = EQUAL) -> MeasuredModel:
    return MeasuredModel(name, "within_tolerance", bytes=size, speed=SPEED, agreement=agreement, speedup=speedup)


def outcomes(*given: MeasuredModel, limits: ToleranceLimits = LIMITS, auc: float | None = 0.7) -> dict[str, str]:
    return {one.name: one.status for one in judge_candidates(given, limits, parent_auc=auc)}


def test_the_fastest_within_the_tolerance_is_chosen() -> None:
    found = outcomes(candidate("slow", 2.0), candidate("fast", 5.0))
    assert found == {"slow": "within_tolerance", "fast": "chosen"}


def test_of_equally_fast_ones_the_smaller_is_chosen() -> None:
    found = outcomes(candidate("large", 5.02, size=2000), candidate("small", 5.0))
    assert found == {"large": "within_tolerance", "small": "chosen"}


@pytest.mark.parametrize(
    ("agreement", "reason"),
    [
        (replace(EQUAL, max_difference=2e-4), "greatest difference 0.0002, at most 0.0001"),
        (replace(EQUAL, max_difference=float("inf")), "greatest difference inf, at most 0.0001"),
        (replace(EQUAL, mean_difference=float("nan")), "mean difference nan, at most 1e-05"),
        (replace(EQUAL, flips=1, flip_ratio=0.01), "share of other labels 0.01, at most 0"),
        (replace(EQUAL, auc=0.69), "ROC AUC 0.6900 instead of 0.7000, at most 0.001 less"),
        (replace(EQUAL, auc=None), "ROC AUC none instead of 0.7000, at most 0.001 less"),
    ],
)
def test_what_is_beyond_a_limit_is_not_chosen_and_says_so(agreement: Agreement, reason: str) -> None:
    (found,) = judge_candidates([candidate("odd", 9.0, agreement=agreement)], LIMITS, parent_auc=0.7)
    assert (found.status, found.reason) == ("tolerance_missed", reason)


def test_what_is_slower_than_asked_for_is_not_chosen() -> None:
    found = judge_candidates([candidate("slow", 0.9)], LIMITS, parent_auc=None)
    assert (found[0].status, found[0].reason) == ("too_slow", "0.90 times as fast, at least 1")


def test_what_was_not_measured_stays_as_it_is() -> None:
    broken = MeasuredModel("broken", "failed", "no such operator")
    assert judge_candidates([broken], LIMITS, parent_auc=None) == (broken,)
