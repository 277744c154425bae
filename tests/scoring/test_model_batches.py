"""How rows become the batches that the model gets, and what becomes of them where memory runs out. No Spark."""

import random
import weakref
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparkscore.errors import BatchOutOfMemory, PredictError, RowsNotPredicted
from sparkscore.model.distribution.shipped_model import ShippedModel
from sparkscore.model.runtimes.scored_batch import ScoredBatch
from sparkscore.model.runtimes.scorer import build_local_scorer
from sparkscore.records import BatchLimits, ModelInput
from sparkscore.scoring import model_batches
from sparkscore.scoring.batch_memory import MemoryWatch
from sparkscore.scoring.batch_sizer import BatchSizer
from sparkscore.scoring.kernel import Kernel
from sparkscore.scoring.reject_bisection import max_failing_rows

DOUBLE = pa.float64()
MODEL = ShippedModel("0" * 64, "archive", "sklearn", (ModelInput("x", DOUBLE, True),), True, DOUBLE)
TEXTS = ShippedModel("0" * 64, "archive", "pyfunc", (ModelInput("t", pa.string(), True),), False, DOUBLE)


@dataclass
class Clock:
    """The time, which passes while the model predicts: a millisecond for a batch, a microsecond for each row."""

    now: float = 0.0
    queued: float = 0.0

    def monotonic(self) -> float:
        return self.now

    def pass_batch(self, rows: int) -> None:
        self.now += 1e-3 + 1e-6 * rows

    def wait_for_core(self, seconds: float) -> None:
        self.now, self.queued = self.now + seconds, self.queued + seconds


clock = Clock()


@pytest.fixture(autouse=True)
def _no_other_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model_batches, "time", clock)
    monkeypatch.setattr(model_batches, "read_queued_s", lambda: clock.queued)


class Model:
    """Doubles its only input, and keeps how many rows it was called with; `refuse` raises where it wants to."""

    def __init__(self, refuse: Callable[[Any], object] = lambda _: None) -> None:
        self.refuse, self.batches = refuse, list[int]()

    def __call__(self, array: Any) -> Any:
        self.batches.append(len(array))
        clock.pass_batch(len(array))
        self.refuse(array[:, 0])
        return array[:, 0] * 2


class Run:
    """A kernel over a model, and what it tells."""

    def __init__(self, model: Model, sizer: BatchSizer, **more: Any) -> None:
        self.model, self.predicted, self.halved = model, list[int](), 0
        self.kernel = Kernel(
            replace(MODEL, nullable=more.pop("nullable", None)),
            load=lambda: build_local_scorer(MODEL, model),
            on_batch=lambda rows, _: self.predicted.append(rows),
            on_halved=self._count,
            sizer=sizer,
            **more,
        )

    def _count(self) -> None:
        self.halved += 1

    def score(self, *sizes: int) -> list[Any]:
        """The predictions and the rejects' codes of the rows 0, 1, … in batches of these sizes."""
        ends = np.cumsum([0, *sizes])
        columns = [np.arange(low, high, dtype=np.float64) for low, high in pairwise(ends)]
        scored = self.kernel.score_group([pa.record_batch([pa.array(one)], ["x"]) for one in columns])
        assert [one.num_rows for one in scored] == list(sizes)
        return [row for one in scored for row in told(one)]


def told(scored: pa.RecordBatch) -> list[Any]:
    if scored.num_columns == 1:
        values: list[Any] = scored.column(0).to_pylist()
        return values
    assert scored.column(1).null_count < scored.num_rows
    rows = zip(scored.column(0).to_pylist(), scored.column(1).to_pylist(), strict=True)
    return [value if reject is None else reject["code"] for value, reject in rows]


def at_most(rows: int, error: type[Exception] = MemoryError) -> Model:
    def refuse(column: Any) -> None:
        if len(column) > rows:
            raise error("no room")

    return Model(refuse)


def fixed(rows: int, **more: Any) -> BatchSizer:
    return BatchSizer(BatchLimits(rows=rows, **more))


def doubled(rows: int) -> list[float]:
    return [row * 2.0 for row in range(rows)]


