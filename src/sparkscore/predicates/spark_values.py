"""Values of a suite, fitted to the Spark type of their column, and literals. Runs on the driver; no Spark job."""

import math
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, time
from decimal import Context, Decimal
from typing import Any, Literal

from pyspark.sql import Column
from pyspark.sql import functions as F
from pyspark.sql.types import (
    BooleanType,
    ByteType,
    DataType,
    DateType,
    DecimalType,
    DoubleType,
    FloatType,
    IntegerType,
    LongType,
    ShortType,
    StringType,
    TimestampNTZType,
    TimestampType,
)

from sparkscore.predicates.exact_values import UnfitValue, to_exact_decimal, to_time_text

ColumnValueKind = Literal["integer", "decimal", "floating", "text", "boolean", "date", "timestamp", "other"]
NUMBER_KINDS: frozenset[ColumnValueKind] = frozenset({"integer", "decimal", "floating"})
TIME_KINDS: frozenset[ColumnValueKind] = frozenset({"date", "timestamp"})
_INTEGER_BITS: Mapping[type[DataType], int] = {ByteType: 8, ShortType: 16, IntegerType: 32, LongType: 64}
_KINDS_BY_SPARK_TYPE: Mapping[type[DataType], ColumnValueKind] = {
    **dict.fromkeys(_INTEGER_BITS, "integer"),
    DecimalType: "decimal",
    FloatType: "floating",
    DoubleType: "floating",
    StringType: "text",
    BooleanType: "boolean",
    DateType: "date",
    TimestampType: "timestamp",
    TimestampNTZType: "timestamp",
}


_ALL_DIGITS = Context(prec=100)
"""Of any decimal of a column, and more."""


class _UnrepresentableValue:
    """No row of the column can hold the value: 2.5 in a column of integers."""


UNREPRESENTABLE = _UnrepresentableValue()


def column_value_kind(column: DataType) -> ColumnValueKind:
    """The kind of values that a column has."""
    return next((kind for type_, kind in _KINDS_BY_SPARK_TYPE.items() if isinstance(column, type_)), "other")


def is_floating(column: DataType) -> bool:
    """Whether a column can hold NaN."""
    return column_value_kind(column) == "floating"


def spark_type_name(column: DataType) -> str:
    """The type in words: `StringType`."""
    return type(column).__name__


def integer_range(column: DataType) -> tuple[int, int]:
    """The least and the greatest value of a column of integers."""
    bits = next(bits for type_, bits in _INTEGER_BITS.items() if isinstance(column, type_))
    return -(2 ** (bits - 1)), 2 ** (bits - 1) - 1


def to_time_literal(value: object, column: DataType) -> Column:
    """A bound of a date or a time column. Times without a zone are of the session's zone, as Spark reads them.

    Raises:  UnfitValue.
    """
    text = to_time_text(value)
    if isinstance(column, TimestampNTZType):
        return F.lit(text).cast(column)
    return F.lit(text).cast(
        "date" if column_value_kind(column) == "date" and len(text) == len("2013-12-31") else "timestamp"
    )


def fit_set_values(values: Iterable[object], column: DataType) -> list[Any]:
    """The values of a set that rows of the column can hold, each once; NULL is in no set.

    Raises:  UnfitValue for a value of another sort, such as text for numbers.
    """
    convert = _SET_VALUE_CONVERTERS.get(column_value_kind(column))
    if convert is None:
        raise UnfitValue(f"a column of type {spark_type_name(column)}, whose values cannot be listed")
    found = (convert(value, column) for value in values if value is not None)
    return list(dict.fromkeys(value for value in found if value is not UNREPRESENTABLE))


def to_typed_literal(value: Any, column: DataType) -> Column:
    """A fitted value as a literal of the column's type."""
    return F.lit(value).cast(column)


def _fit_set_integer(value: object, column: DataType) -> object:
    number, (least, greatest) = to_exact_decimal(value), integer_range(column)
    fits = number.is_finite() and number == number.to_integral_value() and least <= number <= greatest
    return int(number) if fits else UNREPRESENTABLE


def _fit_set_decimal(value: object, column: Any) -> object:
    number = to_exact_decimal(value)
    if not number.is_finite() or abs(number) >= Decimal(10) ** (column.precision - column.scale):
        return UNREPRESENTABLE
    return (
        number if number == number.quantize(Decimal(1).scaleb(-column.scale), context=_ALL_DIGITS) else UNREPRESENTABLE
    )


def _fit_set_floating(value: object, _: DataType) -> object:
    number = float(to_exact_decimal(value))
    return number if not math.isnan(number) else UNREPRESENTABLE


def _fit_set_text(value: object, _: DataType) -> object:
    if isinstance(value, str):
        return value
    raise UnfitValue(f"{type(value).__name__} where text belongs")


def _fit_set_boolean(value: object, _: DataType) -> object:
    if isinstance(value, bool):
        return value
    raise UnfitValue(f"{type(value).__name__} where true or false belongs")


def _fit_set_date(value: object, _: DataType) -> object:
    """Midnight without a zone is a date: so pandas writes dates, and profilers that read them there."""
    moment = datetime.fromisoformat(to_time_text(value))
    if moment.timetz() != time():
        raise UnfitValue("a time where a date belongs")
    return moment.date().isoformat()


def _fit_set_timestamp(value: object, _: DataType) -> object:
    return to_time_text(value)


_SET_VALUE_CONVERTERS: Mapping[ColumnValueKind, Callable[[object, Any], object]] = {
    "integer": _fit_set_integer,
    "decimal": _fit_set_decimal,
    "floating": _fit_set_floating,
    "text": _fit_set_text,
    "boolean": _fit_set_boolean,
    "date": _fit_set_date,
    "timestamp": _fit_set_timestamp,
}
