from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest

from sparkscore.errors import InputOutOfRange, PredictError, SignatureError
from sparkscore.records import ModelInput
from sparkscore.scoring.udf_arguments import to_udf_batch

A, B = ModelInput("a", pa.float64(), True), ModelInput("b", pa.int64(), False)
POINT = pa.struct([("a", pa.float64()), ("point", pa.float64())])


def batch(*arguments: Any, inputs: tuple[ModelInput, ...], is_tensor: bool = False) -> list[list[Any]]:
    made = to_udf_batch([pa.array(*one) for one in arguments], inputs, is_tensor=is_tensor)
    return [column.to_pylist() for column in made.columns]


def test_a_struct_is_taken_apart_by_names_and_may_lack_what_is_optional() -> None:
    rows = [{"b": 1, "c": "x", "a": 0.5}, None]
    kind = pa.struct([("b", pa.int64()), ("c", pa.string()), ("a", pa.float64())])
    assert batch((rows, kind), inputs=(A, B)) == [[0.5, None], [1, None]]
    assert batch((rows, pa.struct([("a", pa.float64())])), inputs=(A, B)) == [[0.5, None], [None, None]]
    with pytest.raises(SignatureError, match="a struct with the fields b, without a"):
        batch((rows, pa.struct([("b", pa.int64())])), inputs=(A, B))


def test_a_struct_is_taken_apart_by_position_where_inputs_have_no_names() -> None:
    unnamed = (ModelInput(None, pa.float64(), True),) * 2
    kind = pa.struct([("x", pa.float64()), ("y", pa.float64())])
    assert batch(([{"x": 1.0, "y": 2.0}], kind), inputs=unnamed) == [[1.0], [2.0]]


def test_a_struct_is_the_only_input_if_it_has_that_ones_fields() -> None:
    point = ModelInput("point", POINT, True)
    value = {"a": 1.0, "point": 2.0}
    assert batch(([value], POINT), inputs=(point,)) == [[value]]
    row = pa.struct([("point", POINT), ("more", pa.string())])
    assert batch(([{"point": value, "more": "x"}], row), inputs=(point,)) == [[value]]


def test_lists_are_the_columns_of_a_tensor() -> None:
    three = (ModelInput(None, pa.float32(), True),) * 3
    lists = pa.list_(pa.float64())
    assert batch(([[1, 2, 3], [4, 5, 6]], lists), inputs=three, is_tensor=True) == [[1, 4], [2, 5], [3, 6]]
    row = ([{"v": [1, 2, 3]}], pa.struct([("v", lists)]))
    assert batch(row, inputs=three, is_tensor=True) == [[1], [2], [3]]
    with pytest.raises(PredictError, match="2 of 3 lists of a batch have not 3 items"):
        batch(([[1, 2, 3], [4], None], lists), inputs=three, is_tensor=True)


def test_inputs_behind_the_last_argument_are_null_and_further_arguments_are_left_out() -> None:
    assert batch(([1.0],), inputs=(A, B)) == [[1.0], [None]]
    assert batch(([1.0],), ([2],), (["x"],), inputs=(A, B)) == [[1.0], [2]]
    assert batch(([1.0],), inputs=(A, A)) == [[1.0]]  # too few: the model's inputs refuse it


def test_times_are_those_of_the_columns_zone() -> None:
    noon = datetime(2020, 7, 1, 16, tzinfo=UTC)
    zoned = pa.timestamp("us", "America/New_York")
    clock = datetime(2020, 7, 1, 12)  # noqa: DTZ001 - that of New York
    made = batch(([noon, None], zoned), ([{"t": [noon]}] * 2, pa.struct([("t", pa.list_(zoned))])), inputs=())
    assert made == [[{"0": clock, "1": {"t": [clock]}}, {"0": None, "1": {"t": [clock]}}]]


def test_decimals_are_as_narrow_as_their_values() -> None:
    wide = pa.decimal128(30, 4)
    made = to_udf_batch([pa.array([Decimal("1.2500"), None], wide)], (A,), is_tensor=False)
    assert made.schema.types == [pa.decimal128(5, 4)]
    allowed = ModelInput("a", pa.float64(), True, may_round=True)
    assert to_udf_batch([pa.array([Decimal("1.25")], wide)], (allowed,), is_tensor=False).schema.types == [wide]


def test_numbers_inside_of_lists_become_as_wide_as_the_models() -> None:
    floats = ModelInput("v", pa.list_(pa.float32()), True)
    made = to_udf_batch([pa.array([[0.5]], pa.list_(pa.float64()))], (floats,), is_tensor=False)
    assert made.schema.types == [pa.list_(pa.float32())]
    with pytest.raises(InputOutOfRange, match="the input v"):
        batch(([[1e300]], pa.list_(pa.float64())), inputs=(floats,))


def test_without_inputs_all_columns_are_one_struct() -> None:
    assert batch(([1],), (["x"],), inputs=()) == [[{"0": 1, "1": "x"}]]
    kind = pa.struct([("k", pa.int64())])
    assert batch(([{"k": 1}], kind), inputs=()) == [[{"k": 1}]]