class TestSizes:
    def test_no_batch_has_more_rows_than_the_settings_say_and_the_rest_is_no_tiny_one(self) -> None:
        run = Run(Model(), fixed(7))
        assert run.score(60) == doubled(60)
        assert run.model.batches == run.predicted == [7, 7, 7, 7, 7, 7, 6, 6, 6]

    def test_batches_of_the_source_come_together_and_each_has_its_own_rows_back(self) -> None:
        run = Run(Model(), fixed(100))
        assert run.score(20, 30, 1, 9) == doubled(60)
        assert run.model.batches == [60]

    def test_a_batch_that_is_alone_reaches_the_model_as_it_is(self) -> None:
        given: list[Any] = []
        column, prediction = pa.array([1.0, 2.0]), pa.array([3.0, 4.0])

        def score(columns: Sequence[pa.Array]) -> ScoredBatch:
            given.append(columns[0])
            return ScoredBatch(prediction)

        kernel = Kernel(MODEL, load=lambda: score, on_batch=lambda *_: None, sizer=fixed(10))
        assert kernel(pa.record_batch([column], ["x"])).column(0) is not None
        assert given[0].equals(column)
        assert given[0].buffers()[1].address == column.buffers()[1].address

    def test_by_itself_it_finds_the_size_that_is_fastest(self) -> None:
        run = Run(Model(), BatchSizer(BatchLimits()))
        while run.kernel.sizer.chosen_rows is None:
            run.score(20_000)
        assert run.model.batches[:2] == [64, 64]
        assert run.kernel.sizer.chosen_rows > 9_000  # nine tenths of the time is the rows'
        found = len(run.model.batches)
        assert run.score(20_000) == doubled(20_000)
        assert len(run.model.batches) - found <= 20_000 / run.kernel.sizer.chosen_rows + 2

    @pytest.mark.parametrize("waits", ["predicting", "reading the clock"])
    def test_waits_for_a_core_neither_slow_a_size_down_nor_speed_it_up(
        self, waits: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        chance = random.Random(0)

        def wait(*_: Any) -> float:
            clock.wait_for_core(0.005 if chance.random() < 0.4 else 0.0)
            return clock.queued

        predicting = waits == "predicting"
        if not predicting:
            monkeypatch.setattr(model_batches, "read_queued_s", wait)
        run = Run(Model(wait) if predicting else Model(), BatchSizer(BatchLimits()))
        while run.kernel.sizer.chosen_rows is None:
            run.score(20_000)
        assert run.kernel.sizer.chosen_rows > 9_000

    def test_what_an_earlier_run_has_found_is_where_it_begins(self) -> None:
        run = Run(Model(), BatchSizer(BatchLimits(known_rows=1_000, most_rows=1_500)))
        run.score(20_000)
        assert run.model.batches[0] == 1_000
        assert max(run.model.batches) <= 1_500

    def test_sizes_near_the_limit_of_memory_are_not_tried(self) -> None:
        model, begun = Model(), 100 << 20

        def read_peak() -> int:
            return begun + max(model.batches, default=0) * (1 << 20)  # each row takes a mebibyte

        memory = MemoryWatch(1 << 30, read_peak)
        run = Run(model, BatchSizer(BatchLimits(), memory=memory))
        assert run.score(5_000) == doubled(5_000)
        assert max(run.model.batches) == 256
        assert run.halved == 0


class TestBytes:
    def test_wide_rows_make_small_batches(self) -> None:
        inputs = tuple(ModelInput(f"x{index}", DOUBLE, True) for index in range(10_000))
        wide, given = replace(MODEL, inputs=inputs), list[tuple[int, int]]()

        def predict(array: Any) -> Any:
            given.append(array.shape)
            return array[:, 0]

        kernel = Kernel(
            wide,
            load=lambda: build_local_scorer(wide, predict),
            on_batch=lambda *_: None,
            sizer=BatchSizer(BatchLimits(bytes=1 << 20)),
        )
        column = pa.array(np.arange(50.0))
        scored = kernel(pa.record_batch([column] * 10_000, [i.name for i in inputs]))
        assert scored.column(0).equals(column)
        assert {rows for rows, _ in given} <= {11, 13}

    @pytest.mark.parametrize("limit", [1, 1_000, 1 << 20])
    def test_a_row_that_is_longer_than_a_batch_may_be_is_one_by_itself(self, limit: int) -> None:
        lengths, given = [10, 5, 3 << 20, 7, 7, 7], list[list[int]]()

        def predict(frame: Any) -> Any:
            given.append(frame["t"].str.len().tolist())
            return frame["t"].str.len().astype("float64")

        kernel = Kernel(
            TEXTS,
            load=lambda: build_local_scorer(TEXTS, predict),
            on_batch=lambda *_: None,
            sizer=BatchSizer(BatchLimits(bytes=limit)),
        )
        scored = kernel(pa.record_batch([pa.array(["x" * length for length in lengths])], ["t"]))
        assert scored.column(0).to_pylist() == lengths
        assert [3 << 20] in given
        assert all(len(one) == 1 or sum(one) <= limit for one in given)

    def test_with_rows_alone_there_is_no_bound_of_bytes(self) -> None:
        sizer = BatchSizer(BatchLimits(rows=1_000), max_bytes=1)
        assert sizer.choose_rows(1_000, 1e9) == 1_000
        assert BatchSizer(BatchLimits(), max_bytes=1).choose_rows(1_000, 1e9) == 1


class TestOutOfMemory:
    def test_batches_are_halved_until_they_fit_and_stay_so_and_no_row_is_lost(self) -> None:
        run = Run(at_most(100), fixed(1_000))
        assert run.score(1_000) == doubled(1_000)
        assert run.model.batches[:5] == [1_000, 500, 250, 125, 59]
        assert max(run.model.batches[4:]) <= 62
        assert run.halved == 4
        again = len(run.model.batches)
        assert run.score(1_000) == doubled(1_000)
        assert max(run.model.batches[again:]) <= 62
        assert (run.halved, run.kernel.sizer.chosen_rows) == (4, 62)

    def test_a_search_ends_below_the_size_that_has_no_room(self) -> None:
        run = Run(at_most(700), BatchSizer(BatchLimits()))
        assert run.score(*[20_000] * 5) == doubled(100_000)
        assert run.halved == 1
        assert max(rows for rows in run.model.batches if rows <= 700) <= 512
        assert sum(rows > 700 for rows in run.model.batches) == 1

    @given(limit=st.integers(1, 50), sizes=st.lists(st.integers(1, 120), min_size=1, max_size=4))
    def test_whatever_fits_all_rows_are_predicted(self, limit: int, sizes: list[int]) -> None:
        run = Run(at_most(limit), fixed(100))
        assert run.score(*sizes) == doubled(sum(sizes))
        assert all(rows <= limit for rows in run.model.batches[run.halved :] if rows <= limit)
        assert sum(rows > limit for rows in run.model.batches) == run.halved <= 7

    def test_a_row_that_has_no_room_alone_is_rejected_and_batches_are_as_large_as_before(self) -> None:
        def refuse(column: Any) -> None:
            if 37.0 in column:
                raise MemoryError

        run = Run(Model(refuse), fixed(64))
        expected: list[Any] = doubled(128)
        expected[37] = "out_of_memory"
        assert run.score(64, 64) == expected
        assert run.model.batches[-2:] == [45, 45]
        assert run.kernel.sizer.chosen_rows == 64

    def test_a_model_that_has_no_room_for_any_row_ends_the_run(self) -> None:
        with pytest.raises(
            RowsNotPredicted, match=r"memory ran out on a batch of 1 rows.*9 rows of a batch of 60"
        ) as one:
            Run(at_most(0), fixed(16)).score(60)
        assert not isinstance(one.value, BatchOutOfMemory)
        assert "spark" not in one.value.do
        assert "memory" in one.value.do

    def test_without_rejects_a_single_row_that_has_no_room_is_raised(self) -> None:
        run = Run(at_most(3), fixed(64), collect_rejects=False)
        assert run.score(60) == doubled(60)
        with pytest.raises(BatchOutOfMemory):
            Run(at_most(0), fixed(64), collect_rejects=False).score(60)

    def test_what_the_model_was_given_is_freed_before_halves_are_tried(self) -> None:
        seen: list[weakref.ref[Any]] = []
        held: list[int] = []

        def refuse(column: Any) -> None:
            held.append(sum(one() is not None for one in seen))
            if len(column) > 1:
                seen.append(weakref.ref(column))
                raise MemoryError

        run = Run(Model(refuse), fixed(64))
        assert run.score(16) == doubled(16)
        assert (len(held), max(held)) == (4 + 16, 0)

    def test_memory_that_runs_out_beside_the_model_counts_too(self) -> None:
        def prepare(columns: Sequence[pa.Array], _: ShippedModel) -> Any:
            if len(columns[0]) > 2:
                raise MemoryError
            return columns[0].to_numpy()

        scorer = build_local_scorer(MODEL, lambda array: array * 2, prepare)
        kernel = Kernel(MODEL, load=lambda: scorer, on_batch=lambda *_: None)
        assert told(kernel(pa.record_batch([pa.array([1.0, 2.0, 3.0])], ["x"]))) == [2.0, 4.0, 6.0]


class TestFailures:
    """As many rows of a batch of the source may fail as ever, whatever batches the model gets."""

    @given(rows=st.integers(1, 300), data=st.data())
    def test_the_same_rows_are_rejected_whatever_the_size_of_batches(self, rows: int, data: st.DataObject) -> None:
        bad = data.draw(st.sets(st.integers(0, rows - 1), max_size=max_failing_rows(rows)))
        expected = ["predict_failed" if row in bad else row * 2.0 for row in range(rows)]
        for size in (1, 7, 100, 1_000):
            assert Run(failing_on(*bad), fixed(size)).score(rows) == expected

    @pytest.mark.parametrize("size", [1, 7, 100, 1_000])
    def test_one_too_many_of_a_batch_of_the_source_ends_the_run(self, size: int) -> None:
        with pytest.raises(RowsNotPredicted, match="9 rows of a batch of 90 failed alone"):
            Run(failing_on(*range(0, 90, 10)), fixed(size)).score(90, 90)

    @pytest.mark.parametrize("size", [7, 100, 1_000])
    def test_those_of_one_do_not_count_for_another(self, size: int) -> None:
        bad = {*range(0, 80, 10), *range(90, 170, 10)}
        scored = Run(failing_on(*bad), fixed(size)).score(90, 90)
        assert [row for row, value in enumerate(scored) if value == "predict_failed"] == sorted(bad)

    def test_a_result_of_another_length_is_the_models_fault(self) -> None:
        kernel = Kernel(
            MODEL, load=lambda: build_local_scorer(MODEL, lambda array: [1.0]), on_batch=lambda *_: None, sizer=fixed(7)
        )
        with pytest.raises(PredictError, match="1 predictions for a batch of 7 rows"):
            kernel(pa.record_batch([pa.array(np.arange(14.0))], ["x"]))

    def test_rows_that_lack_a_prediction_are_rejected_in_each_of_the_batches(self) -> None:
        class Missing(Model):
            def __call__(self, array: Any) -> Any:
                return np.where(array[:, 0] % 10 == 3, np.nan, array[:, 0] * 2)

        run = Run(Missing(), fixed(7), nullable=frozenset())
        scored = run.score(20, 20)
        assert [row for row, value in enumerate(scored) if value == "null_prediction"] == [3, 13, 23, 33]
        assert sum(run.predicted) == 36


def failing_on(*bad: int) -> Model:
    def refuse(column: Any) -> None:
        if set(column.tolist()) & set(bad):
            raise ValueError("cannot take it")

    return Model(refuse)


class TestGroups:
    def groups(self, sizer: BatchSizer, *sizes: int) -> list[list[int]]:
        batches = [pa.record_batch([pa.array(np.zeros(size))], ["x"]) for size in sizes]
        return [[one.num_rows for one in group] for group in sizer.group_batches(batches)]

    def test_batches_of_the_wanted_size_are_not_waited_for(self) -> None:
        given = iter([pa.record_batch([pa.array(np.zeros(80))], ["x"]), None])  # the second is never asked for
        group = next(fixed(100).group_batches(given))
        assert [one.num_rows for one in group] == [80]

    def test_small_ones_are_brought_together_within_rows_and_bytes(self) -> None:
        assert self.groups(fixed(100), 30, 30, 30, 30, 30) == [[30, 30, 30], [30, 30]]
        assert self.groups(fixed(100, bytes=8 * 65), 30, 30, 30) == [[30, 30], [30]]
        assert self.groups(fixed(100), 500, 1, 500) == [[500], [1], [500]]

    def test_where_a_batch_may_take_too_long_they_stay_apart(self) -> None:
        assert self.groups(BatchSizer(BatchLimits(rows=100), max_batch_s=1.0), 30, 30) == [[30], [30]]
