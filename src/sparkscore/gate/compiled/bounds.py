"""Between: bounds of a suite against a Spark column of numbers or times. NaN is within no bounds."""

import math
from collections.abc import Iterator, Mapping
from decimal import Decimal
from functools import reduce
from typing import Any

from pyspark.sql import Column
from pyspark.sql import functions as F
from pyspark.sql.types import DataType, DecimalType

from sparkscore.predicates.exact_values import UnfitValue, to_exact_decimal, to_time_text
from sparkscore.predicates.spark_values import (
    NUMBER_KINDS,
    TIME_KINDS,
    column_value_kind,
    integer_range,
    is_floating,
    spark_type_name,
    to_time_literal,
)

BOUNDS = ("min_value", "max_value")
_MAX_DECIMAL_DIGITS = 38
"""Of Spark's decimals."""


def is_within_bounds(column: Column, type_: DataType, kwargs: Mapping[str, Any]) -> Column:
    """Whether a value is between `min_value` and `max_value`: true or false, NULL where the value is NULL.

    Jobs:    none.
    Raises:  UnfitValue for bounds of another kind than the column's values, and for bounds that no value can meet.
    """
    _require_ordered_bounds(kwargs)
    parts = list(_bound_conditions(column, type_, kwargs)) or [_constant_unless_null(column, value=True)]
    if is_floating(type_) and kwargs.get("max_value") is None:
        parts.append(~F.isnan(column))  # greater than every number in Spark, so within any lower bound
    return reduce(Column.__and__, parts)


def integer_limit(bound: object, least: int, greatest: int, *, above: bool, strict: bool) -> int | bool:
    """The first (`above`) or the last integer within a bound; True where all of a type's numbers are, False: none.

    Needs:   `least` and `greatest`: what the type holds.
    Raises:  UnfitValue.
    """
    number = to_exact_decimal(bound)
    if not number.is_finite():
        return (number < 0) == above
    if above:
        first = math.floor(number) + 1 if strict else math.ceil(number)
        return first if least < first <= greatest else first <= least
    last = math.ceil(number) - 1 if strict else math.floor(number)
    return last if least <= last < greatest else last >= greatest


def is_number_within_bounds(value: float | None, kwargs: Mapping[str, Any]) -> bool:
    """The same for one number that is known on the driver; no number and NaN are within no bounds.

    Raises:  UnfitValue.
    """
    if value is None or math.isnan(value):
        return False
    low, high = (None if kwargs.get(name) is None else to_exact_decimal(kwargs[name]) for name in BOUNDS)
    number = to_exact_decimal(value)
    above = low is None or (number > low if kwargs.get("strict_min") else number >= low)
    return above and (high is None or (number < high if kwargs.get("strict_max") else number <= high))


def require_number_bounds(kwargs: Mapping[str, Any]) -> None:
    """Refuse bounds that are no numbers, or that no number can meet.

    Raises:  UnfitValue.
    """
    for name in BOUNDS:
        if kwargs.get(name) is not None:
            to_exact_decimal(kwargs[name])
    _require_ordered_bounds(kwargs)


def _require_ordered_bounds(kwargs: Mapping[str, Any]) -> None:
    if any(kwargs.get(name) is None for name in BOUNDS):
        return
    low, high = (_to_orderable_bound(kwargs[name]) for name in BOUNDS)
    if isinstance(low, str) != isinstance(high, str):
        raise UnfitValue("min_value and max_value have different types")
    if low > high:
        raise UnfitValue("min_value is greater than max_value")
    if low == high and (kwargs.get("strict_min") or kwargs.get("strict_max")):
        raise UnfitValue("min_value equals max_value and one of them is strict: nothing is between them")


def _to_orderable_bound(bound: object) -> Any:
    """A bound as something that Python orders: numbers as decimals, times as ISO text."""
    try:
        return to_exact_decimal(bound)
    except UnfitValue:
        return to_time_text(bound).replace(" ", "T")


def _bound_conditions(column: Column, type_: DataType, kwargs: Mapping[str, Any]) -> Iterator[Column]:
    low, high = (kwargs.get(name) for name in BOUNDS)
    compare = _compare_to_integer_bound if column_value_kind(type_) == "integer" else _compare_to_bound
    if low is not None:
        yield compare(column, type_, low, above=True, strict=bool(kwargs.get("strict_min")))
    if high is not None:
        yield compare(column, type_, high, above=False, strict=bool(kwargs.get("strict_max")))


def _constant_unless_null(column: Column, *, value: bool) -> Column:
    return F.when(column.isNotNull(), F.lit(value))


def _compare_to_integer_bound(column: Column, type_: DataType, bound: object, *, above: bool, strict: bool) -> Column:
    """Against a whole number of the column's own type: no row is cast, and nothing is rounded beyond 2^53."""
    limit = integer_limit(bound, *integer_range(type_), above=above, strict=strict)
    if isinstance(limit, bool):
        return _constant_unless_null(column, value=limit)
    return column >= F.lit(limit).cast(type_) if above else column <= F.lit(limit).cast(type_)


def _compare_to_bound(column: Column, type_: DataType, bound: object, *, above: bool, strict: bool) -> Column:
    value = _bound_literal(bound, type_)
    if above:
        return column > value if strict else column >= value
    return column < value if strict else column <= value


def _bound_literal(bound: object, type_: DataType) -> Column | Decimal | float:
    kind = column_value_kind(type_)
    if kind in TIME_KINDS:
        return to_time_literal(bound, type_)
    if kind not in NUMBER_KINDS:
        raise UnfitValue(f"bounds cannot be computed on a column of type {spark_type_name(type_)}")
    number = to_exact_decimal(bound)
    # Floating columns are compared as doubles: exact for float, too.
    return number if isinstance(type_, DecimalType) and is_decimal_comparable(number, type_) else float(number)


def is_decimal_comparable(number: Decimal, type_: DecimalType) -> bool:
    """Whether Spark can compare the column with the number as decimals: both have to fit into 38 digits at once."""
    if not number.is_finite():
        return False
    scale = max(0, -int(number.as_tuple().exponent))
    integer_digits = max(number.adjusted() + 1, type_.precision - type_.scale)
    return integer_digits + max(scale, type_.scale) <= _MAX_DECIMAL_DIGITS and int(number.as_tuple().exponent) <= 0
