"""As-of join with a small feature table: its values travel with the tasks, and no row is shuffled."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import ByteType, StructField, StructType

from sparkscore.errors import ConfigError
from sparkscore.ingest.features.feature_content import FeatureContent, Integers, build_content
from sparkscore.ingest.features.feature_values import (
    AVAILABLE_AT,
    KNOWN_AT,
    VALUE_TIME,
    FeatureTable,
    NeededValues,
    key_column,
)
from sparkscore.records import FLAG_AMBIGUOUS, FLAG_MATCHED
from sparkscore.spark.error_translation import translate_spark_errors
from sparkscore.spark.type_mapping import has_types_of_spark_alone, spark_to_arrow_schema, spark_to_arrow_type

SMALL_ROWS, SMALL_BYTES = 200_000, 16 << 20
"""Of the values that the rows can need: they lie in the memory of each task."""
_KEY_TYPES: tuple[Callable[[pa.DataType], bool], ...] = (
    pa.types.is_int64,
    pa.types.is_string,
    pa.types.is_boolean,
    pa.types.is_date32,
)


@dataclass(frozen=True, slots=True)
class SmallTable:
    """A feature table whose values travel with the tasks."""

    table: FeatureTable
    content: FeatureContent | None
    """None where no value can belong to a row."""
    value_type: StructType


def collect_small_table(needed: NeededValues) -> SmallTable | None:
    """The table if the values that may be needed are few enough, and of types that tasks compare as Spark does.

    Jobs:    one that reads these values; none for a table that is too large.
    Raises:  whatever reading raises.
    """
    table, values = needed.table, needed.values
    if not needed.may_be_few or load_arrow_udf() is None or not _fits_tasks(values):
        return None
    with translate_spark_errors(f"reading {table.join.table}"):
        found = values.limit(SMALL_ROWS + 1).toArrow().combine_chunks()
    if found.num_rows > SMALL_ROWS or found.nbytes > SMALL_BYTES:
        return None
    value_type = values.schema["value"].dataType
    assert isinstance(value_type, StructType)  # noqa: S101  as `load_values` makes it
    return SmallTable(table, _to_content(table, found), value_type)


def find_small_values(small: SmallTable, rows: DataFrame, time: Column) -> Column:
    """A struct of `value`, NULL for none, and `flag` for each row. `time` in microseconds."""
    none = F.struct(F.lit(None).cast(small.value_type).alias("value"), F.lit(0).cast("byte").alias("flag"))
    if small.content is None:
        return none
    kinds = {field.name: field.type for field in spark_to_arrow_schema(rows.schema)}
    keys = [key_column(name, kinds[name]) for name, _ in small.table.join.keys]
    found = StructType([StructField("value", small.value_type), StructField("flag", ByteType())])
    content = small.content

    def find(time: Any, *keys: Any) -> Any:
        values, flags = content.find_values(keys, time)
        return pa.StructArray.from_arrays([values, flags], ["value", "flag"])

    find.__annotations__ = {"time": pa.Array, "keys": pa.Array, "return": pa.Array}
    column: Column = load_arrow_udf()(find, found)(time, *keys)
    return column


def load_arrow_udf() -> Any:
    """Spark's `arrow_udf`; None before Spark 4.1."""
    try:
        from pyspark.sql.pandas.functions import arrow_udf
    except ImportError:
        return None
    return arrow_udf


def _fits_tasks(values: DataFrame) -> bool:
    """Whether tasks can hold the values, and compare keys as Spark does."""
    keys = [field for field in values.schema if field.name.startswith("k") and field.name != KNOWN_AT]
    kinds = spark_to_arrow_schema(StructType(keys))
    if has_types_of_spark_alone(kinds) or not all(any(fits(kind) for fits in _KEY_TYPES) for kind in kinds.types):
        return False
    try:
        spark_to_arrow_type(values.schema["value"].dataType)
    except ConfigError:
        return False
    return True


def _to_content(table: FeatureTable, found: pa.Table) -> FeatureContent | None:
    if not found.num_rows:
        return None
    known = _to_micros(found[KNOWN_AT]) if table.join.known_at is not None else None
    return build_content(
        [found[f"k{index}"].combine_chunks() for index in range(len(table.join.keys))],
        found["value"].combine_chunks(),
        available_at=_to_micros(found[AVAILABLE_AT]),
        times=_to_micros(found[VALUE_TIME]),
        known=known,
        ttl_us=table.join.ttl_us,
        flags=(FLAG_MATCHED, FLAG_MATCHED | FLAG_AMBIGUOUS),
    )


def _to_micros(column: pa.ChunkedArray) -> Integers:
    return np.asarray(column.to_numpy(), np.int64)
