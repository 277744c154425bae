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
_ISO_TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d{1,6})?)?(Z|[+-]\d\d:?\d\d)?)?")


class UnfitValue(ValueError):
    """The value does not fit; the message says what would."""


def fit_filter_value(value: object, kind: pa.DataType) -> bool | int | float | Decimal | str:
    """The value as a literal that Spark's cast to the column's type takes over exactly.

    A fraction for a floating column means the nearest value of that column; everything else must be exact. Dates and
    timestamps become ISO text, timestamps with their zone: Spark's cast from it is exact in every year and time zone.

    Jobs:    none.
    Raises:  Unfit.
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
    if _is_real_number(value):
        try:
            return int(pa.scalar(value).cast(kind).as_py())
        except (pa.ArrowInvalid, OverflowError):
            pass
    raise UnfitValue("a whole number in its range")


def _fit_float(value: Any, kind: pa.DataType) -> float:
    if _is_real_number(value):
        try:
            nearest = float(pa.scalar(float(value)).cast(kind).as_py())
        except OverflowError:
            nearest = math.inf
        if math.isfinite(nearest) and (isinstance(value, float) or nearest == value):
            return nearest + 0.0  # never -0.0
    raise UnfitValue("a finite number, exact where it is whole")


def _fit_decimal(value: object, kind: pa.DataType) -> Decimal:
    if _is_real_number(value) or isinstance(value, str):
        try:
            number = Decimal(str(value))
            if number.is_finite() and abs(number.adjusted()) <= _DIGITS:
                exact: Decimal = pa.scalar(number).cast(kind).as_py()
                return exact
        except (InvalidOperation, pa.ArrowInvalid):
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
    moment = _parse_iso_timestamp(value)
    if kind.tz is None:
        if moment is None or moment.tzinfo is not None:
            raise UnfitValue("a timestamp as YYYY-MM-DDTHH:MM:SS, without a zone")
        return moment.isoformat()
    if moment is None:
        raise UnfitValue("a timestamp as YYYY-MM-DDTHH:MM:SS, UTC where it names no zone")
    return (moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)).astimezone(UTC).isoformat()


def _parse_iso_timestamp(value: object) -> datetime | None:
    """A datetime, a date or ISO text as a datetime, with the zone that it names; None for anything else."""
    if isinstance(value, datetime):
        return value
    text = value.isoformat() if isinstance(value, date) else value
    try:
        return datetime.fromisoformat(text) if isinstance(text, str) and _ISO_TIMESTAMP.fullmatch(text) else None
    except ValueError:
        return None


def _is_real_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


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
