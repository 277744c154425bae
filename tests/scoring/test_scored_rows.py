"""What a model says beside its predictions, through the kernel: rejects of its own, counts."""

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from types import MappingProxyType
from typing import Any, cast

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from scipy.sparse import csr_matrix

from sparkscore import RowReject, ScoredRows
from sparkscore.errors import PredictError
from sparkscore.model.distribution.shipped_model import ShippedModel
from sparkscore.model.runtimes.scorer import build_local_scorer
from sparkscore.records import BatchLimits, ModelInput
from sparkscore.scoring.batch_sizer import BatchSizer
from sparkscore.scoring.kernel import Kernel

DOUBLE = pa.float64()
LIST = pa.list_(DOUBLE)
STRUCT = pa.struct([("p", DOUBLE), ("l", pa.string())])
MODEL = ShippedModel("0" * 64, "archive", "sklearn", (ModelInput("x", DOUBLE, True),), False, DOUBLE)
ODD = RowReject("odd", "the number is odd")
HIDDEN = "the model rejected this row"


def run(
    answer: Any, *values: float, model: ShippedModel = MODEL, keep: list[bool] | None = None, **more: Any
) -> tuple[list[Any], list[Any], list[Mapping[str, float]]]:
    """Predictions, (code, error, message) of rejects, and what was counted, call by call."""
    counted: list[Mapping[str, float]] = []
    load = partial(build_local_scorer, model, answer)
    kernel = Kernel(model, load=load, on_batch=lambda *_: None, on_counts=counted.append, **more)
    batch = pa.record_batch([pa.array(values, DOUBLE)], ["x"])
    if keep is not None:
        batch = pa.record_batch([pa.array(keep), *batch.columns], ["_keep", "x"])
    scored = kernel(batch)
    rejects = scored.column(1).to_pylist() if scored.num_columns > 1 else [None] * len(values)
    return scored.column(0).to_pylist(), [one and tuple(one.values()) for one in rejects], counted


def said(predictions: Any, rejects: Any = MappingProxyType({}), counts: Any = MappingProxyType({})) -> ScoredRows:
    """Whatever a model may put there."""
    return ScoredRows(predictions, rejects, counts)


def odd_rows(frame: Any) -> dict[int, RowReject]:
    return {int(place): ODD for place in np.flatnonzero(frame["x"].to_numpy() % 2 == 1)}


def halve(frame: Any, **more: Any) -> ScoredRows:
    return ScoredRows((frame["x"] / 2).to_numpy(), odd_rows(frame), **more)


