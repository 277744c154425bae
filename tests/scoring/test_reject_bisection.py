"""What becomes of a batch on which the model raises. No Spark."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sparkscore.errors import BatchOutOfMemory, BatchTimeout, PredictError, RowsNotPredicted
from sparkscore.model.distribution.shipped_model import ShippedModel
from sparkscore.model.runtimes.scored_batch import ScoredBatch
from sparkscore.model.runtimes.scorer import build_local_scorer
from sparkscore.records import ModelInput
from sparkscore.schemas import REJECT_TYPE
from sparkscore.scoring.kernel import Kernel
from sparkscore.scoring.reject_bisection import max_failing_rows, max_model_calls, score_by_bisection

DOUBLE = pa.float64()
MODEL = ShippedModel("0" * 64, "archive", "sklearn", (ModelInput("x", DOUBLE, True),), True, DOUBLE)


class Model:
    """Doubles its only input, one array, and counts how often it is called; `refuse` raises where it wants to."""

    def __init__(self, refuse: Callable[[Any], None]) -> None:
        self.refuse, self.calls = refuse, 0

    def __call__(self, array: Any) -> Any:
        self.calls += 1
        self.refuse(array[:, 0])
        return array[:, 0] * 2

    def scored(self, rows: int) -> ScoredBatch:
        """What becomes of the rows 0, 1, …"""
        column = pa.array(np.arange(rows, dtype=np.float64))
        return score_by_bisection(build_local_scorer(MODEL, self), [column], DOUBLE, has_own_process=False)


def failing_on(*bad: int) -> Model:
    def refuse(column: Any) -> None:
        found = set(column.tolist()) & set(bad)
        if found:
            raise ValueError(f"cannot take {found}")

    return Model(refuse)


def up_to(rows: int, error: type[Exception]) -> Model:
    def refuse(column: Any) -> None:
        if len(column) > rows:
            raise error("no room")

    return Model(refuse)


@st.composite
def batches(draw: st.DrawFn) -> tuple[int, set[int]]:
    """How many rows, and which of them the model raises on: as many as a batch may have."""
    rows = draw(st.integers(1, 1200))
    return rows, draw(st.sets(st.integers(0, rows - 1), max_size=max_failing_rows(rows)))


@settings(max_examples=150)
@given(batch=batches())
def test_exactly_the_rows_that_fail_alone_are_rejected_and_all_others_are_predicted(
    batch: tuple[int, set[int]],
) -> None:
    rows, bad = batch
    model = failing_on(*bad)
    made = model.scored(rows)
    assert made.predictions.to_pylist() == [None if row in bad else row * 2.0 for row in range(rows)]
    rejects = [None] * rows if made.rejects is None else made.rejects.to_pylist()
    assert [row for row, reject in enumerate(rejects) if reject is not None] == sorted(bad)
    assert (made.rejects is None) == (not bad)
    assert model.calls <= max_model_calls(rows)
    assert (model.calls == 1) == (not bad or rows == 1)


@settings(max_examples=50)
@given(rows=st.integers(9, 1200), data=st.data())
def test_one_row_more_than_a_batch_may_have_ends_it(rows: int, data: st.DataObject) -> None:
    most = max_failing_rows(rows)
    bad = data.draw(st.sets(st.integers(0, rows - 1), min_size=most + 1, max_size=most + 3))
    model = failing_on(*bad)
    with pytest.raises(RowsNotPredicted, match=f"{most + 1} rows of a batch of {rows:,} failed alone"):
        model.scored(rows)
    assert model.calls <= max_model_calls(rows)


@pytest.mark.parametrize("rows", [9, 100, 2_000, 20_000])
def test_a_batch_of_which_every_row_fails_costs_a_bounded_number_of_calls(rows: int) -> None:
    model = failing_on(*range(rows))
    with pytest.raises(RowsNotPredicted, match="failed alone") as caught:
        model.scored(rows)
    assert model.calls <= 2 * max_failing_rows(rows) + 2 * rows.bit_length()
    assert caught.value.exit_code == 4
    assert "the model raised ValueError: cannot take {" in caught.value.found
    assert "source.where" in caught.value.do
    assert isinstance(caught.value.__cause__, ValueError)  # with the model's own stack, for --debug


def test_the_bounds_are_those_of_the_documentation() -> None:
    assert [max_failing_rows(rows) for rows in (1, 799, 20_000, 10_000_000)] == [8, 8, 200, 256]
    assert [max_model_calls(rows) for rows in (1, 2, 60, 20_000)] == [1, 19, 109, 6_031]


@pytest.mark.parametrize("rows", [1, 3, 8])
def test_a_few_rows_may_all_fail(rows: int) -> None:
    made = failing_on(*range(rows)).scored(rows)
    assert made.predictions.null_count == rows
    assert made.rejects is not None
    assert made.rejects.null_count == 0


def test_a_reject_says_what_the_model_raised_and_not_what_it_said() -> None:
    made = failing_on(3).scored(5)
    assert made.rejects is not None
    assert made.rejects.type == REJECT_TYPE
    assert made.rejects[3].as_py() == {
        "code": "predict_failed",
        "error": "ValueError",
        "message": "the model raised an error on this row alone",
    }


def test_a_batch_without_a_failure_is_one_call_on_the_very_columns_and_nothing_is_copied() -> None:
    column, prediction, asked = pa.array([1.0, 2.0]), pa.array([3.0, 4.0]), []

    def score(columns: Sequence[pa.Array]) -> ScoredBatch:
        asked.append(columns[0])
        return ScoredBatch(prediction)

    made = score_by_bisection(score, [column], DOUBLE, has_own_process=False)
    assert (made.predictions is prediction, made.rejects) == (True, None)
    assert (len(asked), asked[0] is column) == (1, True)


def test_where_memory_runs_out_the_caller_makes_smaller_batches() -> None:
    model = up_to(100, MemoryError)
    with pytest.raises(BatchOutOfMemory) as caught:
        model.scored(1_000)
    assert (model.calls, caught.value.__cause__) == (1, None)  # its frames would hold what the model was given


def test_a_row_that_has_no_room_alone_is_rejected() -> None:
    made = up_to(0, MemoryError).scored(1)
    assert made.rejects is not None
    assert made.rejects[0].as_py() == {
        "code": "out_of_memory",
        "error": "MemoryError",
        "message": "memory ran out when the model predicted this row alone",
    }


def test_a_model_that_takes_single_rows_only_is_not_fed_row_by_row_for_ever() -> None:
    assert up_to(1, ValueError).scored(50).rejects is None
    model = up_to(1, ValueError)
    with pytest.raises(RowsNotPredicted, match=r"0 rows of a batch of 20,000 failed alone in 6,031 calls"):
        model.scored(20_000)
    assert model.calls == max_model_calls(20_000)


class TestWhatIsNoRowsFault:
    @pytest.mark.parametrize(
        ("result", "said"), [([1.0], "1 predictions"), (np.array(["a"] * 60), "values of type string"), (None, "None")]
    )
    def test_wrong_counts_and_types_are_not_looked_into(self, result: Any, said: str) -> None:
        asked = []

        def answer(array: Any) -> Any:
            asked.append(len(array))
            return result

        with pytest.raises(PredictError, match=said) as caught:
            score_by_bisection(build_local_scorer(MODEL, answer), [pa.array([1.0] * 60)], DOUBLE, has_own_process=False)
        assert type(caught.value) is PredictError
        assert asked == [60]

    def test_a_model_that_aggregates_is_found_out_before_it_sees_single_rows(self) -> None:
        asked = []

        def answer(array: Any) -> Any:
            asked.append(len(array))
            if 5 in array:
                raise ValueError
            return [array.mean()]

        with pytest.raises(PredictError, match="1 predictions for a batch of 30 rows"):
            score_by_bisection(
                build_local_scorer(MODEL, answer), [pa.array(np.arange(60.0)[::-1])], DOUBLE, has_own_process=False
            )
        assert asked == [60, 30]


class TestHanging:
    def hanging_on(self, bad: float) -> Callable[[Sequence[pa.Array]], pa.Array]:
        """A scorer as the client of a model process is one; it raises on 0."""

        def score(columns: Sequence[pa.Array]) -> ScoredBatch:
            values = columns[0].to_pylist()
            if 0.0 in values:
                raise RowsNotPredicted("raised", raised="KeyError")
            if bad in values:
                raise BatchTimeout("hangs")
            return ScoredBatch(pc.multiply(columns[0], 2.0))

        return score

    def test_where_the_process_ends_the_rows_of_the_batch_are_rejected_without_a_further_look(self) -> None:
        made = score_by_bisection(self.hanging_on(2.0), [pa.array([1.0, 2.0, 3.0])], DOUBLE, has_own_process=True)
        assert made.predictions.to_pylist() == [None] * 3
        assert made.rejects is not None
        assert {(one["code"], one["error"]) for one in made.rejects.to_pylist()} == {("batch_timeout", None)}

    def test_a_part_that_hangs_takes_no_other_part_along(self) -> None:
        made = score_by_bisection(self.hanging_on(6.0), [pa.array(np.arange(8.0))], DOUBLE, has_own_process=True)
        assert made.predictions.to_pylist() == [None, 2.0, 4.0, 6.0, None, None, None, None]
        assert made.rejects is not None
        codes = [None if one is None else one["code"] for one in made.rejects.to_pylist()]
        assert codes == ["predict_failed", None, None, None, *["batch_timeout"] * 4]

    def test_where_it_does_not_the_run_has_to(self) -> None:
        with pytest.raises(BatchTimeout):
            score_by_bisection(self.hanging_on(1.0), [pa.array([1.0])], DOUBLE, has_own_process=False)


class TestKernel:
    def kernel(self, model: Model, told: list[int], **more: Any) -> Kernel:
        return Kernel(
            MODEL, load=lambda: build_local_scorer(MODEL, model), on_batch=lambda rows, _: told.append(rows), **more
        )

    def batch(self, rows: int, keep: list[bool | None] | None = None) -> pa.RecordBatch:
        column = pa.array(np.arange(rows, dtype=np.float64))
        if keep is None:
            return pa.record_batch([column], ["x"])
        return pa.record_batch([pa.array(keep), column], ["_keep", "x"])

    def test_the_column_of_rejects_is_there_where_some_row_was_rejected(self) -> None:
        told: list[int] = []
        kernel = self.kernel(failing_on(1), told)
        assert kernel(self.batch(1)).schema.names == ["prediction"]
        made = kernel(self.batch(3))
        assert made.schema == pa.schema([("prediction", DOUBLE), ("_reject", REJECT_TYPE)])
        assert made.column(0).to_pylist() == [0.0, None, 4.0]
        assert told == [1, 2]

    def test_rows_that_are_not_kept_have_neither_prediction_nor_reject(self) -> None:
        told: list[int] = []
        made = self.kernel(failing_on(1, 3), told)(self.batch(5, [True, True, False, True, None]))
        assert made.column(0).to_pylist() == [0.0, None, None, None, None]
        assert made.column(1).is_valid().to_pylist() == [False, True, False, True, False]
        assert told == [1]

    def test_without_rejects_the_first_failure_is_raised(self) -> None:
        told: list[int] = []
        model = failing_on(1)
        with pytest.raises(RowsNotPredicted, match="on a batch of 3 rows"):
            self.kernel(model, told, collect_rejects=False)(self.batch(3))
        assert (model.calls, told) == (1, [])
