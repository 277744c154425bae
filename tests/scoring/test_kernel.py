from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from functools import partial
from traceback import format_exception
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from scipy.sparse import csr_matrix
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sparkscore.errors import DigestMismatch, InputOutOfRange, PredictError, RowsNotPredicted, SignatureError
from sparkscore.model.distribution.shipped_model import ShippedModel
from sparkscore.model.runtimes.scored_batch import ScoredBatch
from sparkscore.model.runtimes.scorer import build_local_scorer
from sparkscore.records import ModelInput
from sparkscore.scoring.kernel import Kernel

BIG = 2**53 + 1
UTC = pa.timestamp("us", tz="UTC")
DOUBLE = ModelInput("x", pa.float64(), True)


def model(
    *inputs: ModelInput, output: pa.DataType = DOUBLE.type, tensor: bool = False, runtime: Any = "sklearn"
) -> ShippedModel:
    return ShippedModel("0" * 64, "archive", runtime, inputs or (DOUBLE,), tensor, output)


def batch(*columns: Any, keep: list[Any] | None = None) -> pa.RecordBatch:
    arrays = [column if isinstance(column, pa.Array) else pa.array(column) for column in columns]
    names = [f"c{place}" for place in range(len(arrays))]
    if keep is not None:
        arrays, names = [pa.array(keep, pa.bool_()), *arrays], ["_keep", *names]
    return pa.record_batch(arrays, names)


def scored(
    shipped: ShippedModel, answer: Callable[[Any], Any], rows: pa.RecordBatch, *, collect_rejects: bool = True
) -> pa.Array:
    load = partial(build_local_scorer, shipped, answer)
    result = Kernel(shipped, load=load, on_batch=lambda *_: None, collect_rejects=collect_rejects)(rows)
    assert result.schema == pa.schema([("prediction", shipped.output)])
    assert result.num_rows == rows.num_rows
    return result.column(0)


def given(shipped: ShippedModel, rows: pa.RecordBatch, *, answers: int | tuple[int, int] | None = None) -> Any:
    """What the model is handed."""
    seen: list[Any] = []

    def answer(features: Any) -> Any:
        seen.append(features)
        return np.zeros(len(features) if answers is None else answers)

    scored(shipped, answer, rows)
    return seen[0]


