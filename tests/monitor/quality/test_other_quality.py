"""Metrics of several classes, of numbers and of lists, checked against scikit-learn or by hand; and intervals."""

import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from sklearn import metrics

from sparkscore.monitor.quality.class_quality import ConfusionCell, measure_classes
from sparkscore.monitor.quality.intervals import measure_mean, measure_share
from sparkscore.monitor.quality.number_quality import NO_VARIANCE, ZERO_TRUTHS, measure_errors, sum_errors
from sparkscore.monitor.quality.ranking_quality import MeanSums, list_values, measure_lists

pairs_of_classes = st.lists(st.tuples(st.sampled_from("abcd"), st.sampled_from("abce")), min_size=1, max_size=60)
numbers = st.lists(st.tuples(st.integers(-50, 50), st.integers(-50, 50)), min_size=2, max_size=60)


@given(pairs_of_classes)
def test_of_several_classes_they_are_scikit_learns(pairs: list[tuple[str, str]]) -> None:
    truths, predicted = zip(*pairs, strict=True)
    found = measure_classes([ConfusionCell(*pair, count) for pair, count in Counter(pairs).items()])
    precision, recall, f1, _ = metrics.precision_recall_fscore_support(
        truths, predicted, average="macro", zero_division=0
    )
    assert found.value("accuracy") == pytest.approx(metrics.f1_score(truths, predicted, average="micro"))
    assert [found.value(name) for name in ("precision", "recall", "f1")] == pytest.approx([precision, recall, f1])
    weighted = metrics.f1_score(truths, predicted, average="weighted", zero_division=0)
    assert found.value("f1_weighted") == pytest.approx(weighted)
    assert "log_loss" not in found.measures


def test_the_log_loss_of_several_classes_is_scikit_learns() -> None:
    probabilities = np.random.default_rng(1).dirichlet([1, 1, 1], 40)
    truths = np.random.default_rng(2).integers(0, 3, 40)
    losses = -np.log(probabilities[np.arange(40), truths])
    cells = [
        ConfusionCell(str(truth), str(row.argmax()), 1, loss, loss**2)
        for truth, row, loss in zip(truths, probabilities, losses, strict=True)
    ]
    assert measure_classes(cells).value("log_loss") == pytest.approx(metrics.log_loss(truths, probabilities))


@given(numbers)
def test_of_numbers_they_are_scikit_learns(pairs: list[tuple[int, int]]) -> None:
    predictions, truths = np.array(pairs, dtype=float).T
    found = measure_errors(sum_errors(predictions, truths))
    assert found.value("mae") == pytest.approx(metrics.mean_absolute_error(truths, predictions))
    assert found.value("rmse") == pytest.approx(metrics.root_mean_squared_error(truths, predictions))
    if np.all(truths != 0):
        assert found.value("mape") == pytest.approx(metrics.mean_absolute_percentage_error(truths, predictions))
    else:
        assert ZERO_TRUTHS in found.notes
    if len(set(truths)) > 1:
        assert found.value("r2") == pytest.approx(metrics.r2_score(truths, predictions))
    else:
        assert (found.value("r2"), NO_VARIANCE in found.notes) == (None, True)


def test_of_a_list_they_are_scikit_learns_and_the_definitions() -> None:
    items, relevant = ["a", "b", "c", "d", "e"], {"b", "d", "z"}
    found = list_values(items, relevant, 3)
    gains = [[float(item in relevant) for item in items] + [1.0]]
    scores = [[5.0, 4.0, 3.0, 2.0, 1.0, 0.0]]
    assert found["ndcg"] == pytest.approx(metrics.ndcg_score(gains, scores, k=3))
    assert found["precision_at_k"] == pytest.approx(1 / 3)
    assert found["recall_at_k"] == pytest.approx(1 / 3)
    assert found["map_at_k"] == pytest.approx((1 / 2) / 3)
    assert found["hit_rate"] == 1


def test_an_item_that_a_list_repeats_counts_once() -> None:
    assert list_values(["a", "a", "b"], {"a", "b"}, 2) == pytest.approx(list_values(["a", "b"], {"a", "b"}, 2))


def test_the_means_over_lists_have_intervals() -> None:
    found = measure_lists(4, {"hit_rate": MeanSums(3, 3), "ndcg": MeanSums(2.0, 1.5)})
    assert found.measures["hit_rate"] == measure_share(3, 4)
    assert found.measures["ndcg"] == measure_mean(2.0, 1.5, 4)


@pytest.mark.parametrize(("hits", "trials"), [(0, 5), (5, 5), (3, 7), (120, 1000)])
def test_the_interval_of_a_share_is_scipys_of_wilson(hits: int, trials: int) -> None:
    expected = stats.binomtest(hits, trials).proportion_ci(method="wilson")
    found = measure_share(hits, trials)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high))


def test_the_interval_of_a_mean_is_that_of_its_standard_error() -> None:
    values = np.random.default_rng(5).normal(3, 2, 50)
    found = measure_mean(values.sum(), (values**2).sum(), 50)
    error = values.std(ddof=1) / math.sqrt(50)
    assert (found.low, found.high) == pytest.approx(
        (values.mean() - 1.959964 * error, values.mean() + 1.959964 * error)
    )
