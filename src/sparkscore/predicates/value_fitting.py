"""Values of a filter, fitted to the Arrow type of their column without loss. Plain data in, plain data out."""

import math
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa

from sparkscore.predicates.exact_values import UnfitValue, is_real_number, parse_iso_timestamp, to_exact_decimal

_DIGITS = 76
"""Of Arrow's widest decimal."""


def fit_filter_value(value: object, kind: pa.DataType) -> bool | int | float | Decimal | str:
    """The value as a literal that Spark's cast to the column's type takes over exactly.

    A fraction for a floating column means the nearest value of that column; everything else must be exact. Dates and
    timestamps become ISO text, timestamps with their zone: Spark's cast from it is exact in every year and time zone.

    Jobs:    none.
    Raises:  UnfitValue.
    """
    for fits, convert in _FIT_FUNCTIONS:
        if fits(kind):
            return convert(value, kind)
    raise UnfitValue("only 'is null' or 'is not null'")


def _fit_boolean(value: object, _: pa.DataType) -> bool:
    if isinstance(value, bool):
        return value
    raise UnfitValue("true or false")


def _fit_integer(value: Any, kind: pa.DataType) -> int:
    if is_real_number(value):
        try:
            return int(pa.scalar(value).cast(kind).as_py())
        except (pa.ArrowInvalid, OverflowError):
            pass
    raise UnfitValue("a whole number in its range")


def _fit_float(value: Any, kind: pa.DataType) -> float:
    if is_real_number(value):
        try:
            nearest = float(pa.scalar(float(value)).cast(kind).as_py())
        except OverflowError:
            nearest = math.inf
        if math.isfinite(nearest) and (isinstance(value, float) or nearest == value):
            return nearest + 0.0  # never -0.0
    raise UnfitValue("a finite number, exact where it is whole")


def _fit_decimal(value: object, kind: pa.DataType) -> Decimal:
    if is_real_number(value) or isinstance(value, str):
        try:
            number = to_exact_decimal(value)
            if number.is_finite() and abs(number.adjusted()) <= _DIGITS:
                exact: Decimal = pa.scalar(number).cast(kind).as_py()
                return exact
        except (UnfitValue, pa.ArrowInvalid):
            pass
    raise UnfitValue("a decimal number within its precision and scale")


def _fit_text(value: object, _: pa.DataType) -> str:
    if isinstance(value, str):
        return value
    raise UnfitValue("text (in quotes where YAML reads something else)")


def _fit_date(value: object, _: pa.DataType) -> str:
    if isinstance(value, date) and not isinstance(value, datetime):
        return value.isoformat()
    try:
        if isinstance(value, str) and date.fromisoformat(value).isoformat() == value:
            return value
    except ValueError:
        pass
    raise UnfitValue("a date as YYYY-MM-DD")


def _fit_timestamp(value: object, kind: Any) -> str:
    timestamp = parse_iso_timestamp(value)
    if kind.tz is None:
        if timestamp is None or timestamp.tzinfo is not None:
            raise UnfitValue("a timestamp as YYYY-MM-DDTHH:MM:SS, without a zone")
        return timestamp.isoformat()
    if timestamp is None:
        raise UnfitValue("a timestamp as YYYY-MM-DDTHH:MM:SS, UTC where it names no zone")
    return (timestamp if timestamp.tzinfo is not None else timestamp.replace(tzinfo=UTC)).astimezone(UTC).isoformat()


_FIT_FUNCTIONS: Sequence[
    tuple[Callable[[pa.DataType], bool], Callable[[Any, Any], bool | int | float | Decimal | str]]
] = (
    (pa.types.is_boolean, _fit_boolean),
    (pa.types.is_integer, _fit_integer),
    (pa.types.is_floating, _fit_float),
    (pa.types.is_decimal, _fit_decimal),
    (pa.types.is_string, _fit_text),
    (pa.types.is_date, _fit_date),
    (pa.types.is_timestamp, _fit_timestamp),
)
