"""Which files a typed filter may exclude, by their statistics in the table's log. Runs on the driver."""

from collections.abc import Sequence
from datetime import timedelta

import pyarrow as pa
import pyarrow.compute as pc

from sparkscore.predicates.arrow_filter import ArrowCondition, evaluate_arrow_conditions

_TIMESTAMP_TRUNCATION = timedelta(milliseconds=1)
"""Delta cuts the greatest timestamp of a file to milliseconds."""


def can_match_conditions(files: pa.Table, conditions: Sequence[ArrowCondition], partitions: Sequence[str]) -> pa.Array:
    """Whether a file may hold a row that meets all conditions; true wherever the log does not say enough.

    Needs:   Delta's add actions, flattened: `partition.x`, `min.x`, `max.x`, `null_count.x`, `num_records`.
    Shapes:  n files -> n booleans without NULL.
    """
    by_partition = [condition for condition in conditions if condition.column in partitions]
    values = {
        condition.column: files.column(f"partition.{condition.column}").combine_chunks() for condition in by_partition
    }
    result = evaluate_arrow_conditions(by_partition, values, files.num_rows)
    for condition in conditions:
        if condition.column not in partitions:
            result = pc.and_(result, pc.invert(_is_excluded_by_statistics(files, condition).fill_null(False)))
    return result


def _is_excluded_by_statistics(files: pa.Table, condition: ArrowCondition) -> pa.Array:
    """True where the statistics prove that no row can match."""
    if condition.op in ("is null", "is not null"):
        nulls = _file_column_statistic(files, "null_count", condition.column, pa.int64())
        return pc.equal(nulls, 0 if condition.op == "is null" else _combine_column_chunks(files, "num_records"))
    least, most = (
        _file_column_statistic(files, bound, condition.column, condition.values.type) for bound in ("min", "max")
    )
    if condition.op in ("=", "in"):
        lowest, highest = pc.min(condition.values), pc.max(condition.values)
        return pc.or_kleene(pc.greater(least, highest), pc.less(most, lowest))
    if condition.op in ("<", "<="):
        return (pc.greater_equal if condition.op == "<" else pc.greater)(least, condition.values[0])
    if condition.op in (">", ">=") and not pa.types.is_floating(
        condition.values.type
    ):  # NaN is greater, and in no statistic
        return (pc.less_equal if condition.op == ">" else pc.less)(most, condition.values[0])
    return pa.repeat(False, files.num_rows)


def _file_column_statistic(files: pa.Table, bound: str, column: str, kind: pa.DataType) -> pa.Array:
    """The statistic of a column as the column's type; NULL where there is none that can be trusted."""
    name = f"{bound}.{column}"
    known = name in files.column_names and "." not in column and not pa.types.is_boolean(kind)
    if not known or files.schema.field(name).type != kind:
        return pa.nulls(files.num_rows, kind)
    found = _combine_column_chunks(files, name)
    return pc.add(found, pa.scalar(_TIMESTAMP_TRUNCATION)) if bound == "max" and pa.types.is_timestamp(kind) else found


def _combine_column_chunks(files: pa.Table, name: str) -> pa.Array:
    column = files.column(name).combine_chunks()
    return column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
