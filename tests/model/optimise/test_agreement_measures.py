import numpy as np
import pyarrow as pa
import pytest
from sklearn.metrics import roc_auc_score

from sparkscore.model.optimise.agreement_measures import LabelRule, area_under_curve, measure_agreement, measure_auc

PROBABILITIES = pa.array([[0.9, 0.1], [0.6, 0.4], [0.2, 0.8]])


def test_equal_predictions_have_no_difference() -> None:
    found = measure_agreement(PROBABILITIES, PROBABILITIES, rule=LabelRule())
    assert (found.max_difference, found.mean_difference, found.flips, found.flip_ratio) == (0.0, 0.0, 0, 0.0)


def test_a_label_flips_where_a_probability_crosses_a_half() -> None:
    other = pa.array([[0.9, 0.1], [0.45, 0.55], [0.2, 0.8]])
    found = measure_agreement(PROBABILITIES, other, rule=LabelRule())
    assert found.flips == 1
    assert found.flip_ratio == pytest.approx(1 / 3)
    assert found.max_difference == pytest.approx(0.15)
    assert found.mean_difference == pytest.approx(0.05)


def test_a_label_flips_at_the_threshold_of_the_job() -> None:
    first, second = pa.array([0.30, 0.33, 0.9]), pa.array([0.30, 0.35, 0.9])
    assert measure_agreement(first, second, rule=LabelRule(0.34)).flips == 1
    assert measure_agreement(first, second, rule=LabelRule()).flips == 0


def test_of_several_classes_the_greatest_is_the_label() -> None:
    first, second = pa.array([[0.5, 0.3, 0.2], [0.1, 0.2, 0.7]]), pa.array([[0.3, 0.5, 0.2], [0.1, 0.3, 0.6]])
    assert measure_agreement(first, second, rule=LabelRule()).flips == 1


def test_texts_are_labels_without_differences() -> None:
    found = measure_agreement(pa.array(["a", "b"]), pa.array(["a", "c"]), rule=LabelRule())
    assert (found.max_difference, found.mean_difference, found.flips) == (None, None, 1)


def test_numbers_that_are_no_probabilities_have_no_label() -> None:
    found = measure_agreement(pa.array([10.0, 20.0]), pa.array([11.0, 20.0]), rule=LabelRule())
    assert (found.max_difference, found.flips) == (1.0, 0)


def test_a_prediction_that_is_missing_on_one_side_differs_without_end() -> None:
    found = measure_agreement(pa.array([np.nan, np.nan]), pa.array([np.nan, 1.0]), rule=LabelRule())
    assert (found.max_difference, found.flips) == (np.inf, 1)


def test_the_area_is_that_of_scikit_learn_with_ties() -> None:
    draw = np.random.default_rng(0)
    scores, positive = draw.integers(0, 20, 500) / 20, draw.random(500) < 0.3
    assert area_under_curve(scores, positive) == pytest.approx(roc_auc_score(positive, scores), abs=1e-12)


def test_rows_without_an_answer_count_for_no_area() -> None:
    assert measure_auc(pa.array([0.9, 0.1, 0.5]), pa.array([True, False, None])) == 1.0
    assert measure_auc(pa.array([0.9, 0.1]), pa.array([True, True])) is None