class TestInputs:
    def test_columns_are_named_and_ordered_as_the_signature_says(self) -> None:
        frame = given(
            model(ModelInput("b c", pa.float64(), True), ModelInput("a", pa.string(), True)), batch([1.0], ["x"])
        )
        pd.testing.assert_frame_equal(frame, pd.DataFrame({"b c": [1.0], "a": ["x"]}))

    def test_positions_are_numbered(self) -> None:
        frame = given(model(*[ModelInput(None, pa.float64(), True)] * 2), batch([1.0], [2.0]))
        assert list(frame.columns) == [0, 1]

    def test_types_follow_the_signature(self) -> None:
        kinds = {"i": pa.int32(), "l": pa.int64(), "f": pa.float32(), "d": pa.float64(), "t": pa.timestamp("ns")}
        inputs = [ModelInput(name, kind, True) for name, kind in kinds.items()]
        small = pa.array([1], pa.int8())
        frame = given(model(*inputs), batch(small, small, small, small, pa.array([1], pa.date32())))
        assert [str(dtype) for dtype in frame.dtypes] == ["int32", "int64", "float32", "float64", "datetime64[ns]"]
        assert frame["t"].tolist() == [pd.Timestamp("1970-01-02")]

    def test_null_in_doubles_is_nan_and_in_text_none(self) -> None:
        inputs = model(DOUBLE, ModelInput("s", pa.string(), True), ModelInput("b", pa.bool_(), True))
        frame = given(inputs, batch([1.0, None], ["a", None], [True, None]))
        assert np.isnan(frame["x"][1])
        assert frame["s"].tolist() == ["a", None]
        assert frame["b"].tolist() == [True, None]

    def test_required_integers_refuse_null_and_name_the_input(self) -> None:
        with pytest.raises(PredictError, match="1 of 3 rows of a batch have NULL in the input n"):
            given(model(ModelInput("n", pa.int64(), True)), batch([BIG, None, 1]))

    def test_optional_integers_beside_null_are_exact(self) -> None:
        frame = given(model(ModelInput("n", pa.int64(), False)), batch([BIG, None]))
        assert frame["n"].dtype == pd.Int64Dtype()
        assert frame["n"].tolist() == [BIG, pd.NA]

    def test_optional_integers_have_one_type_in_every_batch(self) -> None:
        frame = given(model(ModelInput("n", pa.int32(), False)), batch(pa.array([1], pa.int32())))
        assert frame["n"].dtype == pd.Int32Dtype()

    def test_mlflow_takes_no_nullable_integers(self) -> None:
        with pytest.raises(PredictError, match="NULL in the input n") as caught:
            given(model(ModelInput("n", pa.int64(), False), runtime="pyfunc"), batch([BIG, None]))
        assert "pyfunc" in caught.value.expected

    @pytest.mark.parametrize(
        ("kind", "column"),
        [
            (pa.float64(), pa.array([1])),
            (pa.float64(), pa.array(["1"])),
            (pa.int64(), pa.array([1.0])),
            (pa.float32(), pa.array([1.0])),
            (pa.int32(), pa.array([1])),
            (pa.float64(), pa.array([Decimal("12345678901234567.8")])),
            (pa.int64(), pa.array([True])),
        ],
    )
    def test_a_lossy_cast_is_refused_by_the_columns_type(self, kind: pa.DataType, column: pa.Array) -> None:
        with pytest.raises(SignatureError, match="input x arrives as"):
            given(model(ModelInput("x", kind, True)), batch(column))

    def test_a_time_that_does_not_fit_is_an_error_without_its_value(self) -> None:
        year_9999 = pa.array([253_402_300_799_000_000], UTC)
        with pytest.raises(PredictError, match=r"a value of input t .* does not fit") as caught:
            given(model(ModelInput("t", pa.timestamp("ns"), True)), batch(year_9999))
        assert "253402300799" not in str(caught.value)

    def test_a_tensor_is_one_array_of_its_type(self) -> None:
        shipped = model(*[ModelInput(None, pa.float32(), True)] * 2, tensor=True)
        array = given(shipped, batch(pa.array([1, 2], pa.int16()), pa.array([0.5, None], pa.float32())))
        assert (array.dtype, array.shape) == (np.float32, (2, 2))
        np.testing.assert_array_equal(array, np.array([[1, 0.5], [2, np.nan]], np.float32))

    def test_null_in_a_tensor_of_booleans_or_integers_is_refused(self) -> None:
        for kind in (pa.bool_(), pa.int32()):
            shipped = model(*[ModelInput(None, kind, True)] * 2, tensor=True)
            with pytest.raises(PredictError, match="NULL in the input 1"):
                given(shipped, batch(pa.array([1, 0]).cast(kind), pa.array([1, None]).cast(kind)))

    def test_one_type_of_numbers_is_one_block_that_the_model_may_change(self) -> None:
        for kind in (pa.float64(), pa.float32(), pa.int64(), pa.int32()):
            whole = pa.array([1, 2]).cast(kind)
            frame = given(model(ModelInput("a", kind, True), ModelInput("b", kind, True)), batch(whole, whole))
            expected = pd.DataFrame({"a": [1, 2], "b": [1, 2]}).astype(kind.to_pandas_dtype())
            pd.testing.assert_frame_equal(frame, expected)
            assert frame.to_numpy().flags.f_contiguous
            assert np.shares_memory(frame["a"].to_numpy(), frame["b"].to_numpy().base)
            frame["a"] += 1
            assert whole.to_pylist() == [1, 2]

    @pytest.mark.parametrize("kind", [pa.float64(), pa.float32(), pa.int64()])
    def test_models_compute_the_same_bits_as_with_a_frame_that_pandas_makes(self, kind: pa.DataType) -> None:
        values = np.random.default_rng(0).normal(size=(1000, 12)) * 100
        columns = [pa.array(values[:, place]).cast(kind, safe=False) for place in range(12)]
        frame = pd.DataFrame({f"x{place}": column.to_pandas() for place, column in enumerate(columns)})
        target = frame["x0"] > frame["x1"]
        shipped = model(*[ModelInput(name, kind, True) for name in frame.columns], output=LIST)
        network = MLPClassifier((16,), solver="lbfgs", max_iter=5000, random_state=0)
        for last in (LogisticRegression(), network):
            predict = make_pipeline(StandardScaler(), last).fit(frame, target).predict_proba
            seen = given(shipped, batch(*columns), answers=(1000, 2))
            np.testing.assert_array_equal(predict(seen), predict(frame))

    def test_rows_of_lists_are_a_tensor_of_their_sizes(self) -> None:
        block = ModelInput(None, pa.list_(pa.list_(pa.float64())), True, (2, 3))
        rows = [[[1, 2, 3], [4, 5, None]], [[6, 7, 8], [9, 10, 11]]]
        column = pa.array([[], *rows], pa.list_(pa.list_(pa.int16()))).slice(1)
        array = given(model(block, tensor=True), batch(column))
        assert array.dtype == np.float64
        np.testing.assert_array_equal(array, np.array(rows, float))
        array[0, 0, 0] = 7.0
        assert column[0][0][0].as_py() == 1

    def test_lists_of_a_fixed_size_are_taken_as_well(self) -> None:
        shipped = model(ModelInput(None, pa.list_(pa.float32()), True, (2,)), tensor=True)
        column = pa.array([[1, 2], [3, 4]], pa.list_(pa.float32(), 2))
        np.testing.assert_array_equal(given(shipped, batch(column)), np.array([[1, 2], [3, 4]], np.float32))

    @pytest.mark.parametrize(
        ("rows", "found"),
        [
            ([[[1.5], [2.5]], [[1.5]]], "1 of 2 lists of a batch in the input block have not 2 items"),
            ([[[1.5], [2.5]], None], "1 of 2 lists of a batch in the input block have not 2 items"),
            ([[[1.5], [2.5]], [[1.5], []]], "1 of 4 lists of a batch in the input block have not 1 items"),
            ([[[1.5], [2.5]], [[1.5], None]], "1 of 4 lists of a batch in the input block have not 1 items"),
        ],
    )
    def test_a_row_of_another_size_is_told_without_its_values(self, rows: Any, found: str) -> None:
        block = ModelInput("block", pa.list_(pa.list_(pa.float64())), True, (2, 1))
        with pytest.raises(PredictError, match=found) as caught:
            given(model(block, tensor=True), batch(pa.array(rows, block.type)))
        assert "1.5" not in str(caught.value)
        assert "('rows', 2, 1)" in caught.value.expected

    def test_null_in_lists_of_integers_is_refused(self) -> None:
        shipped = model(ModelInput("n", pa.list_(pa.int64()), True, (2,)), tensor=True)
        with pytest.raises(PredictError, match="1 of 4 rows of a batch have NULL in the input n"):
            given(shipped, batch(pa.array([[1, 2], [3, None]])))

    def test_named_tensors_are_a_dict_of_arrays(self) -> None:
        inputs = [
            ModelInput("flat", pa.int64(), True, ()),
            ModelInput("up", pa.float32(), True, (1,)),
            ModelInput("wide", pa.list_(pa.float64()), True, (2,)),
        ]
        rows = batch([BIG, 2], pa.array([0.5, None], pa.float32()), [[1.0, 2.0], [3.0, 4.0]])
        arrays = given(model(*inputs, tensor=True), rows, answers=2)
        assert {name: (array.shape, str(array.dtype)) for name, array in arrays.items()} == {
            "flat": ((2,), "int64"),
            "up": ((2, 1), "float32"),
            "wide": ((2, 2), "float64"),
        }
        assert arrays["flat"].tolist() == [BIG, 2]

    def test_lists_and_structs_keep_the_width_of_their_numbers(self) -> None:
        numbers = pa.list_(pa.int32())
        inner = pa.struct([("k", pa.int32()), ("v", numbers)])
        inputs = [ModelInput("l", numbers, True), ModelInput("s", inner, True), ModelInput("ls", pa.list_(inner), True)]
        row = {"k": 7, "v": [1, 2, None]}
        frame = given(
            model(*inputs),
            batch(pa.array([[1], None], numbers), pa.array([row, None], inner), pa.array([[row], []], pa.list_(inner))),
        )
        assert frame["l"][0].dtype == np.int32
        assert frame["l"][1] is None
        assert isinstance(frame["s"][0]["k"], np.int32)
        assert [type(number) for number in frame["s"][0]["v"]] == [np.int32, np.int32, type(None)]
        assert frame["s"][1] is None
        assert frame["ls"][0][0]["k"] == 7
        assert list(frame["ls"][1]) == []

    def test_another_number_of_columns_is_refused(self) -> None:
        with pytest.raises(SignatureError, match="2 columns"):
            given(model(), batch([1.0], [2.0]))


