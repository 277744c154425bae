"""Two models over the same rows: differences and their confidence."""

import numpy as np
import numpy.typing as npt
import pytest
from scipy import stats
from sklearn.metrics import roc_auc_score

from sparkscore.monitor.quality.binary_quality import measure_binary, sum_binary_scores
from sparkscore.monitor.quality.paired_quality import (
    PairedDifference,
    compare_areas,
    compare_mean_sums,
    compare_means,
    compare_shares,
)

Floats = npt.NDArray[np.float64]


def scores_of(truths: npt.NDArray[np.bool_], skill: float, seed: int) -> Floats:
    """Rounded: with ties."""
    return np.round(np.random.default_rng(seed).normal(truths * skill, 1.0), 1)


def naive_delong(first: Floats, second: Floats, truths: npt.NDArray[np.bool_]) -> float:
    """The variance of the difference by all pairs: slow, and plain."""
    parts = []
    for scores in (first, second):
        gaps = scores[truths][:, None] - scores[~truths][None, :]
        wins = (gaps > 0) + 0.5 * (gaps == 0)
        parts.append((wins.mean(axis=1), wins.mean(axis=0)))
    return float(sum(np.var(parts[1][i] - parts[0][i], ddof=1) / len(parts[0][i]) for i in (0, 1)))


def test_the_difference_of_areas_has_delongs_variance() -> None:
    truths = np.arange(120) < 50
    first, second = scores_of(truths, 0.5, 1), scores_of(truths, 1.0, 2)
    found = compare_areas(first, second, truths)
    assert found.first == pytest.approx(roc_auc_score(truths, first))
    assert found.second == pytest.approx(roc_auc_score(truths, second))
    assert found.low is not None
    assert found.high is not None
    error = naive_delong(first, second, truths) ** 0.5
    assert found.high - found.low == pytest.approx(2 * 1.959964 * error, rel=1e-6)
    assert found.p_value == pytest.approx(2 * stats.norm.sf(abs(found.difference or 0) / error))


def test_the_area_of_one_model_has_the_same_variance_as_in_its_own_interval() -> None:
    truths = np.arange(90) < 30
    scores = scores_of(truths, 0.8, 3)
    own = measure_binary(sum_binary_scores(scores, truths)).measures["roc_auc"]
    against_chance = compare_areas(np.zeros(90), scores, truths)
    assert own.value == pytest.approx(against_chance.second)
    assert (own.low or 0) - 0.5 == pytest.approx(against_chance.low)


def test_equal_models_do_not_differ() -> None:
    truths = np.arange(40) < 15
    scores = scores_of(truths, 1, 4)
    assert compare_areas(scores, scores, truths).p_value == 1
    assert compare_shares(truths, truths) == PairedDifference(0.375, 0.375, 0, 0, 0, 1.0, 40)


def test_of_one_class_areas_do_not_compare() -> None:
    found = compare_areas(np.array([0.1, 0.2]), np.array([0.3, 0.4]), np.array([True, True]))
    assert (found.difference, bool(found.note)) == (None, True)


@pytest.mark.parametrize(("lost", "won"), [(3, 9), (0, 4), (20, 60)])
def test_shares_compare_as_mcnemar_does(lost: int, won: int) -> None:
    first = np.array([True] * lost + [False] * won + [True] * 50)
    second = np.array([False] * lost + [True] * won + [True] * 50)
    found = compare_shares(first, second)
    rows = lost + won
    exact = stats.binomtest(won, rows).pvalue
    assert found.p_value == pytest.approx(exact if rows <= 25 else 2 * stats.norm.sf((won - lost) / rows**0.5))
    assert found.difference == pytest.approx((won - lost) / (rows + 50))
    assert found.is_surely_higher == (found.low is not None and found.low > 0)


def test_means_compare_as_the_paired_test_does() -> None:
    random = np.random.default_rng(6)
    first = random.random(400)
    second = first + random.normal(0.02, 0.1, 400)
    found = compare_means(first, second)
    assert found.p_value == pytest.approx(stats.ttest_rel(second, first).pvalue, rel=0.2)
    assert found.is_surely_higher
    merged = compare_mean_sums(first.sum(), second.sum(), ((second - first) ** 2).sum(), 400)
    assert (merged.low, merged.high) == pytest.approx((found.low, found.high))
