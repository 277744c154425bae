"""Texts read as numbers, booleans, dates and times; NULL for what is none. Executors use it: pyarrow and numpy only."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sparkscore.expressions.typed_expressions import (
    BLANKS,
    BOOLEAN_TEXT,
    DATE_TEXT,
    DAY_US,
    DOUBLE,
    LONG,
    NUMBER_TEXT,
    TIME_TEXT,
    UTC_TIME,
    WHOLE_NUMBER_TEXT,
)

_MONTH_DAYS = np.array([0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31])
_CLOCK = (
    r"^(?P<date>.{10}).(?P<hour>[0-9]{2}):(?P<minute>[0-9]{2})(?::(?P<second>[0-9]{2})(?:\.(?P<fraction>[0-9]{1,6}))?)?"
    r"(?P<zone>Z|[+-][0-9:]{5})?$"
)
_MOST_OFFSET_MINUTES = 18 * 60


def parse_whole_numbers(texts: pa.Array) -> pa.Array:
    """Whole numbers of up to 19 digits, as decimals."""
    return pc.cast(_extract_text(texts, WHOLE_NUMBER_TEXT), pa.decimal128(38, 0))


def parse_doubles(texts: pa.Array) -> pa.Array:
    """Decimal numbers, with an exponent or without; those beyond a double's range are infinite."""
    return pc.cast(_extract_text(texts, NUMBER_TEXT), DOUBLE)


def parse_booleans(texts: pa.Array) -> pa.Array:
    """`true` and `false`, in either case."""
    return pc.equal(pc.ascii_lower(_extract_text(texts, BOOLEAN_TEXT)), "true")


def parse_date_texts(texts: pa.Array) -> pa.Array:
    """Dates as 2013-12-31."""
    return _parse_dates(_extract_text(texts, DATE_TEXT))


def parse_time_texts(texts: pa.Array) -> pa.Array:
    """Times as 2013-12-31T10:00, with seconds, a fraction and an offset where they are given; without one in UTC."""
    parts = pc.extract_regex(_extract_text(texts, TIME_TEXT), _CLOCK)
    days = _parse_dates(pc.struct_field(parts, "date"))
    hour, minute, second = (_parse_digits(pc.struct_field(parts, name)) for name in ("hour", "minute", "second"))
    fraction = _parse_digits(pc.utf8_rpad(pc.struct_field(parts, "fraction"), 6, "0"))
    offset, is_offset = _to_offset_minutes(pc.struct_field(parts, "zone"))
    is_valid = (hour <= 23) & (minute <= 59) & (second <= 59) & is_offset
    day = pc.cast(pc.cast(days, pa.int32()).fill_null(0), LONG).to_numpy()
    micros = day * DAY_US + ((hour * 60 + minute - offset) * 60 + second) * 1_000_000 + fraction
    keep = pc.and_(days.is_valid(), pa.array(is_valid))
    return pc.cast(pc.if_else(keep, pa.array(micros), pa.scalar(None, LONG)), UTC_TIME)


def _extract_text(texts: pa.Array, pattern: str) -> pa.Array:
    """What is written between blanks, NULL where it does not match."""
    found = pc.extract_regex(texts, rf"\A{BLANKS}(?P<text>{pattern}){BLANKS}\z")
    return pc.if_else(found.is_valid(), found.field("text"), pa.scalar(None, pa.string()))


def _parse_dates(texts: pa.Array) -> pa.Array:
    year, month, day = (_parse_digits(pc.utf8_slice_codeunits(texts, *ends)) for ends in ((0, 4), (5, 7), (8, 10)))
    is_leap = (year % 4 == 0) & ((year % 100 != 0) | (year % 400 == 0))
    month_days = _MONTH_DAYS[np.clip(month, 0, 12)] + ((month == 2) & is_leap)
    is_date = (year >= 1) & (month >= 1) & (month <= 12) & (day >= 1) & (day <= month_days)
    return pc.cast(pc.if_else(pa.array(is_date), texts, pa.scalar(None, pa.string())), pa.date32())


def _parse_digits(digits: pa.Array) -> "np.typing.NDArray[np.int64]":
    """The numbers, 0 for nothing: RE2 gives an empty text for a group that is not there."""
    given = pc.if_else(pc.equal(digits, ""), pa.scalar("0"), digits)
    numbers: np.typing.NDArray[np.int64] = pc.cast(given, LONG).fill_null(0).to_numpy()
    return numbers


def _to_offset_minutes(zones: pa.Array) -> "tuple[np.typing.NDArray[np.int64], np.typing.NDArray[np.bool_]]":
    """Minutes east of Greenwich, and whether they are an offset."""
    is_offset = pc.fill_null(pc.match_substring_regex(zones, "^[+-]"), False)
    given = pc.if_else(is_offset, zones, pa.scalar("+00:00"))
    hours, minutes = (_parse_digits(pc.utf8_slice_codeunits(given, *ends)) for ends in ((1, 3), (4, 6)))
    sign = np.where(pc.starts_with(given, "-").to_numpy(zero_copy_only=False), -1, 1)
    total = hours * 60 + minutes
    return sign * total, (minutes <= 59) & (total <= _MOST_OFFSET_MINUTES)