class TestMissingValues:
    @pytest.mark.parametrize(
        ("one", "column", "expected"),
        [
            (ModelInput("x", pa.float64(), True, fill=-1), [1.0, None, np.nan, np.inf, -np.inf], [1.0, -1, -1, -1, -1]),
            (ModelInput("x", pa.int64(), True, fill=0), [BIG, None], [BIG, 0]),
            (ModelInput("x", pa.string(), True, fill="none"), ["a", None], ["a", "none"]),
            (ModelInput("x", pa.bool_(), True, fill=False), [True, None], [True, False]),
            (ModelInput("x", pa.float64(), False, fill=0.5), pa.nulls(2), [0.5, 0.5]),
        ],
    )
    def test_a_value_takes_their_place_and_they_are_counted(
        self, one: ModelInput, column: Any, expected: list[Any]
    ) -> None:
        seen: list[Any] = []
        counted: list[int] = []

        def answer(frame: Any) -> Any:
            seen.extend(frame["x"].tolist())
            return np.zeros(len(frame))

        shipped = model(one)
        load = partial(build_local_scorer, shipped, answer)
        Kernel(shipped, load=load, on_batch=lambda *_: None, on_filled=counted.append)(batch(column))
        assert seen == expected
        assert counted == [sum(value == one.fill for value in expected)]

    def test_without_the_setting_they_stay_and_nothing_is_counted(self) -> None:
        assert given(model(), batch([None, np.inf]))["x"].isna().tolist() == [True, False]


