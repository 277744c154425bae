"""Membership in a set of a suite, of any size."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from pyspark.sql import Column, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import DataType, FloatType

from sparkscore.predicates.spark_values import ColumnValueKind, column_value_kind, fit_set_values, to_typed_literal
from sparkscore.spark.active_session import create_frame
from sparkscore.spark.session_kind import is_connect_session

MAX_SET_LITERALS = 500
"""More values are handed to the JVM at once: one by one through py4j, 100,000 took twice as long (2 cores)."""
_JVM_SET_TYPES: dict[ColumnValueKind, tuple[pa.DataType, str, str]] = {
    "integer": (pa.int64(), "bigint", "LONG"),
    "floating": (pa.float64(), "double", "DOUBLE"),
    "text": (pa.string(), "string", "STRING"),
    "date": (pa.string(), "string", "STRING"),
}
"""How a kind's values travel: as Arrow's type, compared as Spark's type, read by which encoder."""


def is_in_value_set(column: Column, type_: DataType, values: Iterable[object]) -> Column:
    """Whether a value is in the set: true or false, NULL where the value is NULL. NULL is in no set.

    Jobs:    none.
    Raises:  UnfitValue for a value of another sort than the column's.
    """
    fitted = fit_set_values(values, type_)
    if not fitted:
        return F.when(column.isNotNull(), F.lit(False))
    is_large = len(fitted) > MAX_SET_LITERALS and column_value_kind(type_) in _JVM_SET_TYPES
    if is_large and not is_connect_session(SparkSession.active()):  # Connect sends all values in one message
        return _is_in_jvm_set(column, type_, fitted)
    return column.isin(*[to_typed_literal(value, type_) for value in fitted])


def _is_in_jvm_set(column: Column, type_: DataType, values: Sequence[Any]) -> Column:
    """The values travel as one Arrow table, of which Spark makes a list on the driver: no job."""
    from pyspark.sql.classic.column import Column as ClassicColumn

    arrow, compared, encoder = _JVM_SET_TYPES[column_value_kind(type_)]
    numbers = [float(np.float32(value)) for value in values] if isinstance(type_, FloatType) else values
    spark: Any = SparkSession.active()
    table: Any = create_frame(spark, pa.table({"value": pa.array(numbers, arrow)}))
    typed = getattr(table._jdf, "as")(getattr(spark._jvm.org.apache.spark.sql.Encoders, encoder)())  # noqa: SLF001
    left: Any = column.cast(compared)
    return ClassicColumn(left._jc.isInCollection(typed.collectAsList()))  # noqa: SLF001 -- PySpark has only the loop
