"""Metrics of two classes, checked against scikit-learn on the raw rows."""

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics
from sklearn.calibration import calibration_curve

from sparkscore.monitor.quality.binary_quality import (
    NO_BOTH_CLASSES,
    NO_PROBABILITIES,
    measure_binary,
    sum_binary_scores,
)
from sparkscore.records import Quality

Floats = npt.NDArray[np.float64]
Booleans = npt.NDArray[np.bool_]

rows = st.lists(st.tuples(st.integers(0, 20), st.booleans()), min_size=1, max_size=60)
"""Scores of 21 values: many ties, some at 0 and at 1, some on the edges of bins."""


def to_arrays(pairs: list[tuple[int, bool]]) -> tuple[Floats, Booleans]:
    return np.array([score / 20 for score, _ in pairs]), np.array([truth for _, truth in pairs])


def measured(scores: Floats, truths: Booleans, threshold: float | None = 0.5) -> Quality:
    return measure_binary(sum_binary_scores(scores, truths, threshold=threshold))


@given(rows)
def test_values_are_scikit_learns(pairs: list[tuple[int, bool]]) -> None:
    scores, truths = to_arrays(pairs)
    found = measured(scores, truths)
    labels = scores >= 0.5
    assert found.count == len(pairs)
    assert found.value("accuracy") == pytest.approx(metrics.accuracy_score(truths, labels))
    assert found.value("log_loss") == pytest.approx(metrics.log_loss(truths, scores, labels=[False, True]), abs=1e-9)
    assert found.value("brier") == pytest.approx(np.mean((scores - truths) ** 2))
    if truths.any() and not truths.all():
        assert found.value("roc_auc") == pytest.approx(metrics.roc_auc_score(truths, scores), abs=1e-12)
    if truths.any():
        assert found.value("pr_auc") == pytest.approx(metrics.average_precision_score(truths, scores), abs=1e-12)
        assert found.value("recall") == pytest.approx(metrics.recall_score(truths, labels))
    if labels.any():
        assert found.value("precision") == pytest.approx(metrics.precision_score(truths, labels))
    if labels.any() or truths.any():
        assert found.value("f1") == pytest.approx(metrics.f1_score(truths, labels, zero_division=0))


@given(rows)
def test_the_calibration_curve_is_scikit_learns(pairs: list[tuple[int, bool]]) -> None:
    scores, truths = to_arrays(pairs)
    found = measured(scores, truths)
    shares, means = calibration_curve(truths, scores, n_bins=10)
    assert [one.positive_share for one in found.calibration] == pytest.approx(list(shares))
    assert [one.mean_prediction for one in found.calibration] == pytest.approx(list(means))
    assert sum(one.count for one in found.calibration) == len(pairs)
    gaps = [one.count * abs(one.positive_share - one.mean_prediction) for one in found.calibration]
    assert found.value("ece") == pytest.approx(sum(gaps) / len(pairs))


@given(rows)
def test_every_interval_holds_its_value(pairs: list[tuple[int, bool]]) -> None:
    for name, one in measured(*to_arrays(pairs)).measures.items():
        if one.low is not None and one.high is not None and one.value is not None:
            assert one.low - 1e-12 <= one.value <= one.high + 1e-12, name


def test_float32_scores_are_what_they_are_as_float64() -> None:
    random = np.random.default_rng(3)
    scores, truths = random.random(500, dtype=np.float32), random.random(500) < 0.4
    found = measured(scores.astype(np.float64), truths)
    assert found.value("roc_auc") == pytest.approx(metrics.roc_auc_score(truths, scores), abs=1e-12)
    assert found.value("log_loss") == pytest.approx(metrics.log_loss(truths, scores.astype(np.float64)), abs=1e-12)


def test_of_one_class_the_auc_is_not_defined_and_the_rest_is() -> None:
    found = measured(np.array([0.2, 0.9]), np.array([True, True]))
    assert found.value("roc_auc") is None
    assert NO_BOTH_CLASSES in found.notes
    assert found.value("recall") == 0.5
    assert found.value("brier") == pytest.approx((0.64 + 0.01) / 2)


def test_no_rows_have_no_values_and_no_notes() -> None:
    found = measured(np.array([]), np.array([], dtype=bool))
    assert (found.count, found.notes, found.calibration) == (0, (), ())
    assert all(one.value is None for one in found.measures.values())


def test_scores_that_are_no_probabilities_are_ranked_only() -> None:
    scores, truths = np.array([-3.0, 0.5, 7.0]), np.array([False, True, True])
    found = measured(scores, truths)
    assert found.value("roc_auc") == 1
    assert "log_loss" not in found.measures
    assert NO_PROBABILITIES in found.notes


def test_without_a_threshold_nothing_is_said_of_labels() -> None:
    assert "accuracy" not in measured(np.array([0.1, 0.7]), np.array([False, True]), None).measures


def test_nineteen_of_twenty_delong_intervals_hold_the_true_area() -> None:
    """Scores of positives are normal around 1, of negatives around 0: the true area is Phi(1 / sqrt 2) = 0.7602."""
    random = np.random.default_rng(11)
    held = 0
    for _ in range(400):
        truths = np.arange(200) < 80
        one = measured(random.normal(truths * 1.0, 1.0), truths).measures["roc_auc"]
        assert one.low is not None
        assert one.high is not None
        held += one.low <= 0.7602 <= one.high
    assert 0.92 <= held / 400 <= 0.98