class TestNumbersOutOfRange:
    SINGLE = ModelInput("x", pa.float32(), True, may_round=True)

    def test_a_row_whose_number_would_be_infinite_is_rejected_alone(self) -> None:
        shipped = model(self.SINGLE)
        kernel = Kernel(
            shipped, load=partial(build_local_scorer, shipped, lambda frame: frame["x"]), on_batch=lambda *_: None
        )
        result = kernel(batch([0.5, 1e300, np.inf, None]))
        assert result.column(0).to_pylist()[:3] == [0.5, None, np.inf]
        message = "an input of this row is a number that the type in which the model computes cannot hold"
        assert result.column(1).to_pylist() == [
            None,
            {"code": "input_out_of_range", "error": None, "message": message},
            None,
            None,
        ]

    def test_where_no_rows_are_rejected_it_is_an_error_that_names_the_input_and_not_the_value(self) -> None:
        with pytest.raises(InputOutOfRange, match="the input x has a number") as caught:
            scored(model(self.SINGLE), lambda frame: frame["x"], batch([1e300]), collect_rejects=False)
        assert "300" not in str(caught.value)


class TestKeep:
    def test_only_kept_rows_reach_the_model_and_the_others_are_null(self) -> None:
        rows = batch([1.0, 2.0, 3.0, 4.0], keep=[True, False, None, True])
        assert given(model(), rows)["x"].tolist() == [1.0, 4.0]
        assert scored(model(), lambda frame: frame["x"] * 2, rows).to_pylist() == [2.0, None, None, 8.0]

    def test_a_null_that_is_not_kept_does_no_harm(self) -> None:
        whole = model(ModelInput("n", pa.int64(), True), output=pa.int64())
        assert scored(whole, lambda frame: frame["n"], batch([BIG, None], keep=[True, False])).to_pylist() == [
            BIG,
            None,
        ]

    @pytest.mark.parametrize("output", [pa.float64(), pa.list_(pa.float64()), pa.struct([("a", pa.int64())])])
    def test_no_kept_row_needs_no_model(self, output: pa.DataType) -> None:
        def load() -> Any:
            raise AssertionError

        kernel = Kernel(model(output=output), load=load, on_batch=lambda *_: None)
        assert kernel(batch([1.0], keep=[False])).column(0).to_pylist() == [None]
        assert kernel(batch(pa.array([], pa.float64()))).num_rows == 0

    def test_an_input_may_have_the_columns_name(self) -> None:
        rows = pa.record_batch([pa.array([1.0])], ["_keep"])
        assert scored(
            model(ModelInput("_keep", pa.float64(), True)), lambda frame: frame["_keep"], rows
        ).to_pylist() == [1.0]

    def test_rows_that_the_model_has_predicted_are_counted(self) -> None:
        counted: list[int] = []
        kernel = Kernel(
            model(),
            load=lambda: lambda columns: ScoredBatch(columns[0]),
            on_batch=lambda rows, _: counted.append(rows),
        )
        kernel(batch([1.0, 2.0]))
        kernel(batch([1.0, 2.0], keep=[True, False]))
        assert counted == [2, 1]


