"""What tasks count of a stage is what the gate counts with Spark."""

import math
from itertools import pairwise
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyspark.sql import SparkSession

from sparkscore.gate.stage_counts import StageCounts, StageCountSummary, merge_stage_counts
from sparkscore.gate.stage_integrity import StageExpectations, check_stage_integrity, pass_counted_stage
from sparkscore.schemas import REJECT_TYPE
from tests.gate.test_stage_integrity import NULL_KEY, stage_frame

NAN = float("nan")
EXPECTED = StageExpectations(("id",), 3)


def count(batch: pa.RecordBatch, *cuts: int, summary: StageCountSummary) -> StageCounts:
    """The counts of the batch, cut into parts, each with a state of its own."""
    ends = [0, *sorted(cuts), batch.num_rows]
    states = []
    for low, high in pairwise(ends):
        state = summary.start()
        state.add(batch.slice(low, high - low))
        states.append(state.to_bytes())
    return merge_stage_counts(states)


@pytest.mark.parametrize(
    ("output", "predictions", "nullable"),
    [
        ("double", [0.5, None, NAN], ()),
        ("double", [0.5, None, NAN], ("prediction",)),
        ("int", [1, None], ()),
        ("array<double>", [[0.5, None], [NAN], [], None], ()),
        ("struct<p:double,q:array<float>>", [(0.5, [0.5]), (None, [0.5]), (0.5, [NAN]), None], ("prediction.p",)),
    ],
)
def test_missing_predictions_are_those_that_spark_finds(
    spark: SparkSession, output: str, predictions: list[Any], nullable: tuple[str, ...]
) -> None:
    rows: list[tuple[Any, ...]] = [(index, "a", value, "x", None) for index, value in enumerate(predictions)]
    rows += [(None, "a", None, "x", NULL_KEY)]
    frame = stage_frame(spark, rows, output=output)
    counts = count(frame.toArrow().combine_chunks().to_batches()[0], 1, summary=StageCountSummary(nullable))
    expected = StageExpectations(("id",), len(rows), nullable)
    judged = check_stage_integrity(frame, expected, unique=True).verdict.rules
    observed = f"{counts.missing:,} of {counts.scored:,} scored rows without a prediction"
    assert judged[2].observed.startswith(observed)
    passed = pass_counted_stage(counts, expected)
    assert (passed is not None) == (counts.missing == 0)
    assert passed is None or passed.verdict.rules == judged


LISTS = st.lists(st.none() | st.lists(st.floats() | st.none(), max_size=4), max_size=20)


@given(predictions=LISTS, cuts=st.lists(st.integers(0, 20), max_size=4), rejected=st.integers(0, 3))
def test_parts_add_up_and_other_lists_than_probabilities_are_counted(
    predictions: list[list[float | None] | None], cuts: list[int], rejected: int
) -> None:
    rejects = [None] * len(predictions) + [{"code": "c", "error": None, "message": "m"}] * rejected
    batch = pa.record_batch(
        [pa.array([*predictions, *[None] * rejected], pa.list_(pa.float64())), pa.array(rejects, REJECT_TYPE)],
        ["prediction", "_reject"],
    )
    counts = count(batch, *(min(cut, batch.num_rows) for cut in cuts), summary=StageCountSummary((), True))
    probabilities = [None if one is None or len(one) not in (1, 2) else one[-1] for one in predictions]
    assert (counts.rows, counts.scored) == (batch.num_rows, len(predictions))
    assert counts.missing == sum(one is None or math.isnan(one) for one in probabilities)
    assert counts.other_probabilities == sum(one is not None and len(one) not in (1, 2) for one in predictions)


@pytest.mark.parametrize("counts", [StageCounts(2, 2), StageCounts(3, 2, 1), StageCounts(3, 3, 0, 1)])
def test_what_does_not_pass_is_left_to_spark(counts: StageCounts) -> None:
    assert pass_counted_stage(counts, EXPECTED) is None
    assert pass_counted_stage(StageCounts(3, 2), EXPECTED) is not None
