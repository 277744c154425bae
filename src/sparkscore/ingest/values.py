"""Values of a config, fitted to a column's type without loss. Plain data in, plain data out."""

import math
import re
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

import pyarrow as pa

_DIGITS = 76
"""Of Arrow's widest decimal."""
_MOMENT = re.compile(r"\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d{1,6})?)?(Z|[+-]\d\d:?\d\d)?)?")


class Unfit(ValueError):
    """The value does not fit; the message says what would."""


def fitted(value: object, kind: pa.DataType) -> bool | int | float | Decimal | str:
    """The value as a literal that Spark's cast to the column's type takes over exactly.

    A fraction for a floating column means the nearest value of that column; everything else must be exact. Dates and
    timestamps become ISO text, timestamps with their zone: Spark's cast from it is exact in every year and time zone.

    Jobs:    none.
    Raises:  Unfit.
    """
    for fits, convert in _CONVERTERS:
        if fits(kind):
            return convert(value, kind)
    raise Unfit("only 'is null' or 'is not null'")


def _boolean(value: object, _: pa.DataType) -> bool:
    if isinstance(value, bool):
        return value
    raise Unfit("true or false")


def _integer(value: Any, kind: pa.DataType) -> int:
    if _is_number(value):
        try:
            return int(pa.scalar(value).cast(kind).as_py())
        except (pa.ArrowInvalid, OverflowError):
            pass
    raise Unfit("a whole number in its range")


def _floating(value: Any, kind: pa.DataType) -> float:
    if _is_number(value):
        try:
            nearest = float(pa.scalar(float(value)).cast(kind).as_py())
        except OverflowError:
            nearest = math.inf
        if math.isfinite(nearest) and (isinstance(value, float) or nearest == value):
            return nearest + 0.0  # never -0.0
    raise Unfit("a finite number, exact where it is whole")


def _decimal(value: object, kind: pa.DataType) -> Decimal:
    if _is_number(value) or isinstance(value, str):
        try:
            number = Decimal(str(value))
            if number.is_finite() and abs(number.adjusted()) <= _DIGITS:
                exact: Decimal = pa.scalar(number).cast(kind).as_py()
                return exact
        except (InvalidOperation, pa.ArrowInvalid):
            pass
    raise Unfit("a decimal number within its precision and scale")


def _text(value: object, _: pa.DataType) -> str:
    if isinstance(value, str):
        return value
    raise Unfit("text (in quotes where YAML reads something else)")


def _date(value: object, _: pa.DataType) -> str:
    if isinstance(value, date) and not isinstance(value, datetime):
        return value.isoformat()
    try:
        if isinstance(value, str) and date.fromisoformat(value).isoformat() == value:
            return value
    except ValueError:
        pass
    raise Unfit("a date as YYYY-MM-DD")


def _timestamp(value: object, kind: Any) -> str:
    moment = _moment(value)
    if kind.tz is None:
        if moment is None or moment.tzinfo is not None:
            raise Unfit("a timestamp as YYYY-MM-DDTHH:MM:SS, without a zone")
        return moment.isoformat()
    if moment is None:
        raise Unfit("a timestamp as YYYY-MM-DDTHH:MM:SS, UTC where it names no zone")
    return (moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)).astimezone(UTC).isoformat()


def _moment(value: object) -> datetime | None:
    """A datetime, a date or ISO text as a datetime, with the zone that it names; None for anything else."""
    if isinstance(value, datetime):
        return value
    text = value.isoformat() if isinstance(value, date) else value
    try:
        return datetime.fromisoformat(text) if isinstance(text, str) and _MOMENT.fullmatch(text) else None
    except ValueError:
        return None


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


_CONVERTERS: Sequence[
    tuple[Callable[[pa.DataType], bool], Callable[[Any, Any], bool | int | float | Decimal | str]]
] = (
    (pa.types.is_boolean, _boolean),
    (pa.types.is_integer, _integer),
    (pa.types.is_floating, _floating),
    (pa.types.is_decimal, _decimal),
    (pa.types.is_string, _text),
    (pa.types.is_date, _date),
    (pa.types.is_timestamp, _timestamp),
)
