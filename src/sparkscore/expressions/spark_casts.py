"""Casts of an expression in Spark, with the same values as in Arrow, whatever the session's settings are.

Runs on the driver; no Spark job.
"""

from collections.abc import Callable

import pyarrow as pa
from pyspark.sql import Column
from pyspark.sql import functions as F

from sparkscore.expressions.typed_expressions import (
    BLANKS,
    BOOLEAN_TEXT,
    DATE_TEXT,
    MAX_DAY,
    MAX_TIME_US,
    MIN_DAY,
    MIN_TIME_US,
    NUMBER_TEXT,
    TIME_TEXT,
    WHOLE_NUMBER_TEXT,
    ZONE_MARGIN_US,
)
from sparkscore.spark.type_mapping import arrow_to_spark_type

_SparkCast = Callable[[Column, pa.DataType], Column]


def cast_column(column: Column, kind: pa.DataType, target: pa.DataType) -> Column:
    """The column as another type; NULL where it cannot hold a value.

    Needs:   a cast that `expressions.type_inference` allows or makes.
    """
    for fits, cast in _CASTS_OF_COLUMNS:
        if fits(kind):
            return cast(column, target)
    return column.cast(arrow_to_spark_type(target))  # of booleans


def limit_day_column(column: Column) -> Column:
    """The dates from the year 1 to 9999, NULL elsewhere."""
    return F.when(F.unix_date(column).between(MIN_DAY, MAX_DAY), column)


def find_local_column(column: Column, kind: pa.DataType, timezone: str | None) -> Column:
    """What the clock of a time zone shows; NULL outside of the years 1 to 9999.

    Needs:   a session in UTC, as those of a run are.
    """
    if kind.tz is None:  # a time without a zone becomes the same of UTC: seconds and dates are read off it alike
        column = column.cast("timestamp")
    if timezone is not None:
        column = F.from_utc_timestamp(_limit_times(column, ZONE_MARGIN_US), timezone)
    return _limit_times(column, 0)


def _limit_times(column: Column, margin: int) -> Column:
    is_kept = F.unix_micros(column).between(F.lit(MIN_TIME_US - margin), F.lit(MAX_TIME_US + margin))
    return F.when(is_kept, column)


def _cast_integer_column(column: Column, target: pa.DataType) -> Column:
    if target == pa.float32():  # Spark leaves out a cast to float that another one to double follows, and its rounding
        column = column.cast("double")
    return column.try_cast(arrow_to_spark_type(target))


def _cast_floating_column(column: Column, target: pa.DataType) -> Column:
    spark_type = arrow_to_spark_type(target)
    if not pa.types.is_integer(target):
        return column.cast(spark_type)
    wide, limit = column.cast("double"), float(1 << (target.bit_width - 1))
    above = wide >= F.lit(-limit) if target.bit_width == 64 else wide > F.lit(-limit - 1)
    return F.when(above & (wide < F.lit(limit)), wide.cast("long").cast(spark_type))


def _cast_decimal_column(column: Column, target: pa.DataType) -> Column:
    spark_type = arrow_to_spark_type(target)
    return column.cast("double").cast(spark_type) if pa.types.is_floating(target) else column.try_cast(spark_type)


def _cast_text_column(column: Column, target: pa.DataType) -> Column:
    spark_type = arrow_to_spark_type(target)
    if pa.types.is_integer(target):
        return _extract_column(column, WHOLE_NUMBER_TEXT).try_cast(spark_type)
    if pa.types.is_floating(target):
        return _extract_column(column, NUMBER_TEXT).try_cast("double").cast(spark_type)
    if pa.types.is_boolean(target):
        return _extract_column(column, BOOLEAN_TEXT).try_cast(spark_type)
    if pa.types.is_date(target):
        return limit_day_column(_extract_column(column, DATE_TEXT).try_cast(spark_type))
    # Spark reads no offset after minutes, and takes a time without one for one of the session's zone
    text = F.regexp_replace(_extract_column(column, TIME_TEXT), "^(.{16})(?=$|[Z+-])", "$1:00")
    text = F.regexp_replace(text, "^(.{19}(?:[.][0-9]+)?)$", "$1Z")
    return F.when(F.substring(text, 1, 4) != F.lit("0000"), text.try_cast(spark_type))


def _extract_column(column: Column, pattern: str) -> Column:
    """What is written between blanks, NULL where it does not match."""
    return F.nullif(F.regexp_extract(column, rf"\A{BLANKS}({pattern}){BLANKS}\z", 1), F.lit(""))


def _cast_time_column(column: Column, target: pa.DataType) -> Column:
    return _limit_times(column.cast("timestamp"), 0).cast(arrow_to_spark_type(target))


_CASTS_OF_COLUMNS: tuple[tuple[Callable[[pa.DataType], bool], _SparkCast], ...] = (
    (pa.types.is_integer, _cast_integer_column),
    (pa.types.is_floating, _cast_floating_column),
    (pa.types.is_decimal, _cast_decimal_column),
    (pa.types.is_string, _cast_text_column),
    (pa.types.is_date32, lambda column, target: limit_day_column(column).cast(arrow_to_spark_type(target))),
    (pa.types.is_timestamp, _cast_time_column),
)
