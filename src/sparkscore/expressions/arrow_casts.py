"""Casts of an expression in Arrow, with the same values as Spark's. Executors use it: pyarrow and numpy only."""

from collections.abc import Callable, Mapping

import pyarrow as pa
import pyarrow.compute as pc

from sparkscore.expressions.arrow_texts import (
    parse_booleans,
    parse_date_texts,
    parse_doubles,
    parse_time_texts,
    parse_whole_numbers,
)
from sparkscore.expressions.typed_expressions import (
    DOUBLE,
    LOCAL_TIME,
    LONG,
    MAX_DAY,
    MAX_TIME_US,
    MIN_DAY,
    MIN_TIME_US,
    ZONE_MARGIN_US,
)
from sparkscore.expressions.zone_offsets import ZoneOffsets

_ArrowCast = Callable[[pa.Array, pa.DataType], pa.Array]


def cast_values(values: pa.Array, target: pa.DataType) -> pa.Array:
    """The values as another type; NULL where it cannot hold one.

    Needs:   a cast that `expressions.type_inference` allows or makes.
    Runs on: driver | executor.
    """
    kind = values.type
    for fits, cast in _CASTS_BY_SOURCE:
        if fits(kind):
            return cast(values, target)
    return pc.cast(values, target)  # of booleans


def limit_days(dates: pa.Array) -> pa.Array:
    """The dates from the year 1 to 9999, NULL elsewhere."""
    return _keep_between(dates, pc.cast(dates, pa.int32()), MIN_DAY, MAX_DAY)


def find_local_times(times: pa.Array, zone: ZoneOffsets | None) -> pa.Array:
    """What the clock of a time zone shows, without a zone; NULL outside of the years 1 to 9999.

    `zone`: None for UTC, and for times without a zone.
    """
    micros = pc.cast(times, LONG)
    if zone is not None:
        near = _keep_between(micros, micros, MIN_TIME_US - ZONE_MARGIN_US, MAX_TIME_US + ZONE_MARGIN_US)
        micros = zone.to_local_micros(near)
    return pc.cast(_keep_between(micros, micros, MIN_TIME_US, MAX_TIME_US), LOCAL_TIME)


def _keep_between(values: pa.Array, numbers: pa.Array, least: int, most: int) -> pa.Array:
    """The values whose numbers lie between two, NULL elsewhere."""
    if not len(values) or values.null_count == len(values):
        return values
    found = pc.min_max(numbers)
    if found["min"].as_py() >= least and found["max"].as_py() <= most:
        return values
    is_kept = pc.and_(pc.greater_equal(numbers, least), pc.less_equal(numbers, most))
    return pc.if_else(is_kept, values, pa.scalar(None, values.type))


def _cast_integer(values: pa.Array, target: pa.DataType) -> pa.Array:
    if pa.types.is_integer(target) and target.bit_width < values.type.bit_width:
        most = (1 << (target.bit_width - 1)) - 1
        values = _keep_between(values, values, -most - 1, most)
    if target == pa.float32():  # as Spark's evaluator, by way of double
        values = pc.cast(values, DOUBLE, safe=False)
    return pc.cast(values, target, safe=False)


def _cast_floating(values: pa.Array, target: pa.DataType) -> pa.Array:
    if not pa.types.is_integer(target):
        return pc.cast(values, target, safe=False)
    wide, limit = pc.cast(values, DOUBLE), float(1 << (target.bit_width - 1))
    whole = pc.trunc(wide)
    is_held = pc.and_(pc.greater_equal(whole, -limit), pc.less(whole, limit))  # false for NaN
    return pc.cast(pc.if_else(is_held, whole, pa.scalar(None, DOUBLE)), target)


def _cast_decimal(values: pa.Array, target: pa.DataType) -> pa.Array:
    if pa.types.is_floating(target):  # by text: pyarrow's own cast of decimals is off by one bit in one of four
        return pc.cast(pc.cast(pc.cast(values, pa.string()), DOUBLE), target, safe=False)
    if pa.types.is_decimal(target):
        return pc.cast(values, target)
    whole = pc.cast(pc.round(values, ndigits=0, round_mode="towards_zero"), pa.decimal128(38, 0))
    limit = 1 << (target.bit_width - 1)
    least, most = pa.scalar(-limit, whole.type), pa.scalar(limit - 1, whole.type)
    is_held = pc.and_(pc.greater_equal(whole, least), pc.less_equal(whole, most))
    return pc.cast(pc.if_else(is_held, whole, pa.scalar(None, whole.type)), target)


def _cast_text(values: pa.Array, target: pa.DataType) -> pa.Array:
    if pa.types.is_integer(target):
        return _cast_decimal(parse_whole_numbers(values), target)
    if pa.types.is_floating(target):
        return pc.cast(parse_doubles(values), target, safe=False)
    return _TEXT_CASTS[target](values)


def _cast_time(values: pa.Array, target: pa.DataType) -> pa.Array:
    return pc.cast(pc.floor_temporal(find_local_times(values, None), unit="day"), target)


_TEXT_CASTS: Mapping[pa.DataType, Callable[[pa.Array], pa.Array]] = {
    pa.bool_(): parse_booleans,
    pa.date32(): lambda values: limit_days(parse_date_texts(values)),
    pa.timestamp("us", "UTC"): parse_time_texts,
}
_CASTS_BY_SOURCE: tuple[tuple[Callable[[pa.DataType], bool], _ArrowCast], ...] = (
    (pa.types.is_integer, _cast_integer),
    (pa.types.is_floating, _cast_floating),
    (pa.types.is_decimal, _cast_decimal),
    (pa.types.is_string, _cast_text),
    (pa.types.is_date32, lambda values, target: pc.cast(limit_days(values), target)),
    (pa.types.is_timestamp, _cast_time),
)
