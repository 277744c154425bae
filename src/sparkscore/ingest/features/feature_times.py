"""Times of rows and of feature values as microseconds since 1970 in UTC, whatever the session's time zone is."""

from datetime import UTC, date, datetime, timedelta

import pyarrow as pa
from pyspark.sql import Column
from pyspark.sql import functions as F

from sparkscore.errors import ConfigError
from sparkscore.spark.type_mapping import describe_source_type

_HOUR_US, DAY_US = 3_600_000_000, 86_400_000_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def check_time_column(field: pa.Field, *, table: str, use: str, timezone: str | None, setting: str) -> None:
    """Refuse a column that holds no times, and one whose times name no instants as long as nobody says their zone.

    Raises:  ConfigError.
    """
    is_time = pa.types.is_timestamp(field.type) or pa.types.is_date32(field.type)
    if not is_time:
        raise ConfigError(
            f"{use} {field.name} of {table} is of the type {describe_source_type(field)}",
            "timestamp, timestamp_ntz or date",
            "name a column with times, or cast it in the table",
        )
    is_local = pa.types.is_timestamp(field.type) and field.type.tz is None
    if is_local and timezone is None:
        raise ConfigError(
            f"{use} {field.name} of {table} is of the type timestamp_ntz, whose times name no instants",
            "the time zone that they are written in",
            f"set {setting}, for example to UTC or America/New_York",
        )
    if timezone is not None and pa.types.is_timestamp(field.type) and not is_local:
        raise ConfigError(
            f"{setting} {timezone}, and {use} {field.name} of {table} is of the type timestamp, which names instants",
            "a time zone for columns that have none",
            f"remove {setting}",
        )


def to_utc_micros(column: Column, kind: pa.DataType, timezone: str | None, *, is_value: bool) -> Column:
    """The instants: a date is its first moment. NULL stays.

    An hour that comes twice, where summer time ends, is the second one for a value of a feature (`is_value`) and the
    first one for a row: so no row gets what was not known yet.
    """
    if pa.types.is_date32(kind):
        if timezone in (None, "UTC"):
            return F.unix_date(column).cast("long") * F.lit(DAY_US)
        column = column.cast("timestamp_ntz")
    elif kind.tz is not None:
        return F.unix_micros(column)
    zone = timezone or "UTC"
    first = _local_to_micros(column, zone)
    if not is_value or zone == "UTC":
        return first
    later = _local_to_micros(column + F.expr("INTERVAL '1' HOUR"), zone) - F.lit(_HOUR_US)
    return F.greatest(first, later)


def _local_to_micros(column: Column, zone: str) -> Column:
    parts = (F.year(column), F.month(column), F.day(column), F.hour(column), F.minute(column))
    second = F.extract(F.lit("SECOND"), column)
    return F.unix_micros(F.make_timestamp(*parts, second, F.lit(zone)))


def time_literal(micros: int, kind: pa.DataType, *, is_upper: bool) -> Column | None:
    """A bound of a time column, as its type has it, so that readers leave out files; None beyond the calendar.

    Of columns without a zone the bound is a day wider: no zone is further from UTC.
    """
    try:
        moment = _EPOCH + timedelta(microseconds=micros)
        if pa.types.is_timestamp(kind) and kind.tz is not None:
            return F.lit(moment)
        moment += timedelta(days=1 if is_upper else -1)
    except OverflowError:
        return None
    if pa.types.is_date32(kind):
        return F.lit(date(moment.year, moment.month, moment.day))
    return F.lit(moment.replace(tzinfo=None).isoformat(sep=" ")).cast("timestamp_ntz")
