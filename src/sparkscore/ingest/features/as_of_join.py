"""Joins features to rows: each row gets the last value that was known at its time, or NULL."""

from collections.abc import Sequence
from functools import reduce

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from sparkscore.ingest.features.feature_times import to_utc_micros
from sparkscore.ingest.features.feature_values import (
    FeatureTable,
    NeededValues,
    TimeRange,
    column_of,
    is_zoneless,
    key_column,
    load_values,
)
from sparkscore.ingest.features.small_table_join import collect_small_table, find_small_values
from sparkscore.ingest.features.window_join import join_by_window
from sparkscore.records import FLAG_BITS, ROW_FLAGS_COLUMN, RowTimes
from sparkscore.spark.error_translation import translate_spark_errors
from sparkscore.spark.type_mapping import spark_to_arrow_schema

SMALL_FILES_BYTES = 64 << 20
"""A table with more bytes than this is not looked at, whether few of its values are needed."""
FEW_ROWS = 100_000
"""So many rows tell their keys to the readers of the values."""


def join_features(
    rows: DataFrame, tables: Sequence[FeatureTable], times: RowTimes, *, row_count: int | None = None
) -> DataFrame:
    """The rows with the columns of all tables, and `ROW_FLAGS_COLUMN`: two bits for each table, in their order.

    Point in time correct: a value counts for a row if its time and, where the table has one, the time at which it was
    written are not after the row's time, and if it is not older than the time to live. Of these the one with the latest
    time, and of equal ones the one that was written last.

    Needs:   tables that `extend_with_features` has let pass; `row_count` where it is known: of few rows only the values
             of their keys are needed.
    Grain:   as the rows.
    Jobs:    one that reads the event times of the rows, where they have some; one for each small table.
    Raises:  whatever reading raises.
    """
    time = row_time(rows, times)
    span = find_time_range(rows, times, time)
    needed = [_find_needed_values(rows, one, span, row_count) for one in tables]
    found = {number: collect_small_table(one) for number, one in enumerate(needed)}
    small = {number: one for number, one in found.items() if one is not None}
    joined = rows.select(
        "*", *(find_small_values(one, rows, time).alias(_place(number)) for number, one in small.items())
    )
    for numbers in _group_by_keys([None if number in small else table for number, table in enumerate(tables)]):
        joined = _join_group(joined, [needed[number] for number in numbers], numbers, row_time(joined, times))
    return joined.select(*map(column_of, rows.columns), *_joined_columns(tables))


def row_time(rows: DataFrame, times: RowTimes) -> Column:
    """The time of each row in microseconds since 1970 in UTC; NULL where it has none."""
    if times.column is None:
        return F.lit(times.as_of_us).cast("long")
    kind = spark_to_arrow_schema(rows.schema).field(times.column).type
    zone = times.timezone if is_zoneless(kind) else None
    return to_utc_micros(column_of(times.column), kind, zone, is_value=False)


def find_time_range(rows: DataFrame, times: RowTimes, time: Column) -> TimeRange | None:
    """The least and the greatest time of the rows; None where no row has a time.

    Jobs:    one that reads the column of event times; none where all rows have one time.
    """
    if times.column is None:
        return TimeRange(times.as_of_us, times.as_of_us)
    with translate_spark_errors(f"reading {times.column} of the rows"):
        found = rows.agg(F.min(time).alias("least"), F.max(time).alias("greatest")).first()
    return None if found is None or found["least"] is None else TimeRange(found["least"], found["greatest"])


def _group_by_keys(tables: Sequence[FeatureTable | None]) -> list[list[int]]:
    """The numbers of the tables that are joined by the same columns of the rows: they share a shuffle."""
    groups: dict[tuple[str, ...], list[int]] = {}
    for number, table in enumerate(tables):
        if table is not None:
            groups.setdefault(tuple(name for name, _ in table.join.keys), []).append(number)
    return list(groups.values())


def _find_needed_values(
    rows: DataFrame, table: FeatureTable, span: TimeRange | None, row_count: int | None
) -> NeededValues:
    values, is_small = load_values(table, span), table.size is not None and table.size <= SMALL_FILES_BYTES
    if row_count is None or row_count > FEW_ROWS:
        return NeededValues(table, values, is_small)
    kinds = {field.name: field.type for field in spark_to_arrow_schema(rows.schema)}
    keys = [key_column(name, kinds[name]).alias(f"k{index}") for index, (name, _) in enumerate(table.join.keys)]
    wanted = F.broadcast(rows.select(*keys))
    return NeededValues(
        table, values.join(wanted, on=[f"k{index}" for index in range(len(keys))], how="left_semi"), True
    )


def _join_group(rows: DataFrame, needed: Sequence[NeededValues], numbers: Sequence[int], time: Column) -> DataFrame:
    joined = join_by_window(rows, needed, time)
    return joined.select(
        "row.*",
        *(
            F.struct(F.col(f"value{place}").alias("value"), F.col(f"flag{place}").alias("flag")).alias(_place(number))
            for place, number in enumerate(numbers)
        ),
    )


def _joined_columns(tables: Sequence[FeatureTable]) -> list[Column]:
    found = [column_of(_place(number)) for number in range(len(tables))]
    values = [
        one["value"][f"f{index}"].alias(name)
        for one, table in zip(found, tables, strict=True)
        for index, (name, _) in enumerate(table.join.columns)
    ]
    flags = [F.shiftleft(one["flag"].cast("long"), FLAG_BITS * number) for number, one in enumerate(found)]
    return [*values, reduce(Column.bitwiseOR, flags).alias(ROW_FLAGS_COLUMN)]


def _place(number: int) -> str:
    return f"_sparkscore_table_{number}"
