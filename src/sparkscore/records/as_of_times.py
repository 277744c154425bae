"""The logical times that runs stand for, as people and schedulers give them."""

from datetime import UTC, date, datetime, time

from sparkscore.errors import ConfigError
from sparkscore.records.canonical_text import to_utc_text

_FIRST, _END = datetime(1678, 1, 1, tzinfo=UTC), datetime(2262, 1, 1, tzinfo=UTC)
"""Spark writes times in Parquet's INT96, which most other readers take as nanoseconds: those hold no other years, and
then cannot read the table any more."""


def parse_as_of(given: str | date) -> datetime:
    """The UTC time of an ISO date or timestamp; without a zone it is UTC.

    Raises:  ConfigError for what is none, and for a time that readers of the prediction table could not hold.
    """
    moment = parse_utc_time(given, what="as_of")
    if not _FIRST <= moment < _END:
        raise ConfigError(
            f"as_of {to_utc_text(moment)} is a time that many readers of Parquet cannot hold",
            f"an as_of from {_FIRST.year} to {_END.year - 1}",
            "pass the scheduler's logical date",
        )
    return moment


def parse_utc_time(given: str | date, *, what: str) -> datetime:
    """The UTC time of an ISO date or timestamp in the years 1 to 9999; without a zone it is UTC.

    Raises:  ConfigError naming `what`.
    """
    try:
        moment = datetime.fromisoformat(given) if isinstance(given, str) else _to_datetime(given)
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except OverflowError as error:
        raise ConfigError(
            f"{what} {given} lies outside of the years 1 to 9999 in UTC", "a time in these years", f"correct {what}"
        ) from error
    except (TypeError, ValueError) as error:
        raise ConfigError(
            f"{what} {given!r} is no date or timestamp",
            "an ISO date or timestamp, UTC: 2013-12-31 or 2013-12-31T06:00:00Z",
            "pass the scheduler's logical date",
        ) from error


def _to_datetime(given: date) -> datetime:
    """A `datetime` of Python's own: pandas has one that keeps nanoseconds, which no table of the suite does."""
    if not isinstance(given, date):
        raise TypeError(type(given).__name__)
    if not isinstance(given, datetime):
        return datetime.combine(given, time())
    return datetime.fromisoformat(given.isoformat()) if type(given) is not datetime else given
