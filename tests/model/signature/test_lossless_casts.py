import random
from decimal import Decimal

import pyarrow as pa
import pytest

from sparkscore.model.signature.lossless_casts import cast_losslessly, is_lossless_cast

INTEGERS = {8: pa.int8(), 16: pa.int16(), 32: pa.int32(), 64: pa.int64()}
SIGNATURE = [
    pa.bool_(),
    pa.int32(),
    pa.int64(),
    pa.float32(),
    pa.float64(),
    pa.string(),
    pa.binary(),
    pa.timestamp("ns"),
]
UTC = pa.timestamp("us", tz="UTC")
LOCAL = pa.timestamp("us")
EXACTLY = {
    pa.bool_(): {pa.bool_()},
    pa.int8(): {pa.int32(), pa.int64(), pa.float32(), pa.float64()},
    pa.int16(): {pa.int32(), pa.int64(), pa.float32(), pa.float64()},
    pa.int32(): {pa.int32(), pa.int64(), pa.float64()},
    pa.int64(): {pa.int64()},
    pa.float32(): {pa.float32(), pa.float64()},
    pa.float64(): {pa.float64()},
    pa.decimal128(6, 2): {pa.float32(), pa.float64()},
    pa.decimal128(7, 2): {pa.float64()},
    pa.decimal128(15, 5): {pa.float64()},
    pa.decimal128(16, 5): set(),
    pa.decimal128(9, 0): {pa.int32(), pa.int64(), pa.float64()},
    pa.decimal128(18, 0): {pa.int64()},
    pa.decimal128(19, 0): set(),
    pa.string(): {pa.string()},
    pa.large_string(): {pa.string()},
    pa.binary(): {pa.binary()},
    pa.large_binary(): {pa.binary()},
    pa.date32(): {pa.timestamp("ns")},
    UTC: {pa.timestamp("ns")},
    LOCAL: {pa.timestamp("ns")},
    pa.null(): set(SIGNATURE),
    pa.list_(pa.float64()): set(),
    pa.map_(pa.string(), pa.int64()): set(),
    pa.month_day_nano_interval(): set(),
}  # fmt: skip


@pytest.mark.parametrize("source", EXACTLY, ids=str)
def test_the_types_of_a_table_fit_exactly_these_types_of_a_signature(source: pa.DataType) -> None:
    assert {target for target in SIGNATURE if is_lossless_cast(source, target)} == EXACTLY[source]


@pytest.mark.parametrize("source", [pa.int8(), pa.int16(), pa.int32(), pa.int64()], ids=str)
def test_integers_that_fit_keep_their_extremes(source: pa.DataType) -> None:
    extremes = [-(2 ** (source.bit_width - 1)), 2 ** (source.bit_width - 1) - 1, None]
    for target in (pa.int32(), pa.int64(), pa.float32(), pa.float64()):
        if is_lossless_cast(source, target):
            assert cast_losslessly(pa.array(extremes, source), target).to_pylist() == extremes


def test_decimals_that_fit_become_the_nearest_double() -> None:
    draw = random.Random(0)
    values = [Decimal(draw.randint(-(10**15) + 1, 10**15 - 1)).scaleb(-draw.randint(0, 5)) for _ in range(5000)]
    rounded = [value.quantize(Decimal("0.00001")) for value in values if abs(value) < 10**10]
    column = pa.array([*rounded, None], pa.decimal128(15, 5))
    assert cast_losslessly(column, pa.float64()).to_pylist() == [float(value) for value in rounded] + [None]


def test_decimals_without_fraction_become_integers() -> None:
    assert cast_losslessly(pa.array([Decimal(10**18 - 1)], pa.decimal128(18, 0)), pa.int64()).to_pylist() == [
        10**18 - 1
    ]


def test_times_keep_their_instant() -> None:
    column = pa.array([1_388_534_399_123_456], UTC)
    assert cast_losslessly(column, pa.timestamp("ns")).cast(pa.int64()).to_pylist() == [1_388_534_399_123_456_000]


def test_a_time_that_nanoseconds_cannot_hold_is_an_error() -> None:
    with pytest.raises(pa.ArrowInvalid):
        cast_losslessly(pa.array([253_402_300_799_000_000], UTC), pa.timestamp("ns"))


def test_lists_and_structs_fit_by_their_parts() -> None:
    named = pa.struct([("b", pa.int32()), ("a", pa.float32())])
    wider = pa.struct([("a", pa.float64()), ("b", pa.int64())])
    assert is_lossless_cast(pa.list_(pa.int32()), pa.list_(pa.int64()))
    assert is_lossless_cast(pa.large_list(pa.int32()), pa.list_(pa.int64()))
    assert not is_lossless_cast(pa.list_(pa.float64()), pa.list_(pa.float32()))
    assert not is_lossless_cast(pa.list_(pa.decimal128(5, 1)), pa.list_(pa.float64()))
    assert is_lossless_cast(named, wider)
    assert not is_lossless_cast(named, pa.struct([("a", pa.float64())]))
    assert not is_lossless_cast(pa.float64(), pa.list_(pa.float64()))
    assert cast_losslessly(pa.array([{"b": 1, "a": 0.5}, None], named), wider).to_pylist() == [{"a": 0.5, "b": 1}, None]


def test_pythons_own_numbers_have_no_width() -> None:
    assert is_lossless_cast(pa.int64(), pa.int32(), widths=False)
    assert is_lossless_cast(pa.float64(), pa.float32(), widths=False)
    assert is_lossless_cast(pa.int64(), pa.float32(), widths=False)
    assert not is_lossless_cast(pa.float64(), pa.int64(), widths=False)
    assert not is_lossless_cast(pa.int64(), pa.string(), widths=False)
    with pytest.raises(pa.ArrowInvalid):
        cast_losslessly(pa.array([2**40]), pa.int32())


def test_unsigned_numbers_need_one_bit_more() -> None:
    assert is_lossless_cast(pa.uint8(), pa.int16())
    assert not is_lossless_cast(pa.uint32(), pa.int32())
    assert is_lossless_cast(pa.uint8(), pa.uint16())
    assert not is_lossless_cast(pa.int8(), pa.uint16())
