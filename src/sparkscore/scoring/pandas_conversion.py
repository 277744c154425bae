"""Converts between Arrow and the pandas columns of a pandas_udf. Runs on executors."""

from collections.abc import Sequence
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from sparkscore.model.signature.number_casts import cast_where_lossless
from sparkscore.model.signature.open_types import close_input_type, has_open_type, map_value_path
from sparkscore.records import ModelInput, field_path
from sparkscore.scoring.kernel import KEEP_COLUMN
from sparkscore.scoring.nested_columns import build_nested_column

REASON_SEPARATOR = "\n"
"""Between a reject's code, its message, which is one line, and the class of its error."""
NO_ANSWER = ""
"""The reason of a row that is not rejected and whose prediction is a struct that is NULL: its parts do not say so."""

_NULLABLE_PANDAS_TYPES = {
    pa.int8(): pd.Int8Dtype(),
    pa.int16(): pd.Int16Dtype(),
    pa.int32(): pd.Int32Dtype(),
    pa.int64(): pd.Int64Dtype(),
}


def to_kernel_batch(parts: Sequence[Any], inputs: Sequence[ModelInput], *, has_keep_column: bool) -> pa.RecordBatch:
    """The kernel's batch: one column per part.

    Needs:   with `has_keep_column`, a boolean column before the others.
    """
    keep, columns = list(parts[:has_keep_column]), list(parts[has_keep_column:])
    arrays = [pa.array(column, pa.bool_()) for column in keep]
    arrays += [
        _to_arrow_column(column, inputs[index] if index < len(inputs) else None) for index, column in enumerate(columns)
    ]
    return pa.record_batch(arrays, [KEEP_COLUMN] * has_keep_column + [str(index) for index in range(len(columns))])


def _to_pandas_part(column: pa.Array) -> Any:
    """A Series: Spark takes frames for structs only where they are the whole result, inside it dicts."""
    zoneless = column.cast(_without_time_zones(column.type))
    if _needs_python_values(zoneless):
        return pd.Series(zoneless.to_pylist(), dtype=object)
    return zoneless.to_pandas(types_mapper=_NULLABLE_PANDAS_TYPES.get if column.null_count else None)


def _needs_python_values(column: pa.Array) -> bool:
    """Whether there are structs, or integers with NULL in lists: numpy would make doubles of these."""
    leaf = column
    while pa.types.is_list(leaf.type):
        leaf = leaf.flatten()
    is_nested = pa.types.is_list(column.type)
    return bool(pa.types.is_struct(leaf.type) or (is_nested and pa.types.is_integer(leaf.type) and leaf.null_count > 0))


def _without_time_zones(kind: pa.DataType) -> pa.DataType:
    if pa.types.is_struct(kind):
        return pa.struct([(field.name, _without_time_zones(field.type)) for field in kind])
    if pa.types.is_list(kind):
        return pa.list_(_without_time_zones(kind.value_type))
    return pa.timestamp(kind.unit) if pa.types.is_timestamp(kind) else kind


def to_pandas_result(scored_batch: pa.RecordBatch) -> pd.DataFrame:
    """The kernel's result: the prediction, or each field of one that is a struct, numbered; and `reason`.

    That is a reject's code, message and error, one below the other: Spark's JVM makes rows of each column of a result.
    A column of nothing is Arrow's: it costs nothing to make, and Spark takes it as it is.
    """
    prediction = scored_batch.column(0)
    parts = prediction.flatten() if pa.types.is_struct(prediction.type) else [prediction]
    columns = {str(index): _to_pandas_part(part) for index, part in enumerate(parts)}
    reason = pa.nulls(scored_batch.num_rows, pa.string())
    if scored_batch.num_columns > 1:
        code, error, message = scored_batch.column(1).flatten()
        reason = pc.binary_join_element_wise(
            code, message, error, REASON_SEPARATOR, null_handling="replace", null_replacement=""
        )
        reason = pc.if_else(code.is_valid(), reason, pa.scalar(None, pa.string()))
    if pa.types.is_struct(prediction.type) and prediction.null_count:
        reason = pc.if_else(pc.and_(prediction.is_null(), reason.is_null()), pa.scalar(NO_ANSWER), reason)
    columns["reason"] = pd.Series(pd.arrays.ArrowExtensionArray(reason))
    return pd.DataFrame(columns, copy=False)


def _to_arrow_column(column: Any, model_input: ModelInput | None) -> pa.Array:
    """One column. Doubles keep NaN. Numbers inside structs in lists arrive as Python's, which have no width."""
    guide = ModelInput(None, pa.string(), required=False) if model_input is None else model_input
    array = _infer_udf_column(column, guide.type, guide)
    if guide.may_round or isinstance(column, pd.DataFrame) or not pa.types.is_nested(guide.type):
        return array
    return _cast_python_numbers(array, guide.type, guide)


def _infer_udf_column(column: Any, kind: pa.DataType, model_input: ModelInput, path: str = "") -> pa.Array:
    """The column in the Arrow type that it has by itself, but for dicts: the signature tells maps and structs apart."""
    if isinstance(column, pd.DataFrame):
        names = [str(name) for name in column.columns]
        parts = [
            _infer_udf_column(column[name], *_find_field(kind, str(name), path, model_input)) for name in column.columns
        ]
        return pa.StructArray.from_arrays(parts, names)
    if column.dtype == object and has_open_type(kind):
        return _cast_python_numbers(build_nested_column(column.tolist(), kind), kind, model_input, path)
    array = pa.array(column, from_pandas=column.dtype.kind != "f")
    return array.combine_chunks() if isinstance(array, pa.ChunkedArray) else array


def _find_field(
    kind: pa.DataType, name: str, path: str, model_input: ModelInput
) -> tuple[pa.DataType, ModelInput, str]:
    """The type that a field of a struct has in the signature, where that says so."""
    if pa.types.is_struct(kind):
        inner = kind.field(name).type if kind.get_field_index(name) >= 0 else pa.string()
        return inner, model_input, field_path(path, name)
    return (kind.item_type if pa.types.is_map(kind) else kind), model_input, map_value_path(path)


def _cast_python_numbers(array: pa.Array, kind: pa.DataType, model_input: ModelInput, path: str = "") -> pa.Array:
    """Numbers that were Python's, which have no width, in the width that the signature says, where it holds them."""
    target = close_input_type(kind, array.type, model_input.optional, path)
    return cast_where_lossless(array, target, str(model_input.name))