class TestRejects:
    def test_a_row_that_the_model_rejects_has_its_code_and_its_words_and_no_prediction(self) -> None:
        predictions, rejects, counted = run(halve, 2.0, 3.0, 4.0)
        assert predictions == [1.0, None, 2.0]
        assert rejects == [None, ("odd", None, "the number is odd"), None]
        assert counted == []

    def test_without_rejects_and_counts_it_is_as_if_the_predictions_were_returned(self) -> None:
        assert run(lambda frame: ScoredRows(frame["x"]), 1.0, 2.0) == ([1.0, 2.0], [None, None], [])

    def test_where_every_row_is_rejected_there_is_nothing_to_convert(self) -> None:
        predictions, rejects, _ = run(lambda frame: ScoredRows([None] * 3, dict.fromkeys(range(3), ODD)), 1.0, 3.0, 5.0)
        assert predictions == [None] * 3
        assert [one[0] for one in rejects] == ["odd"] * 3

    def test_most_rows_of_a_batch_may_be_rejected_and_the_model_has_not_failed(self) -> None:
        predictions, rejects, _ = run(halve, *[1.0] * 999, 2.0)
        assert predictions == [None] * 999 + [1.0]
        assert sum(one is not None for one in rejects) == 999

    @pytest.mark.parametrize(
        ("predictions", "output", "expected"),
        [
            ([0.5, "what stands here is ignored", 1.5], DOUBLE, [0.5, None, 1.5]),
            ([0.5, None, 1.5], DOUBLE, [0.5, None, 1.5]),
            (np.array([0.5, np.nan, 1.5]), DOUBLE, [0.5, None, 1.5]),
            (np.array([[0.5], [9.0], [1.5]]), DOUBLE, [0.5, None, 1.5]),
            (csr_matrix([[0.5], [9.0], [1.5]]), DOUBLE, [0.5, None, 1.5]),
            (pd.Series([1.5, 0.5, 9.0], index=[2, 0, 1]), DOUBLE, [0.5, None, 1.5]),
            ({"p": pd.Series([1.5, 0.5, 9.0], index=[2, 0, 1])}, DOUBLE, [0.5, None, 1.5]),
            (["a", None, "b"], pa.string(), ["a", None, "b"]),
            ([1, None, 2], pa.int64(), [1, None, 2]),
            ([[0.5, 1.0], None, []], LIST, [[0.5, 1.0], None, []]),
            (np.ones((3, 2)), LIST, [[1.0, 1.0], None, [1.0, 1.0]]),
            (
                [{"p": 0.5, "l": "a"}, None, {"p": 1.5, "l": "b"}],
                STRUCT,
                [{"p": 0.5, "l": "a"}, None, {"p": 1.5, "l": "b"}],
            ),
            (
                {"p": [0.5, None, 1.5], "l": ["a", 7, "b"]},
                STRUCT,
                [{"p": 0.5, "l": "a"}, None, {"p": 1.5, "l": "b"}],
            ),
            (
                pd.DataFrame({"p": [0.5, 9.0], "l": ["a", "b"]}, index=[0, 2]).reindex(range(3)),
                STRUCT,
                [{"p": 0.5, "l": "a"}, None, {"p": 9.0, "l": "b"}],
            ),
        ],
    )
    def test_what_stands_at_a_rejected_row_is_ignored_in_every_shape(
        self, predictions: Any, output: pa.DataType, expected: list[Any]
    ) -> None:
        made = run(lambda frame: ScoredRows(predictions, {1: ODD}), 1, 2, 3, model=replace(MODEL, output=output))
        assert made[0] == expected

    def test_positions_may_be_numpys_and_are_those_of_the_rows_that_the_model_got(self) -> None:
        def answer(frame: Any) -> ScoredRows:
            return said(frame["x"], {np.int64(1): ODD})

        predictions, rejects, _ = run(answer, 1.0, 2.0, 3.0, keep=[True, False, True])
        assert predictions == [1.0, None, None]
        assert rejects == [None, None, ("odd", None, "the number is odd")]

    def test_a_missing_prediction_beside_them_is_rejected_for_what_it_is(self) -> None:
        model = replace(MODEL, nullable=frozenset())
        _, rejects, _ = run(lambda frame: ScoredRows([np.nan, None, 1.0], {1: ODD}), 1.0, 2.0, 3.0, model=model)
        assert [one and one[0] for one in rejects] == ["null_prediction", "odd", None]

    def test_where_it_raises_on_other_rows_these_alone_are_looked_for(self) -> None:
        def answer(frame: Any) -> ScoredRows:
            if 4.0 in set(frame["x"]):
                raise KeyError("four")
            return halve(frame, counts={"calls": 1})

        predictions, rejects, counted = run(answer, 1.0, 2.0, 3.0, 4.0, 6.0, 8.0)
        assert predictions == [None, 1.0, None, None, 3.0, 4.0]
        assert [one and one[0] for one in rejects] == ["odd", None, "odd", "predict_failed", None, None]
        assert sum(one["calls"] for one in counted) == len(counted) == 2

    def test_a_caller_that_wants_no_rejects_gets_no_prediction(self) -> None:
        assert run(halve, 2.0, 3.0, collect_rejects=False)[0] == [1.0, None]


class TestMessages:
    def test_a_message_is_one_line_of_300_characters(self) -> None:
        _, (reject,), _ = run(lambda frame: ScoredRows([None], {0: RowReject("long", "a\nb\t" + "c" * 400)}), 1.0)
        assert reject[2] == "a b " + "c" * 296

    def test_without_one_it_says_that_the_model_rejected_the_row(self) -> None:
        _, (reject,), _ = run(lambda frame: ScoredRows([None], {0: RowReject("mute")}), 1.0)
        assert reject == ("mute", None, HIDDEN)

    def test_it_holds_no_secret(self) -> None:
        _, (reject,), _ = run(lambda frame: ScoredRows([None], {0: RowReject("key", "api_key=sk-12345678")}), 1.0)
        assert "sk-12345678" not in reject[2]

    def test_of_a_sensitive_model_nobody_sees_it(self) -> None:
        _, rejects, _ = run(halve, 3.0, model=replace(MODEL, sensitive=True))
        assert rejects == [("odd", None, HIDDEN)]


