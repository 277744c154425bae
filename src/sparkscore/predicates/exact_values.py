"""Numbers and times as people write them in a config or a suite, read exactly. Plain data in, plain data out."""

import re
from datetime import date, datetime
from decimal import Decimal, InvalidOperation

_ISO_TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d{1,6})?)?(Z|[+-]\d\d:?\d\d)?)?")


class UnfitValue(ValueError):
    """A value that does not fit its column. The message says what would fit, or what was found."""


def is_real_number(value: object) -> bool:
    """Whether a value is a number, which to Python true and false are, too."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def to_exact_decimal(value: object) -> Decimal:
    """A number, or its text, without loss.

    Raises:  UnfitValue.
    """
    if not is_real_number(value) and not isinstance(value, str | Decimal):
        raise UnfitValue(f"{type(value).__name__} where a number belongs")
    try:
        return Decimal(str(value))
    except InvalidOperation:
        raise UnfitValue("text where a number belongs") from None


def parse_iso_timestamp(value: object) -> datetime | None:
    """A datetime, a date or ISO text as a datetime, with the zone that it names; None for anything else."""
    if isinstance(value, datetime):
        return value
    text = value.isoformat() if isinstance(value, date) else value
    try:
        return datetime.fromisoformat(text) if isinstance(text, str) and _ISO_TIMESTAMP.fullmatch(text) else None
    except ValueError:
        return None


def to_time_text(value: object) -> str:
    """A date or a time of day as the ISO text that Spark's cast reads.

    Raises:  UnfitValue.
    """
    text = value.isoformat() if isinstance(value, date) else value
    if isinstance(text, str) and parse_iso_timestamp(text) is not None:
        return text
    raise UnfitValue("something else than a date or a time, as 2013-12-31 or 2013-12-31T10:00:00")
