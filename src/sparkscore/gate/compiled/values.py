"""Values of a suite as values of a column's type. Plain data in, plain data out; nothing here starts a job."""

import math
import re
from collections.abc import Callable, Iterable, Mapping
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
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

ColumnValueKind = Literal["whole", "decimal", "floating", "text", "truth", "date", "moment", "other"]
NUMBER_KINDS: frozenset[ColumnValueKind] = frozenset({"whole", "decimal", "floating"})
TIME_KINDS: frozenset[ColumnValueKind] = frozenset({"date", "moment"})
_INTEGER_BITS: Mapping[type[DataType], int] = {ByteType: 8, ShortType: 16, IntegerType: 32, LongType: 64}
_KINDS_BY_SPARK_TYPE: Mapping[type[DataType], ColumnValueKind] = {
    **dict.fromkeys(_INTEGER_BITS, "whole"),
    DecimalType: "decimal",
    FloatType: "floating",
    DoubleType: "floating",
    StringType: "text",
    BooleanType: "truth",
    DateType: "date",
    TimestampType: "moment",
    TimestampNTZType: "moment",
}
_SUITE_TIME_PATTERN = re.compile(r"\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d{1,6})?)?(Z|[+-]\d\d:?\d\d)?)?")


class UnfitArgument(ValueError):
    """An argument that does not fit its column; the message says what was found."""


class _UnrepresentableValue:
    """No row of the column can hold the value: 2.5 in a column of whole numbers."""


UNREPRESENTABLE = _UnrepresentableValue()


def column_value_kind(column: DataType) -> ColumnValueKind:
    """What sort of values a column has."""
    return next((kind for type_, kind in _KINDS_BY_SPARK_TYPE.items() if isinstance(column, type_)), "other")


def is_floating(column: DataType) -> bool:
    """Whether a column can hold NaN."""
    return column_value_kind(column) == "floating"


def spark_type_name(column: DataType) -> str:
    """The type in words: `StringType`."""
    return type(column).__name__


def integer_range(column: DataType) -> tuple[int, int]:
    """The least and the greatest value of a column of whole numbers."""
    bits = next(bits for type_, bits in _INTEGER_BITS.items() if isinstance(column, type_))
    return -(2 ** (bits - 1)), 2 ** (bits - 1) - 1


def to_exact_decimal(value: object) -> Decimal:
    """A number, or its text, without loss.

    Raises:  Unfit.
    """
    if isinstance(value, bool) or not isinstance(value, int | float | str | Decimal):
        raise UnfitArgument(f"{type(value).__name__} where a number belongs")
    try:
        return Decimal(str(value))
    except InvalidOperation:
        raise UnfitArgument("text where a number belongs") from None


def to_time_text(value: object) -> str:
    """A date or a time of day as the ISO text that Spark's cast reads.

    Raises:  Unfit.
    """
    text = value.isoformat() if isinstance(value, date) else value
    try:
        if isinstance(text, str) and _SUITE_TIME_PATTERN.fullmatch(text):
            datetime.fromisoformat(text)
            return text
    except ValueError:
        pass
    raise UnfitArgument("something else than a date or a time, as 2013-12-31 or 2013-12-31T10:00:00")


def to_time_literal(value: object, column: DataType) -> Column:
    """A bound of a date or a time column. Times without a zone are of the session's zone, as Spark reads them.

    Raises:  Unfit.
    """
    text = to_time_text(value)
    if isinstance(column, TimestampNTZType):
        return F.lit(text).cast(column)
    return F.lit(text).cast(
        "date" if column_value_kind(column) == "date" and len(text) == len("2013-12-31") else "timestamp"
    )


def fit_set_values(values: Iterable[object], column: DataType) -> list[Any]:
    """The values of a set that rows of the column can hold, each once; NULL is in no set.

    Raises:  Unfit for a value of another sort, such as text for numbers.
    """
    convert = _SET_VALUE_CONVERTERS.get(column_value_kind(column))
    if convert is None:
        raise UnfitArgument(f"a column of type {spark_type_name(column)}, whose values cannot be listed")
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
    return number if number == round(number, column.scale) else UNREPRESENTABLE


def _fit_set_floating(value: object, _: DataType) -> object:
    number = float(to_exact_decimal(value))
    return number if not math.isnan(number) else UNREPRESENTABLE


def _fit_set_text(value: object, _: DataType) -> object:
    if isinstance(value, str):
        return value
    raise UnfitArgument(f"{type(value).__name__} where text belongs")


def _fit_set_boolean(value: object, _: DataType) -> object:
    if isinstance(value, bool):
        return value
    raise UnfitArgument(f"{type(value).__name__} where true or false belongs")


def _fit_set_date(value: object, _: DataType) -> object:
    text = to_time_text(value)
    if len(text) != len("2013-12-31"):
        raise UnfitArgument("a time where a date belongs")
    return text


def _fit_set_timestamp(value: object, _: DataType) -> object:
    return to_time_text(value)


_SET_VALUE_CONVERTERS: Mapping[ColumnValueKind, Callable[[object, Any], object]] = {
    "whole": _fit_set_integer,
    "decimal": _fit_set_decimal,
    "floating": _fit_set_floating,
    "text": _fit_set_text,
    "truth": _fit_set_boolean,
    "date": _fit_set_date,
    "moment": _fit_set_timestamp,
}
