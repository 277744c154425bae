"""The values of a feature table at one version, as far as the rows can need them."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import reduce

import pyarrow as pa
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from sparkscore.ingest.features.feature_times import time_literal, to_utc_micros
from sparkscore.records import FeatureJoin
from sparkscore.spark.identifiers import quote_identifier
from sparkscore.spark.type_mapping import spark_to_arrow_schema

AVAILABLE_AT, VALUE_TIME, KNOWN_AT = "at", "time", "known"
"""Columns of `load_values`: when a value is known to rows, when it holds from, when it was written; microseconds."""


@dataclass(frozen=True, slots=True)
class TimeRange:
    """The least and the greatest time of the rows, in microseconds since 1970 in UTC."""

    least: int
    greatest: int


@dataclass(frozen=True, slots=True)
class FeatureTable:
    """A feature table at the version that is joined."""

    join: FeatureJoin
    rows: DataFrame
    """All columns of the pinned version."""
    size: int | None = None
    """Bytes of its files; None where only Spark knows."""


@dataclass(frozen=True, slots=True)
class NeededValues:
    """Of a feature table what the rows may need."""

    table: FeatureTable
    values: DataFrame
    """Columns of `load_values`."""
    may_be_few: bool = False
    """Whether it is worth a look if they are few enough to travel with the tasks."""


def column_of(name: str) -> Column:
    """A column by its exact name."""
    return F.col(quote_identifier(name))


def key_column(name: str, kind: pa.DataType) -> Column:
    """A part of a key: whole numbers of all sizes are long, so that both sides have one type."""
    return column_of(name).cast("long") if pa.types.is_integer(kind) else column_of(name)


def load_values(table: FeatureTable, times: TimeRange | None) -> DataFrame:
    """Key columns `k0…`, `at`, `time`, `known` where there is one, and a struct `value`, of what may be needed.

    A value without a key, a time or, where the table has one, a known time belongs to no row. Values after the
    greatest time of the rows, or too old for the least one, are left out by conditions that readers take.

    Grain:   as the feature table.
    Jobs:    none.
    """
    join, kinds = table.join, {field.name: field.type for field in spark_to_arrow_schema(table.rows.schema)}
    rows = table.rows.where(_needed_values(join, kinds, times))
    keys = [key_column(name, kinds[name]).alias(f"k{index}") for index, (_, name) in enumerate(join.keys)]
    time = _value_micros(join, join.time, kinds)
    known = [] if join.known_at is None else [_value_micros(join, join.known_at, kinds)]
    value = F.struct(*(column_of(column).alias(f"f{index}") for index, (_, column) in enumerate(join.columns)))
    return rows.select(
        *keys,
        (F.greatest(time, *known) if known else time).alias(AVAILABLE_AT),
        time.alias(VALUE_TIME),
        *(one.alias(KNOWN_AT) for one in known),
        value.alias("value"),
    )


def _value_micros(join: FeatureJoin, name: str, kinds: Mapping[str, pa.DataType]) -> Column:
    zone = join.timezone if is_zoneless(kinds[name]) else None
    return to_utc_micros(column_of(name), kinds[name], zone, is_value=True)


def is_zoneless(kind: pa.DataType) -> bool:
    """Whether a time of this type needs a time zone to be an instant."""
    return bool(pa.types.is_date32(kind)) or kind.tz is None


def _needed_values(join: FeatureJoin, kinds: Mapping[str, pa.DataType], times: TimeRange | None) -> Column:
    if times is None:
        return F.lit(False)
    moments = [join.time, *([] if join.known_at is None else [join.known_at])]
    met = [column_of(name).isNotNull() for name in (*(column for _, column in join.keys), *moments)]
    for name in moments:
        latest = time_literal(times.greatest, kinds[name], is_upper=True)
        met += [] if latest is None else [column_of(name) <= latest]
    if join.ttl_us is not None:
        earliest = time_literal(times.least - join.ttl_us, kinds[join.time], is_upper=False)
        met += [] if earliest is None else [column_of(join.time) >= earliest]
    return reduce(Column.__and__, met)
