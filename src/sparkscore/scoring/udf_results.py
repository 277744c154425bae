"""Predictions as `score_udf` returns them to Spark. Runs on executors: it imports pyarrow only."""

import pyarrow as pa
import pyarrow.compute as pc

from sparkscore.model.signature.nested_leaves import change_leaves, has_leaf


def to_udf_result(predictions: pa.Array, time_zone: str) -> pa.Array:
    """The predictions as a pandas_udf would return them: NaN is NULL, also inside of lists and structs, and times are
    those of a clock in the session's zone."""
    kind = predictions.type
    if has_leaf(kind, pa.types.is_floating):
        predictions = change_leaves(predictions, _nan_to_null)
    if has_leaf(kind, pa.types.is_timestamp):
        predictions = change_leaves(predictions, lambda column: _assume_time_zone(column, time_zone))
    return predictions


def _nan_to_null(column: pa.Array) -> pa.Array:
    if not pa.types.is_floating(column.type):
        return column
    is_nan = pc.is_nan(column)
    return pc.if_else(is_nan, None, column) if pc.any(is_nan).as_py() else column


def _assume_time_zone(column: pa.Array, time_zone: str) -> pa.Array:
    if not pa.types.is_timestamp(column.type) or column.type.tz is None:  # of no zone: Spark's TIMESTAMP_NTZ
        return column
    clock = column.cast(pa.timestamp(column.type.unit))
    zoned = pc.assume_timezone(clock, time_zone, ambiguous="latest", nonexistent="latest")
    return zoned.cast(pa.timestamp("us", "UTC"))
