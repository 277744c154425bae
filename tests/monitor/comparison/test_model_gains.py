"""Gains of metrics over the same rows: the values are scikit-learn's, and positive where the challenger is better."""

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, brier_score_loss, log_loss, mean_absolute_error, roc_auc_score
from sklearn.metrics import root_mean_squared_error as rmse

from sparkscore import ConfigError
from sparkscore.monitor.comparison.model_gains import BINARY_GAINS, NUMBER_GAINS, check_gain_metric, measure_gains

RANDOM = np.random.default_rng(7)
TRUTHS = RANDOM.random(2000) < 0.3
GOOD = np.clip(0.3 + 0.4 * TRUTHS + RANDOM.normal(0, 0.15, 2000), 0.001, 0.999)
BAD = np.clip(0.3 + 0.1 * TRUTHS + RANDOM.normal(0, 0.15, 2000), 0.001, 0.999)


def test_the_values_are_those_of_scikit_learn_and_a_better_challenger_gains_in_each() -> None:
    gains = measure_gains(BINARY_GAINS, TRUTHS, (BAD, GOOD), threshold=0.5)
    for side, name in ((BAD, "champion"), (GOOD, "challenger")):
        expected = [
            roc_auc_score(TRUTHS, side),
            log_loss(TRUTHS, side),
            brier_score_loss(TRUTHS, side),
            accuracy_score(TRUTHS, side >= 0.5),
        ]
        assert [getattr(one, name) for one in gains] == pytest.approx(expected)
    assert all(one.gain is not None and one.low is not None and one.gain > one.low > 0 for one in gains)
    worse = measure_gains(BINARY_GAINS, TRUTHS, (GOOD, BAD), threshold=0.5)
    assert [one.gain for one in worse] == pytest.approx([-(one.gain or 0) for one in gains])


def test_errors_of_numbers_gain_where_they_shrink() -> None:
    truths = RANDOM.normal(10, 3, 500)
    near, far = truths + RANDOM.normal(0, 1, 500), truths + RANDOM.normal(0, 2, 500)
    mae, root = measure_gains(NUMBER_GAINS, truths, (far, near), threshold=None)
    assert mae.gain == pytest.approx(mean_absolute_error(truths, far) - mean_absolute_error(truths, near))
    assert root.gain == pytest.approx(rmse(truths, far) - rmse(truths, near))
    assert root.low is not None
    assert root.low > 0


def test_a_greater_confidence_makes_a_wider_interval() -> None:
    (usual,) = measure_gains(["roc_auc"], TRUTHS, (BAD, GOOD), threshold=0.5)
    (sure,) = measure_gains(["roc_auc"], TRUTHS, (BAD, GOOD), threshold=0.5, confidence=0.99)
    assert usual.low is not None
    assert sure.low is not None
    assert sure.low < usual.low


def test_classes_are_right_or_wrong() -> None:
    truths, first, second = np.array(["a", "b", "c"]), np.array(["a", "c", "b"]), np.array(["a", "b", "b"])
    (gain,) = measure_gains(["accuracy"], truths, (first, second), threshold=None)
    assert (gain.champion, gain.challenger) == pytest.approx((1 / 3, 2 / 3))


def test_a_metric_without_an_interval_cannot_decide() -> None:
    with pytest.raises(ConfigError, match="roc_auc"):
        check_gain_metric("ece")
