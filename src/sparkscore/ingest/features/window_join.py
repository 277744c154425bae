"""As-of join by Spark's windows: rows and values in one shuffle, sorted by time, and the last value carried along.

The values of all tables that are joined by the same columns of the rows pass one shuffle, with the rows.
"""

from collections.abc import Sequence
from functools import reduce

from pyspark.sql import Column, DataFrame, Window, WindowSpec
from pyspark.sql import functions as F
from pyspark.sql.types import AtomicType, StructField, StructType

from sparkscore.ingest.features.feature_values import (
    AVAILABLE_AT,
    KNOWN_AT,
    VALUE_TIME,
    FeatureTable,
    NeededValues,
    column_of,
    key_column,
)
from sparkscore.records import FLAG_AMBIGUOUS, FLAG_MATCHED
from sparkscore.spark.type_mapping import spark_to_arrow_schema

_ROW, _KIND, _SALT = "row", "kind", "salt"
_HASH, _TURNED = "hash", "turned"
_SALTS = 997


def join_by_window(rows: DataFrame, needed: Sequence[NeededValues], time: Column) -> DataFrame:
    """The rows as a struct `row`, and for each table a struct `value<n>` and `flag<n>`.

    A row without a time, or with a NULL in the key, gets nothing.

    Needs:   tables that are joined by the same columns of the rows; `time` in microseconds.
    Grain:   as the rows.
    Jobs:    none.
    """
    tables = [one.table for one in needed]
    keys = [name for name, _ in tables[0].join.keys]
    both = _row_side(rows, keys, time, number=len(tables))
    for number, one in enumerate(needed):
        both = both.unionByName(_value_side(one, number), allowMissingColumns=True)
    names = [f"k{index}" for index in range(len(keys))]
    by_time = Window.partitionBy(*names, _SALT).orderBy(AVAILABLE_AT, _KIND)
    until_row = by_time.rowsBetween(Window.unboundedPreceding, Window.currentRow)
    carried = [one for number, table in enumerate(tables) for one in _carry_last(table, number, until_row)]
    found = both.select(_ROW, _KIND, AVAILABLE_AT, *carried).where(F.col(_KIND) == len(tables))
    return found.select(_ROW, *(one for number, table in enumerate(tables) for one in _judge_last(table, number)))


def _row_side(rows: DataFrame, keys: Sequence[str], time: Column, *, number: int) -> DataFrame:
    kinds = {field.name: field.type for field in spark_to_arrow_schema(rows.schema)}
    parts = [key_column(name, kinds[name]) for name in keys]
    lacks = reduce(Column.__or__, (part.isNull() for part in parts))
    spread = [column_of(one.name) for one in rows.schema if isinstance(one.dataType, AtomicType)]
    # rows without a key, which no value belongs to, would all be one group
    salt = F.when(lacks, F.pmod(F.xxhash64(*spread), F.lit(_SALTS)))
    return rows.select(
        F.struct("*").alias(_ROW),
        *(part.alias(f"k{index}") for index, part in enumerate(parts)),
        F.coalesce(salt, F.lit(-1)).cast("int").alias(_SALT),
        time.alias(AVAILABLE_AT),
        F.lit(number).alias(_KIND),
    )


def _value_side(needed: NeededValues, number: int) -> DataFrame:
    values, has_known = needed.values, needed.table.join.known_at is not None
    value_type = values.schema["value"].dataType
    assert isinstance(value_type, StructType)  # noqa: S101  as `load_values` makes it
    times = (VALUE_TIME, KNOWN_AT) if has_known else (VALUE_TIME,)
    hashed = F.xxhash64(*(part for field in value_type for part in _hashed_parts(field)))
    return values.select(
        *(name for name in values.columns if name not in ("value", VALUE_TIME, KNOWN_AT)),
        F.lit(-1).alias(_SALT),
        F.lit(number).alias(_KIND),
        F.struct(*times, hashed.alias(_HASH), F.bitwise_not(hashed).alias(_TURNED), "value").alias(f"value{number}"),
    )


def _hashed_parts(field: StructField) -> tuple[Column, Column]:
    """What tells a value from another: NULL changes no hash, and maps have none."""
    column = F.col("value")[field.name]
    is_plain = isinstance(field.dataType, AtomicType)
    return column.isNull(), column if is_plain else F.to_json(F.struct(column.alias("json")))


def _carry_last(table: FeatureTable, number: int, until_row: WindowSpec) -> tuple[Column, Column]:
    """The last value until now, by its time and then by when it was written, and whether others are as new.

    Of values with equal times one has the greatest hash, and one the least, which is the greatest with its bits turned.
    """
    value = F.col(f"value{number}")
    times = [value[name] for name in ((VALUE_TIME,) if table.join.known_at is None else (VALUE_TIME, KNOWN_AT))]

    def newest(tie: str) -> Column:
        return F.when(value.isNotNull(), F.struct(*times, value[tie]))

    # by event time alone they come in this order
    last = F.last(value, ignorenulls=True) if table.join.known_at is None else F.max_by(value, newest(_HASH))
    greatest, least = F.max(newest(_HASH)).over(until_row), F.max(newest(_TURNED)).over(until_row)
    is_twin = greatest[_HASH] != F.bitwise_not(least[_TURNED])
    return last.over(until_row).alias(f"value{number}"), is_twin.cast("int").alias(f"twin{number}")


def _judge_last(table: FeatureTable, number: int) -> tuple[Column, Column]:
    """The value that is not too old, and what there is to say of it."""
    carried = F.col(f"value{number}")
    is_found = carried.isNotNull()
    if table.join.ttl_us is not None:
        is_found = is_found & (F.col(AVAILABLE_AT) - carried[VALUE_TIME] <= table.join.ttl_us)
    flag = F.when(is_found, F.col(f"twin{number}") * FLAG_AMBIGUOUS + FLAG_MATCHED).otherwise(0)
    return F.when(is_found, carried["value"]).alias(f"value{number}"), flag.alias(f"flag{number}")
