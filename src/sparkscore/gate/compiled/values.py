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

Kind = Literal["whole", "decimal", "floating", "text", "truth", "date", "moment", "other"]
NUMBERS: frozenset[Kind] = frozenset({"whole", "decimal", "floating"})
TIMES: frozenset[Kind] = frozenset({"date", "moment"})
_BITS: Mapping[type[DataType], int] = {ByteType: 8, ShortType: 16, IntegerType: 32, LongType: 64}
_KINDS: Mapping[type[DataType], Kind] = {
    **dict.fromkeys(_BITS, "whole"),
    DecimalType: "decimal",
    FloatType: "floating",
    DoubleType: "floating",
    StringType: "text",
    BooleanType: "truth",
    DateType: "date",
    TimestampType: "moment",
    TimestampNTZType: "moment",
}
_MOMENT = re.compile(r"\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d{1,6})?)?(Z|[+-]\d\d:?\d\d)?)?")


class Unfit(ValueError):
    """An argument that does not fit its column; the message says what was found."""


class _Nowhere:
    """No row of the column can hold the value: 2.5 in a column of whole numbers."""


NOWHERE = _Nowhere()


def kind_of(column: DataType) -> Kind:
    """What sort of values a column has."""
    return next((kind for type_, kind in _KINDS.items() if isinstance(column, type_)), "other")


def is_floating(column: DataType) -> bool:
    """Whether a column can hold NaN."""
    return kind_of(column) == "floating"


def named(column: DataType) -> str:
    """The type in words: `StringType`."""
    return type(column).__name__


def range_of(column: DataType) -> tuple[int, int]:
    """The least and the greatest value of a column of whole numbers."""
    bits = next(bits for type_, bits in _BITS.items() if isinstance(column, type_))
    return -(2 ** (bits - 1)), 2 ** (bits - 1) - 1


def exact(value: object) -> Decimal:
    """A number, or its text, without loss.

    Raises:  Unfit.
    """
    if isinstance(value, bool) or not isinstance(value, int | float | str | Decimal):
        raise Unfit(f"{type(value).__name__} where a number belongs")
    try:
        return Decimal(str(value))
    except InvalidOperation:
        raise Unfit("text where a number belongs") from None


def time_text(value: object) -> str:
    """A date or a time of day as the ISO text that Spark's cast reads.

    Raises:  Unfit.
    """
    text = value.isoformat() if isinstance(value, date) else value
    try:
        if isinstance(text, str) and _MOMENT.fullmatch(text):
            datetime.fromisoformat(text)
            return text
    except ValueError:
        pass
    raise Unfit("something else than a date or a time, as 2013-12-31 or 2013-12-31T10:00:00")


def time_literal(value: object, column: DataType) -> Column:
    """A bound of a date or a time column. Times without a zone are of the session's zone, as Spark reads them.

    Raises:  Unfit.
    """
    text = time_text(value)
    if isinstance(column, TimestampNTZType):
        return F.lit(text).cast(column)
    return F.lit(text).cast("date" if kind_of(column) == "date" and len(text) == len("2013-12-31") else "timestamp")


def fitted(values: Iterable[object], column: DataType) -> list[Any]:
    """The values of a set that rows of the column can hold, each once; NULL is in no set.

    Raises:  Unfit for a value of another sort, such as text for numbers.
    """
    convert = _CONVERT.get(kind_of(column))
    if convert is None:
        raise Unfit(f"a column of type {named(column)}, whose values cannot be listed")
    found = (convert(value, column) for value in values if value is not None)
    return list(dict.fromkeys(value for value in found if value is not NOWHERE))


def literal(value: Any, column: DataType) -> Column:
    """A fitted value as a literal of the column's type."""
    return F.lit(value).cast(column)


def _whole(value: object, column: DataType) -> object:
    number, (least, greatest) = exact(value), range_of(column)
    fits = number.is_finite() and number == number.to_integral_value() and least <= number <= greatest
    return int(number) if fits else NOWHERE


def _decimal(value: object, column: Any) -> object:
    number = exact(value)
    if not number.is_finite() or abs(number) >= Decimal(10) ** (column.precision - column.scale):
        return NOWHERE
    return number if number == round(number, column.scale) else NOWHERE


def _floating(value: object, _: DataType) -> object:
    number = float(exact(value))
    return number if not math.isnan(number) else NOWHERE


def _text(value: object, _: DataType) -> object:
    if isinstance(value, str):
        return value
    raise Unfit(f"{type(value).__name__} where text belongs")


def _truth(value: object, _: DataType) -> object:
    if isinstance(value, bool):
        return value
    raise Unfit(f"{type(value).__name__} where true or false belongs")


def _date(value: object, _: DataType) -> object:
    text = time_text(value)
    if len(text) != len("2013-12-31"):
        raise Unfit("a time where a date belongs")
    return text


def _moment(value: object, _: DataType) -> object:
    return time_text(value)


_CONVERT: Mapping[Kind, Callable[[object, Any], object]] = {
    "whole": _whole,
    "decimal": _decimal,
    "floating": _floating,
    "text": _text,
    "truth": _truth,
    "date": _date,
    "moment": _moment,
}
