"""What stands in an expression of `model.inputs`: one value each, refused in words that say where it stands."""

import difflib
import math
import zoneinfo
from collections.abc import Mapping
from typing import Any

from sparkscore.records import Constant
from sparkscore.redaction.secret_patterns import shorten_redacted
from sparkscore.redaction.uri_credentials import has_uri_credentials
from sparkscore.settings.strict_yaml import describe_value

_LONGS = range(-(1 << 63), 1 << 63)


def format_place(path: str) -> str:
    """A path inside of an expression, as a message begins with it."""
    return f"{path.removeprefix('.')}: " if path else ""


def describe_given(value: object) -> str:
    """What stands where something else is expected."""
    kinds: dict[type, str] = {dict: "a mapping", str: f"the text {shorten_redacted(repr(value), 60)}"}
    if isinstance(value, list | tuple):
        return f"a list of {len(value)}"
    return kinds.get(type(value)) or describe_value(value)


def require_keys(given: Mapping[str, Any], needed: tuple[str, ...], optional: tuple[str, ...], at: str) -> None:
    """Refuse a mapping that lacks a key, or has another one.

    Raises:  ValueError.
    """
    lacking = [name for name in needed if name not in given]
    unknown = [str(name) for name in given if name not in (*needed, *optional)]
    if lacking or unknown:
        faults = [f"{', '.join(lacking)} missing"] * bool(lacking) + [f"unknown: {', '.join(unknown)}"] * bool(unknown)
        extra = f", and perhaps {', '.join(optional)}" if optional else ""
        raise ValueError(
            f"{format_place(at)}{shorten_redacted('; '.join(faults), 120)}; expected {', '.join(needed)}{extra}"
        )


def require_column_name(value: object, at: str) -> str:
    """The name of a column.

    Raises:  ValueError for anything else.
    """
    if isinstance(value, str) and value.strip():
        return value
    raise ValueError(f"{format_place(at)}{describe_given(value)}; expected the name of a column")


def require_word(value: object, words: tuple[Any, ...], at: str) -> Any:
    """One of the words.

    Raises:  ValueError for anything else, with the nearest one.
    """
    if isinstance(value, str) and value in words:
        return value
    near = difflib.get_close_matches(str(value), words, n=1)
    hint = f" (did you mean {near[0]}?)" if near else ""
    raise ValueError(f"{format_place(at)}{describe_given(value)}{hint}; expected one of {', '.join(words)}")


def require_table_name(value: object, at: str) -> str:
    """The name of a table, without credentials in it.

    Raises:  ValueError, which shows none.
    """
    if isinstance(value, str) and value.strip() and not has_uri_credentials(value):
        return value
    shown = "a URI with credentials in it, which is not shown" if isinstance(value, str) else describe_given(value)
    raise ValueError(f"{format_place(at)}{shown}; expected a Delta table, named as in source.table")


def require_time_zone(value: object, at: str) -> None:
    """Refuse all but a region of the time zone database: offsets and abbreviations mean other things elsewhere.

    Raises:  ValueError.
    """
    try:
        is_known = isinstance(value, str) and (value == "UTC" or "/" in value) and bool(zoneinfo.ZoneInfo(value))
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        is_known = False
    if not is_known:
        raise ValueError(
            f"{format_place(at)}{describe_given(value)}; expected UTC, or a region such as America/New_York"
        )


def parse_constant(value: Any, at: str) -> Constant:
    """The constant that a number, true or false is.

    Raises:  ValueError for NaN, infinities, whole numbers beyond 64 bits, and for anything else.
    """
    is_number = isinstance(value, bool | int | float)
    if is_number and (isinstance(value, bool) or (value in _LONGS if isinstance(value, int) else math.isfinite(value))):
        return Constant(value)
    raise ValueError(
        f"{format_place(at)}{describe_given(value)}; expected true, false, or a finite number of at most 64 bits"
    )