LIST = pa.list_(pa.float64())
STRUCT = pa.struct([("p", pa.float64()), ("l", pa.string())])
TWO = [{"p": 0.5, "l": "a"}, {"p": 1.0, "l": "b"}]
DAY = pd.Timestamp("2013-12-31 23:59:59.123456")


class TestOutputs:
    @pytest.mark.parametrize(
        ("result", "output", "expected"),
        [
            (np.array([0.5, 1.0]), pa.float64(), [0.5, 1.0]),
            (np.array([[0.5], [1.0]]), pa.float64(), [0.5, 1.0]),
            (np.array([0.5, 1.0], np.float32), pa.float64(), [0.5, 1.0]),
            ([0.5, 1], pa.float64(), [0.5, 1.0]),
            ((0.5, 1), pa.float32(), [0.5, 1.0]),
            (pd.Series([0.5, 1.0], index=[7, 3]), pa.float64(), [0.5, 1.0]),
            (pd.DataFrame({"y": [1, 2]}), pa.int64(), [1, 2]),
            ({"y": [1, 2]}, pa.int64(), [1, 2]),
            ([1, BIG], pa.int64(), [1, BIG]),
            ([1, 2], pa.int32(), [1, 2]),
            (np.array([1, 2], np.int8), pa.int32(), [1, 2]),
            (pd.Series([BIG, None], dtype="Int64"), pa.int64(), [BIG, None]),
            (np.array([True, False]), pa.bool_(), [True, False]),
            (np.array(["a", "b"]), pa.string(), ["a", "b"]),
            (np.array(["a", None], object), pa.string(), ["a", None]),
            (pd.Series(["a", np.nan]), pa.string(), ["a", None]),
            (pd.Series(["a", "b"], dtype="string"), pa.string(), ["a", "b"]),
            (pd.Series(["a", "b"], dtype="category"), pa.string(), ["a", "b"]),
            ([b"a", b"b"], pa.binary(), [b"a", b"b"]),
            (pd.Series([DAY, pd.NaT]), UTC, [DAY.tz_localize("UTC"), None]),
            (csr_matrix([[0.5], [1.0]]), pa.float64(), [0.5, 1.0]),
            (np.array([[1.0, 2.0], [3.0, 4.0]]), LIST, [[1.0, 2.0], [3.0, 4.0]]),
            (pd.DataFrame({"a": [1.0, 3.0], "b": [2.0, 4.0]}), LIST, [[1.0, 2.0], [3.0, 4.0]]),
            ([[1.0], [2.0, 3.0]], LIST, [[1.0], [2.0, 3.0]]),
            (pd.Series([np.array([1.0]), None]), LIST, [[1.0], None]),
            (csr_matrix([[0.0, 2.0], [3.0, 0.0]]), LIST, [[0.0, 2.0], [3.0, 0.0]]),
            (np.zeros((2, 1, 2)), pa.list_(LIST), [[[0.0, 0.0]], [[0.0, 0.0]]]),
            (np.zeros((2, 0)), LIST, [[], []]),
            (pd.DataFrame({"l": ["a", "b"], "p": [0.5, 1.0], "more": [1, 2]}), STRUCT, TWO),
            ({"p": [0.5, 1.0], "l": ["a", "b"]}, STRUCT, TWO),
            (TWO, STRUCT, TWO),
            (pd.Series(TWO), STRUCT, TWO),
            ([{0: 0.5}, {0: 1}], pa.struct([("0", pa.float32())]), [{"0": 0.5}, {"0": 1.0}]),
            (np.array([[0.5, 2.0], [1.0, 3.0]]), pa.struct([("1", pa.float64())]), [{"1": 2.0}, {"1": 3.0}]),
            ({"l": np.array(["a", "b"]), "p": np.zeros((2, 1))}, STRUCT, [{"p": 0.0, "l": "a"}, {"p": 0.0, "l": "b"}]),
            ({"y": np.array([[1.0], [2.0]])}, LIST, [[1.0], [2.0]]),
            ({"a": [1.0, 3.0], "b": [2.0, 4.0]}, LIST, [[1.0, 2.0], [3.0, 4.0]]),
            (pd.DataFrame([[0.5], [1.0]]), pa.struct([("0", pa.float64())]), [{"0": 0.5}, {"0": 1.0}]),
        ],
    )  # fmt: skip
    def test_what_models_return_becomes_the_signatures_type(
        self, result: Any, output: pa.DataType, expected: list[Any]
    ) -> None:
        assert scored(model(output=output), lambda _: result, batch([1.0, 2.0])).to_pylist() == expected

    @pytest.mark.parametrize("result", [np.array([np.nan, 1.0]), [np.nan, 1.0], pd.Series([np.nan, 1.0])])
    def test_nan_stays_nan(self, result: Any) -> None:
        column = scored(model(), lambda _: result, batch([1.0, 2.0]))
        assert column.null_count == 0
        assert np.isnan(column[0].as_py())

    @pytest.mark.parametrize("result", [np.zeros(1), np.zeros(3), [0.5], pd.DataFrame({"p": [1.0]}), np.zeros((0, 2))])
    @pytest.mark.parametrize("output", [pa.float64(), LIST, STRUCT])
    def test_too_few_or_too_many_predictions_are_told(self, result: Any, output: pa.DataType) -> None:
        with pytest.raises(PredictError, match="for a batch of 2 rows"):
            scored(model(output=output), lambda _: result, batch([1.0, 2.0]))

    @pytest.mark.parametrize(
        ("result", "output", "found"),
        [
            (np.array([0.5, 1.0]), pa.float32(), "values of type double"),
            (np.array([1, 2]), pa.float64(), "values of type int64"),
            (np.array([1, 2]), pa.int32(), "values of type int64"),
            ([1.5, 2.0], pa.int64(), "values of type double"),
            ([2**40, 1], pa.int32(), "do not fit"),
            (np.array([1.0, 2.0]), pa.int64(), "values of type double"),
            (np.array([1.5, np.nan]), pa.int64(), "do not fit"),
            (np.array([2.0**60, np.nan]), pa.int64(), "values of type double"),
            (["a", "b"], pa.float64(), "values of type string"),
            (["a", 1], pa.string(), "not of one type"),
            (np.array([1, 0]), pa.bool_(), "values of type int64"),
            (np.zeros((2, 2)), pa.float64(), r"shape \(2, 2\)"),
            (pd.DataFrame({"a": [1.0, 2.0], "b": [1.0, 2.0]}), pa.float64(), r"shape \(2, 2\)"),
            (np.zeros((2, 2), np.float64), pa.list_(pa.float32()), "values of type double"),
            (np.array([1.0, 2.0]), LIST, "values of type double"),
            (pd.DataFrame({"p": [1.0, 2.0]}), STRUCT, "without l"),
            (np.zeros((2, 2)), STRUCT, "columns 0, 1 without p, l"),
            (np.zeros(2), STRUCT, "a ndarray"),
            ([[1.0], [2.0, 3.0]], STRUCT, "columns 0, 1 without p, l"),
            ([np.zeros((2, 2))] * 2, STRUCT, "columns that do not form a data frame"),
            ({"p": [1.0, 2.0], "l": np.array([["a", "b"], ["c", "d"]])}, STRUCT, r"shape \(2, 2\)"),
            ({"a": np.zeros((2, 2)), "b": np.zeros(2)}, LIST, "columns a, b"),
            (None, pa.float64(), "a NoneType"),
            (0.5, pa.float64(), "a float"),
            (np.array(0.5), pa.float64(), "a ndarray"),
            ("ab", pa.string(), "a str"),
        ],
    )
    def test_another_type_or_shape_is_told(self, result: Any, output: pa.DataType, found: str) -> None:
        with pytest.raises(PredictError, match=found) as caught:
            scored(model(output=output), lambda _: result, batch([1.0, 2.0]))
        assert str(output) in caught.value.expected


