import pyarrow as pa
import pytest

from sparkscore.errors import BatchTimeout
from sparkscore.model.runtimes.scored_batch import ScoredBatch
from sparkscore.scoring.repeated_rows import count_unstable_rows, is_same_prediction

ROWS = [pa.array([1.0, 2.0, 3.0])]


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (1.0, 1.0 + 1e-9, True),
        (1.0, 1.001, False),
        (float("nan"), float("nan"), True),
        (float("nan"), 1.0, False),
        (float("inf"), float("inf"), True),
        (0.0, -0.0, True),
        (None, None, True),
        (None, 0.0, False),
        ("a", "b", False),
        (1, 2, False),
        ([1.0, None], [1.0 + 1e-9, None], True),
        ([1.0], [1.0, 2.0], False),
        ({"a": [float("nan")]}, {"a": [float("nan")]}, True),
        ({"a": "x"}, {"a": "y"}, False),
    ],
)
def test_predictions_are_the_same_up_to_rounding(one: object, other: object, *, same: bool) -> None:
    assert is_same_prediction(one, other) is same


def test_rows_that_differ_between_two_equal_calls_are_counted() -> None:
    answers = iter([ScoredBatch(pa.array([1.0, 2.0, 3.0])), ScoredBatch(pa.array([1.0, 2.5, 3.5]))])
    assert count_unstable_rows(lambda _: next(answers), ROWS) == 2
    assert count_unstable_rows(lambda columns: ScoredBatch(columns[0]), ROWS) == 0


def test_a_model_that_fails_on_them_says_nothing_and_ends_nothing() -> None:
    def late(_: object) -> ScoredBatch:
        raise BatchTimeout("late", "in time", "wait")

    assert count_unstable_rows(late, ROWS) is None
