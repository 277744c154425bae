"""The prediction columns that are profiled, from batches of the stage."""

import pyarrow as pa

from sparkscore.monitor.prediction_columns import PredictionSelector
from sparkscore.schemas import REJECT_TYPE, repeat_reject

LISTS = pa.list_(pa.float64())


def stage_batch(predictions: pa.Array, *, rejected: int = 0) -> pa.RecordBatch:
    """The last rows are rejected."""
    kept = pa.nulls(len(predictions) - rejected, REJECT_TYPE)
    rejects = pa.concat_arrays([kept, repeat_reject(rejected, "predict_failed", None, "it raised")])
    return pa.record_batch([predictions, rejects], ["prediction", "_reject"])


def test_of_one_or_two_numbers_the_last_is_the_probability() -> None:
    for lists in ([[0.8, 0.2], [0.3, 0.7], None], [[0.2], [0.7], None]):
        selected = PredictionSelector(0.5, ())(stage_batch(pa.array(lists, LISTS), rejected=1))
        assert selected.to_pydict() == {"prediction": [0.2, 0.7], "label": [0, 1]}


def test_a_prediction_that_may_be_null_counts_and_a_reject_does_not() -> None:
    batch = stage_batch(pa.array([0.2, None, None]), rejected=1)
    assert PredictionSelector(None, (), may_be_null=True)(batch).to_pydict() == {"prediction": [0.2, None]}
    assert PredictionSelector(None, ())(batch).to_pydict() == {"prediction": [0.2]}
    with_lists = stage_batch(pa.array([[0.2], None, None], LISTS), rejected=1)
    assert PredictionSelector(0.5, (), may_be_null=True)(with_lists).to_pydict() == {
        "prediction": [0.2, None],
        "label": [0, None],
    }
