"""Converts between Arrow and the pandas columns of a pandas_udf. Runs on executors."""

from collections.abc import Sequence
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from sparkscore.errors import SignatureError
from sparkscore.model.signature.lossless_casts import cast_losslessly, is_lossless_cast
from sparkscore.model.signature.model_inputs import input_names
from sparkscore.model.signature.number_casts import refuse_new_infinities
from sparkscore.records import ModelInput
from sparkscore.scoring.kernel import KEEP_COLUMN

REASON_SEPARATOR = "\n"
"""Between a reject's code and the class of its error."""
NO_ANSWER = ""
"""The reason of a row that is not rejected and whose prediction is a struct that is NULL: its parts do not say so."""

_NULLABLE_PANDAS_TYPES = {
    pa.int8(): pd.Int8Dtype(),
    pa.int16(): pd.Int16Dtype(),
    pa.int32(): pd.Int32Dtype(),
    pa.int64(): pd.Int64Dtype(),
}


def to_kernel_batch(parts: Sequence[Any], inputs: Sequence[ModelInput], *, has_keep_column: bool) -> pa.RecordBatch:
    """The kernel's batch: one column per part, or per field where the only part is a struct.

    Needs:   with `has_keep_column`, a boolean column before the others.
    Raises:  SignatureError where a struct lacks an input.
    """
    keep, columns = list(parts[:has_keep_column]), list(parts[has_keep_column:])
    if len(columns) == 1 and isinstance(columns[0], pd.DataFrame) and not _is_struct_value(columns[0], inputs):
        columns = _struct_columns(columns[0], inputs)
    arrays = [pa.array(column, pa.bool_()) for column in keep]
    arrays += [
        _to_arrow_column(column, inputs[index] if index < len(inputs) else None) for index, column in enumerate(columns)
    ]
    return pa.record_batch(arrays, [KEEP_COLUMN] * has_keep_column + [str(index) for index in range(len(columns))])


def to_pandas_column(column: pa.Array) -> Any:
    """The predictions as Spark takes them: a Series, for structs a frame; times without a zone, as they came."""
    kind = column.type
    if pa.types.is_struct(kind):
        return pd.DataFrame(
            {field.name: _to_pandas_part(part) for field, part in zip(kind, column.flatten(), strict=True)}
        )
    return _to_pandas_part(column)


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

    That is a reject's code and error, one below the other: Spark's JVM makes rows of each column of a result. A column
    of nothing is Arrow's: it costs nothing to make, and Spark takes it as it is.
    """
    prediction = scored_batch.column(0)
    parts = prediction.flatten() if pa.types.is_struct(prediction.type) else [prediction]
    columns = {str(index): _to_pandas_part(part) for index, part in enumerate(parts)}
    reason = pa.nulls(scored_batch.num_rows, pa.string())
    if scored_batch.num_columns > 1:
        code, error, _ = scored_batch.column(1).flatten()  # the message follows from the code
        reason = pc.binary_join_element_wise(
            code, error, REASON_SEPARATOR, null_handling="replace", null_replacement=""
        )
        reason = pc.if_else(code.is_valid(), reason, pa.scalar(None, pa.string()))
    if pa.types.is_struct(prediction.type) and prediction.null_count:
        reason = pc.if_else(pc.and_(prediction.is_null(), reason.is_null()), pa.scalar(NO_ANSWER), reason)
    columns["reason"] = pd.Series(pd.arrays.ArrowExtensionArray(reason))
    return pd.DataFrame(columns, copy=False)


def _is_struct_value(frame: pd.DataFrame, inputs: Sequence[ModelInput]) -> bool:
    """Whether the struct is the value of a model's only input, rather than a row of inputs."""
    return len(inputs) == 1 and pa.types.is_struct(inputs[0].type) and inputs[0].name not in frame.columns


def _struct_columns(frame: pd.DataFrame, inputs: Sequence[ModelInput]) -> list[Any]:
    """The columns of a struct: by name, for a signature without names by position. Optional inputs may be left out."""
    if any(one.name is None for one in inputs):
        return [frame.iloc[:, index] for index in range(frame.shape[1])]
    missing = [one.name for one in inputs if one.required and one.name not in frame.columns]
    if missing:
        raise SignatureError(
            f"a struct with the fields {', '.join(map(str, frame.columns))}, without {', '.join(map(str, missing))}",
            f"the model's inputs: {', '.join(input_names(inputs))}",
            "give the struct's fields the inputs' names",
        )
    nulls = pd.Series([None] * len(frame), dtype=object)
    return [frame[one.name] if one.name in frame.columns else nulls for one in inputs]


def _to_arrow_column(column: Any, model_input: ModelInput | None) -> pa.Array:
    """One column. Doubles keep NaN. Numbers inside structs in lists arrive as Python's, which have no width."""
    if isinstance(column, pd.DataFrame):
        return pa.StructArray.from_arrays(
            [_to_arrow_column(column[name], None) for name in column.columns], [str(name) for name in column.columns]
        )
    array = pa.array(column, from_pandas=column.dtype.kind != "f")
    array = array.combine_chunks() if isinstance(array, pa.ChunkedArray) else array
    if model_input is None or model_input.may_round or not pa.types.is_nested(model_input.type):
        return array
    if not is_lossless_cast(array.type, model_input.type, widths=False):
        return array
    cast = cast_losslessly(array, model_input.type)
    refuse_new_infinities(array, cast, str(model_input.name))
    return cast