def test_probabilities_are_not_copied() -> None:
    result = np.array([[0.25, 0.75], [0.5, 0.5]])
    column = scored(model(output=LIST), lambda _: result, batch([1.0, 2.0]))
    assert column.values.buffers()[1].address == result.ctypes.data


class TestFailures:
    def test_what_the_model_raised_is_told_and_the_batch_is_not(self) -> None:
        def answer(frame: pd.DataFrame) -> Any:
            raise ZeroDivisionError("by nothing\n" + frame.to_string())

        with pytest.raises(PredictError, match="ZeroDivisionError: by nothing on a batch of 2 rows") as caught:
            scored(model(), answer, batch([12345.678, 2.0]), collect_rejects=False)
        assert "12345.678" not in str(caught.value)
        assert isinstance(caught.value.__cause__, ZeroDivisionError)

    def test_of_a_model_that_was_given_sensitive_columns_only_the_class_is_told(self) -> None:
        def answer(frame: pd.DataFrame) -> Any:
            raise ZeroDivisionError(f"by {frame.iloc[0, 0]}")

        shipped, rows = replace(model(), sensitive=True), batch([12345.678, 2.0])
        with pytest.raises(RowsNotPredicted, match="the model raised ZeroDivisionError on a batch of 2 rows") as caught:
            scored(shipped, answer, rows, collect_rejects=False)
        assert "12345.678" not in "".join(format_exception(caught.value))

    def test_nor_are_the_names_that_it_gives_its_columns(self) -> None:
        shipped = replace(model(output=STRUCT), sensitive=True)
        with pytest.raises(PredictError, match=r"columns \(2 of them\) without p, l for a batch"):
            scored(shipped, lambda _: {"Ada": [1.0], "Bob": [2.0]}, batch([1.0]))

    def test_a_model_that_cannot_be_loaded_is_told_apart(self) -> None:
        def load() -> Any:
            raise ModuleNotFoundError("No module named 'xgboost'")

        with pytest.raises(PredictError, match="could not be loaded on an executor: ModuleNotFoundError: No module"):
            Kernel(model(), load=load, on_batch=lambda *_: None)(batch([1.0]))

    def test_the_suites_own_errors_stay_what_they_are(self) -> None:
        def load() -> Any:
            raise DigestMismatch("changed")

        with pytest.raises(DigestMismatch):
            Kernel(model(), load=load, on_batch=lambda *_: None)(batch([1.0]))