class TestCounts:
    def test_they_are_told_call_by_call(self) -> None:
        sizer = BatchSizer(BatchLimits(rows=2))
        counts = {"tokens": np.int64(7), "cost": np.float64(0.25)}
        _, _, counted = run(lambda frame: halve(frame, counts=counts), 2.0, 4.0, 6.0, 8.0, sizer=sizer)
        assert counted == [{"tokens": 7, "cost": 0.25}] * 2
        assert [type(value) for value in counted[0].values()] == [int, float]

    def test_those_of_a_call_are_kept_where_the_batch_then_fails(self) -> None:
        calls: list[int] = []

        def answer(frame: Any) -> ScoredRows:
            calls.append(len(frame))
            if len(calls) % 2:
                raise KeyError("again")
            return halve(frame, counts={"tokens": 5})

        counted: list[Mapping[str, float]] = []
        load = partial(build_local_scorer, MODEL, answer)
        kernel = Kernel(MODEL, load=load, on_batch=lambda *_: None, on_counts=counted.append)
        kernel(pa.record_batch([pa.array(np.arange(8.0))], ["x"]))
        assert sum(one["tokens"] for one in counted) == 5 * (len(calls) // 2)


class TestMisuse:
    @pytest.mark.parametrize(
        ("answer", "found"),
        [
            (lambda: said([0.5], {}), "1 predictions for a batch of 2 rows"),
            (lambda: said([0.5], {0: ODD}), "1 predictions for a batch of 2 rows"),
            (lambda: said([0.5] * 3, {0: ODD, 1: ODD}), "3 predictions for a batch of 2 rows"),
            (lambda: said(0.5, {0: ODD}), "a float for a batch of 2 rows"),
            (lambda: said(np.float64(0.5), {0: ODD}), "a float64 for a batch of 2 rows"),
            (lambda: said(["a", None], {1: ODD}), "values of type string"),
            (lambda: said([0.5, 1.0], {2: ODD}), "a reject at position 2 of a batch of 2 rows"),
            (lambda: said([0.5, 1.0], {-1: ODD}), "a reject at position -1"),
            (lambda: said([0.5, 1.0], {"1": ODD}), "a reject at a position of type str"),
            (lambda: said([0.5, 1.0], [ODD]), "rejects of type list"),
            (lambda: said([0.5, 1.0], {0: "odd"}), "a reject of type str"),
            (lambda: said([0.5, 1.0], {0: RowReject("Empty text")}), "a reject with the code 'Empty text'"),
            (lambda: said([0.5, 1.0], {0: RowReject("")}), "a reject with the code ''"),
            (lambda: said([0.5, 1.0], {0: RowReject("a" * 41)}), "a reject with the code 'aaaa"),
            (lambda: said([0.5, 1.0], {0: RowReject(cast(str, 7))}), "a reject with the code 7"),
            (lambda: said([0.5, 1.0], {0: RowReject("odd", cast(str, 7))}), "a reject with a message of type int"),
            (lambda: said([0.5, 1.0], counts=[1]), "counts of type list"),
            (lambda: said([0.5, 1.0], counts={"Tokens": 1}), "a count with the name 'Tokens'"),
            (lambda: said([0.5, 1.0], counts={"tokens": "7"}), "the count 'tokens' that is no finite number"),
            (lambda: said([0.5, 1.0], counts={"tokens": True}), "the count 'tokens' that is no finite number"),
            (
                lambda: said([0.5, 1.0], counts={"cost": float("nan")}),
                "the count 'cost' that is no finite number",
            ),
            (lambda: said([0.5, 1.0], counts={f"c{n}": 1 for n in range(101)}), "101 counts in one call"),
        ],
    )
    def test_what_is_no_outcome_of_the_batch_is_the_models_fault_and_is_named(self, answer: Any, found: str) -> None:
        with pytest.raises(PredictError) as caught:
            run(lambda frame: answer(), 1.0, 2.0)
        assert type(caught.value) is PredictError
        assert found in caught.value.found

    def test_a_code_that_may_hold_a_value_is_not_shown(self) -> None:
        with pytest.raises(PredictError) as caught:
            run(lambda frame: ScoredRows([None], {0: RowReject("Miller")}), 1.0, model=replace(MODEL, sensitive=True))
        assert "Miller" not in str(caught.value)


def test_batches_with_rejects_of_the_models_own_say_how_fast_a_size_is() -> None:
    sizer = BatchSizer(BatchLimits())
    kernel = Kernel(MODEL, load=partial(build_local_scorer, MODEL, halve), on_batch=lambda *_: None, sizer=sizer)
    for _ in range(200):
        if sizer.chosen_rows is not None:
            break
        kernel(pa.record_batch([pa.array(np.arange(20_000.0))], ["x"]))
    assert sizer.chosen_rows is not None
