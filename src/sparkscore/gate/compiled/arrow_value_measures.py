"""The twins of measures over equal values, which Spark's shuffle brings together: by counts of values, if they are few.

Runs on the driver. All of these functions raise NoArrowForm for types whose values pyarrow groups otherwise than Spark.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import Column, SparkSession
from pyspark.sql.types import BinaryType, DataType, LongType, StructField, StructType

from sparkscore.gate.aggregates.value_counts import ValueCounts, ValueCountsPart
from sparkscore.gate.compiled.aggregate_values import NotMeasured
from sparkscore.gate.compiled.arrow_literals import NoArrowForm, arrow_value_set, has_binary_collation
from sparkscore.gate.compiled.arrow_masks import ignored_rows_mask, in_set_mask, never_mask
from sparkscore.gate.compiled.arrow_measures import ArrowMeasure, arrow_scope
from sparkscore.gate.compiled.row_condition import RowCondition
from sparkscore.predicates.spark_values import column_value_kind
from sparkscore.spark.active_session import create_frame

_ROWS = "rows"
_ROWS_COLUMN = "number of rows"
"""Beside a column of any name."""
_MAX_JUDGED_VALUES = 10_000
"""By Spark while it plans, which is not spread over tasks."""


def repeated_rows_twin(
    names: tuple[str, ...], schema: StructType, row_condition: RowCondition, ignore: str | None = None
) -> ArrowMeasure:
    """How many rows hold values that another row holds, too. `ignore`: rows that are left out, of several columns."""
    return _value_twin(names, schema, row_condition, partial(_count_repeated_rows, ignore))


def ignored_values_twin(
    names: tuple[str, ...], schema: StructType, row_condition: RowCondition, ignore: str
) -> ArrowMeasure:
    """How many rows are left out."""
    return _value_twin(names, schema, row_condition, partial(_count_ignored_rows, ignore))


def distinct_values_twin(name: str, schema: StructType, row_condition: RowCondition) -> ArrowMeasure:
    """How many values there are."""
    return _value_twin((name,), schema, row_condition, _count_distinct_values)


def listed_values_twin(
    name: str, schema: StructType, row_condition: RowCondition, values: Sequence[Any], *, inside: bool
) -> ArrowMeasure:
    """How many values a set holds, or does not hold."""
    listed = arrow_value_set(values, schema[name].dataType)
    return _value_twin((name,), schema, row_condition, partial(_count_values_in_list, listed, inside))


def broken_values_twin(name: str, schema: StructType, row_condition: RowCondition, predicate: Column) -> ArrowMeasure:
    """How many rows hold a value that breaks a condition, which Spark judges value by value.

    Jobs:    none, also where the value is asked for: Spark judges a few local rows while it plans.
    """
    field = StructType([schema[name]])
    return _value_twin((name,), schema, row_condition, partial(_count_broken_rows, field, predicate))


def most_rows_twin(
    name: str, schema: StructType, row_condition: RowCondition, values: Sequence[Any] | None = None
) -> ArrowMeasure:
    """How many rows hold the most common value, of those in a set or of all; None without values."""
    listed = None if values is None else arrow_value_set(values, schema[name].dataType)
    return _value_twin((name,), schema, row_condition, partial(_find_most_rows, listed))


def is_most_common_alone_twin(name: str, schema: StructType, row_condition: RowCondition) -> ArrowMeasure:
    """Whether one value alone is the most common one; None without values."""
    return _value_twin((name,), schema, row_condition, _is_most_common_alone)


def _value_twin(
    names: tuple[str, ...],
    schema: StructType,
    row_condition: RowCondition,
    value: Callable[[ValueCountsPart], Any],
) -> ArrowMeasure:
    if not all(_is_groupable_in_arrow(schema[name].dataType) for name in names):
        raise NoArrowForm
    scope = arrow_scope(f"values {list(names)}", names, row_condition)
    return ArrowMeasure(ValueCounts(scope, names), value)


def _is_groupable_in_arrow(type_: DataType) -> bool:
    kind = column_value_kind(type_)
    if kind == "text":
        return has_binary_collation(type_)
    return kind != "other" or isinstance(type_, BinaryType)


def _count_repeated_rows(ignore: str | None, part: ValueCountsPart) -> int:
    if part.is_unique:
        return 0
    table = _require_values(part)
    if table is None:
        return 0
    repeated = pc.greater(table[_ROWS], 1)
    return _sum_rows(table, repeated if ignore is None else pc.and_not(repeated, _ignored_values_mask(ignore, table)))


def _count_ignored_rows(ignore: str, part: ValueCountsPart) -> int:
    table = _require_values(part)
    return 0 if table is None else _sum_rows(table, _ignored_values_mask(ignore, table))


def _count_distinct_values(part: ValueCountsPart) -> int:
    if part.is_unique:
        return part.rows
    table = _require_values(part)
    return 0 if table is None else int(table.num_rows)


def _count_values_in_list(listed: pa.Array, inside: bool, part: ValueCountsPart) -> int:
    table = _require_values(part)
    if table is None:
        return 0
    found = int(pc.sum(in_set_mask("0", listed, table)).as_py())
    return found if inside else table.num_rows - found


def _count_broken_rows(schema: StructType, predicate: Column, part: ValueCountsPart) -> int:
    table = _require_values(part)
    if table is None:
        return 0
    if table.num_rows > _MAX_JUDGED_VALUES:
        raise NotMeasured
    values = table.select(["0", _ROWS]).rename_columns([*schema.names, _ROWS_COLUMN])
    frame = create_frame(SparkSession.active(), values, StructType([*schema, StructField(_ROWS_COLUMN, LongType())]))
    return sum(row[0] for row in frame.where(~predicate).select(_ROWS_COLUMN).collect())


def _find_most_rows(listed: pa.Array | None, part: ValueCountsPart) -> int | None:
    table = _require_values(part)
    if table is None:
        return None
    chosen = table if listed is None else table.filter(in_set_mask("0", listed, table))
    most: int | None = pc.max(chosen[_ROWS]).as_py()
    return most


def _is_most_common_alone(part: ValueCountsPart) -> bool | None:
    table = _require_values(part)
    if table is None:
        return None
    return bool(pc.sum(pc.equal(table[_ROWS], pc.max(table[_ROWS]))).as_py() == 1)


def _require_values(part: ValueCountsPart) -> pa.Table | None:
    """Grain: one row per value; None without rows.

    Raises:  NotMeasured where there were too many.
    """
    if not part.has_all_values:
        raise NotMeasured
    return part.rows_by_value


def _ignored_values_mask(ignore: str, table: pa.Table) -> pa.Array | pa.ChunkedArray:
    """As `shuffles` reads `ignore_row_if`."""
    if ignore == "never":
        return never_mask(table)
    names = [name for name in table.column_names if name != _ROWS]
    return ignored_rows_mask(names, ignore != "any_value_is_missing", table)


def _sum_rows(table: pa.Table, mask: pa.ChunkedArray) -> int:
    return int(pc.sum(table[_ROWS].filter(mask)).as_py() or 0)
