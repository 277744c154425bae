"""The as_ofs of a range: one after the other, as far apart as an interval says."""

import re
from calendar import monthrange
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sparkscore.errors import ConfigError
from sparkscore.records.as_of_times import parse_as_of
from sparkscore.records.canonical_text import to_utc_text

MOST_AS_OFS = 10_000
"""In one range: with more, a wrong interval is more likely than so many runs."""
_WORDS = re.compile(r"(\d+)(min|h|d|w|mo)")
_ISO = re.compile(r"P(?=\d|T\d)(?:(\d+)Y)?(?:(\d+)M)?(?:(\d+)W)?(?:(\d+)D)?(?:T(?=\d)(?:(\d+)H)?(?:(\d+)M)?)?")
_UNITS = {
    "min": timedelta(minutes=1),
    "h": timedelta(hours=1),
    "d": timedelta(days=1),
    "w": timedelta(weeks=1),
}


@dataclass(frozen=True, slots=True)
class AsOfInterval:
    """How far apart the as_ofs are, in UTC, where no day is longer than another: months and a fixed time."""

    months: int
    fixed: timedelta

    @classmethod
    def from_text(cls, text: str) -> "AsOfInterval":
        """The interval of `15min`, `1h`, `1d`, `1w`, `1mo`, or of an ISO 8601 duration such as `P1D`, `PT6H` or `P1M`.

        Raises:  ConfigError.
        """
        try:
            found = _parse_words(text) or _parse_iso(text)
        except OverflowError:
            found = None
        if found is None or found == cls(0, timedelta()):
            raise ConfigError(
                f"the interval {text!r}",
                "a number and min, h, d, w or mo (1h, 1d, 1w, 1mo), or an ISO 8601 duration (PT1H, P1D, P1W, P1M)",
                "correct --every",
            )
        return found

    def add_to(self, first: datetime, times: int) -> datetime:
        """So many steps after the first as_of. Months count from there: the 31st of January, the 28th of February, the
        31st of March."""
        years, month = divmod(first.month - 1 + self.months * times, 12)
        year, month = first.year + years, month + 1
        day = min(first.day, monthrange(year, month)[1])
        return first.replace(year=year, month=month, day=day) + self.fixed * times


def list_as_ofs(first: str | date, last: str | date, every: str) -> tuple[datetime, ...]:
    """The as_ofs from the first to the last one, both included; the last one only where the steps meet it.

    Raises:  ConfigError for times or an interval that are none, for a range without an as_of, and for too many of them.
    """
    begin, end, interval = parse_as_of(first), parse_as_of(last), AsOfInterval.from_text(every)
    if end < begin:
        raise ConfigError(
            f"the range begins at {to_utc_text(begin)} and ends before, at {to_utc_text(end)}",
            "a first as_of that is not later than the last one",
            "exchange --from and --to",
        )
    return tuple(_step_until(begin, end, interval))


def _step_until(begin: datetime, end: datetime, interval: AsOfInterval) -> Iterator[datetime]:
    for times in range(MOST_AS_OFS + 1):
        try:
            as_of = interval.add_to(begin, times)
        except (OverflowError, ValueError):  # after the last year of calendars
            return
        if as_of > end:
            return
        if times == MOST_AS_OFS:
            break
        yield as_of
    raise ConfigError(
        f"more than {MOST_AS_OFS:,} as_ofs from {to_utc_text(begin)} to {to_utc_text(end)}",
        f"{MOST_AS_OFS:,} at most in one back-fill",
        "correct --every, or back-fill one part of the range after the other",
    )


def _parse_words(text: str) -> AsOfInterval | None:
    found = _WORDS.fullmatch(text)
    if found is None:
        return None
    number, unit = int(found[1]), found[2]
    return AsOfInterval(number, timedelta()) if unit == "mo" else AsOfInterval(0, _UNITS[unit] * number)


def _parse_iso(text: str) -> AsOfInterval | None:
    found = _ISO.fullmatch(text)
    if found is None:
        return None
    years, months, weeks, days, hours, minutes = (int(part or 0) for part in found.groups())
    return AsOfInterval(12 * years + months, timedelta(weeks=weeks, days=days, hours=hours, minutes=minutes))
