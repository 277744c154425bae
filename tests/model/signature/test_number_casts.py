"""Casts that `model.casts` allows: rounded where numbers are floating, exact or refused elsewhere."""

from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from sparkscore.errors import InputOutOfRange
from sparkscore.model.signature.number_casts import can_cast_numbers, cast_numbers, refuse_new_infinities

LONG = 2**60 + 1
AMOUNT = Decimal("123456789012345678.123456789012345678")


@pytest.mark.parametrize(
    ("values", "source", "target", "expected"),
    [
        ([LONG, None], pa.int64(), pa.float64(), [float(LONG), None]),
        ([AMOUNT, None], pa.decimal128(38, 18), pa.float64(), [float(AMOUNT), None]),
        ([0.1, float("inf")], pa.float64(), pa.float32(), [float(np.float32(0.1)), float("inf")]),
        ([7, None], pa.int64(), pa.int32(), [7, None]),
        ([3.0], pa.float64(), pa.int64(), [3]),
        (
            ["1.5", " 1e2 ", None, "nan"],
            pa.string(),
            pa.float64(),
            [1.5, 100.0, None, pytest.approx(float("nan"), nan_ok=True)],
        ),
        ([str(LONG), " 7"], pa.large_string(), pa.int64(), [LONG, 7]),
        ([[0.1], None, []], pa.list_(pa.float64()), pa.list_(pa.float32()), [[float(np.float32(0.1))], None, []]),
        ([[1, 2]], pa.list_(pa.int64(), 2), pa.list_(pa.float32()), [[1.0, 2.0]]),
    ],
)
def test_numbers_become_the_nearest_ones_of_the_type(
    values: list[Any], source: pa.DataType, target: pa.DataType, expected: list[Any]
) -> None:
    assert can_cast_numbers(source, target)
    assert cast_numbers(pa.array(values, source), target, "x").to_pylist() == expected


def test_lists_of_a_slice_are_cast() -> None:
    lists = pa.array([[1.0], None, [2.5]], pa.list_(pa.float64())).slice(1)
    assert cast_numbers(lists, pa.list_(pa.float32()), "x").to_pylist() == [None, [2.5]]


@pytest.mark.parametrize(
    ("value", "source", "target"),
    [
        (1e300, pa.float64(), pa.float32()),
        (2**40, pa.int64(), pa.int32()),
        (1.5, pa.float64(), pa.int64()),
        (Decimal("1.5"), pa.decimal128(5, 2), pa.int64()),
        ([1e300], pa.list_(pa.float64()), pa.list_(pa.float32())),
        ("1.5e", pa.string(), pa.float64()),
        ("1e300", pa.string(), pa.float32()),
        ("1.5", pa.string(), pa.int64()),
        ("3000000000", pa.string(), pa.int32()),
    ],
)
def test_a_number_that_the_type_cannot_hold_is_told_without_its_value(
    value: Any, source: pa.DataType, target: pa.DataType
) -> None:
    with pytest.raises(InputOutOfRange, match="the input pay has a number") as caught:
        cast_numbers(pa.array([value], source), target, "pay")
    assert not any(digits in str(caught.value) for digits in ("300", "1.5", str(2**40)))


@pytest.mark.parametrize(
    ("source", "target"),
    [
        (pa.string(), pa.bool_()),
        (pa.bool_(), pa.int64()),
        (pa.int64(), pa.string()),
        (pa.timestamp("us"), pa.int64()),
        (pa.float64(), pa.list_(pa.float64())),
        (pa.null(), pa.float64()),
    ],
)
def test_nothing_but_numbers_is_cast(source: pa.DataType, target: pa.DataType) -> None:
    assert not can_cast_numbers(source, target)


def test_an_infinity_deep_inside_of_a_cast_is_found() -> None:
    before = pa.array([[{"a": 1e300}]], pa.list_(pa.struct([("a", pa.float64())])))
    after = before.cast(pa.list_(pa.struct([("a", pa.float32())])))
    with pytest.raises(InputOutOfRange):
        refuse_new_infinities(before, after, "x")
    refuse_new_infinities(after.cast(before.type), after, "x")
