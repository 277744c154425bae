import numpy as np
import pytest
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, MinMaxScaler, QuantileTransformer

from sparkscore.model.optimise.step_functions import NotStepwiseError, find_step_ends


def test_the_last_double_of_each_step_is_found() -> None:
    ends, inside = find_step_ends(lambda values: np.digitize(values, [-2.5, 0.1, 7.0]), [0.0, 5.0])
    assert ends.tolist() == [np.nextafter(-2.5, -9), np.nextafter(0.1, -9), np.nextafter(7.0, 0)]
    assert np.digitize(inside, [-2.5, 0.1, 7.0]).tolist() == [0, 1, 2, 3]


def test_the_steps_of_fitted_transformers_are_found_to_the_last_bit() -> None:
    rows = np.random.default_rng(0).gamma(2.0, size=(2000, 1))
    steps = make_pipeline(QuantileTransformer(n_quantiles=50), MinMaxScaler((0, 9)), FunctionTransformer(np.rint))
    steps.fit(rows)

    def step(values: np.ndarray) -> np.ndarray:
        return np.asarray(steps.transform(np.reshape(values, (-1, 1)))[:, 0])

    ends, inside = find_step_ends(step, rows[:100, 0])
    assert step(inside).tolist() == list(range(10))
    assert (step(ends) != step(np.nextafter(ends, np.inf))).all()


def test_a_line_is_no_step_function() -> None:
    with pytest.raises(NotStepwiseError):
        find_step_ends(np.asarray, [0.0, 1.0])
