"""Converts between Arrow and the pandas columns of a pandas_udf. Runs on executors."""

from collections.abc import Sequence
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from sparkscore.errors import SignatureError
from sparkscore.model.signature.lossless_casts import cast_losslessly, is_lossless_cast
from sparkscore.model.signature.model_inputs import input_names
from sparkscore.records import ModelInput
from sparkscore.scoring.kernel import KEEP_COLUMN

REASON_SEPARATOR = "\n"
"""Between a reject's code and the class of its error."""

_NULLABLE_PANDAS_TYPES = {
    pa.int8(): pd.Int8Dtype(),
    pa.int16(): pd.Int16Dtype(),
    pa.int32(): pd.Int32Dtype(),
    pa.int64(): pd.Int64Dtype(),
}


def to_kernel_batch(parts: Sequence[Any], inputs: Sequence[ModelInput], *, kept: bool) -> pa.RecordBatch:
    """The kernel's batch: one column per part, or per field where the only part is a struct.

    Needs:   with `kept`, a boolean column before the others.
    Raises:  SignatureError where a struct lacks an input.
    """
    keep, given = list(parts[:kept]), list(parts[kept:])
    if len(given) == 1 and isinstance(given[0], pd.DataFrame) and not _is_struct_value(given[0], inputs):
        given = _struct_columns(given[0], inputs)
    arrays = [pa.array(column, pa.bool_()) for column in keep]
    arrays += [
        _to_arrow_column(column, inputs[place].type if place < len(inputs) else None)
        for place, column in enumerate(given)
    ]
    return pa.record_batch(arrays, [KEEP_COLUMN] * kept + [str(place) for place in range(len(given))])


def to_pandas_column(column: pa.Array) -> Any:
    """The predictions as Spark takes them: a Series, for structs a frame; times without a zone, as they came."""
    kind = column.type
    if pa.types.is_struct(kind):
        children = dict(zip((field.name for field in kind), column.flatten(), strict=True))
        return pd.DataFrame({name: to_pandas_column(child) for name, child in children.items()})
    if pa.types.is_timestamp(kind):
        return column.cast(pa.timestamp(kind.unit)).to_pandas()
    return column.to_pandas(types_mapper=_NULLABLE_PANDAS_TYPES.get if column.null_count else None)


def to_pandas_result(made: pa.RecordBatch) -> pd.DataFrame:
    """What the kernel has made: the prediction, or each field of one that is a struct, numbered; and `reason`.

    That is a reject's code and error, one below the other: Spark's JVM makes rows of each column of a result. A column
    of nothing is Arrow's: it costs nothing to make, and Spark takes it as it is.
    """
    prediction = made.column(0)
    parts = prediction.flatten() if pa.types.is_struct(prediction.type) else [prediction]
    columns = {str(place): to_pandas_column(part) for place, part in enumerate(parts)}
    reason = pa.nulls(made.num_rows, pa.string())
    if made.num_columns > 1:
        code, error, _ = made.column(1).flatten()  # the message follows from the code
        reason = pc.binary_join_element_wise(
            code, error, REASON_SEPARATOR, null_handling="replace", null_replacement=""
        )
        reason = pc.if_else(code.is_valid(), reason, pa.scalar(None, pa.string()))
    columns["reason"] = pd.Series(pd.arrays.ArrowExtensionArray(reason))
    return pd.DataFrame(columns, copy=False)


def _is_struct_value(frame: pd.DataFrame, inputs: Sequence[ModelInput]) -> bool:
    """Whether the struct is the value of a model's only input, rather than a row of inputs."""
    return len(inputs) == 1 and pa.types.is_struct(inputs[0].type) and inputs[0].name not in frame.columns


def _struct_columns(frame: pd.DataFrame, inputs: Sequence[ModelInput]) -> list[Any]:
    """The columns of a struct: by name, for a signature without names by position. Optional inputs may be left out."""
    if any(one.name is None for one in inputs):
        return [frame.iloc[:, place] for place in range(frame.shape[1])]
    missing = [one.name for one in inputs if one.required and one.name not in frame.columns]
    if missing:
        raise SignatureError(
            f"a struct with the fields {', '.join(map(str, frame.columns))}, without {', '.join(map(str, missing))}",
            f"the model's inputs: {', '.join(input_names(inputs))}",
            "give the struct's fields the inputs' names",
        )
    nothing = pd.Series([None] * len(frame), dtype=object)
    return [frame[one.name] if one.name in frame.columns else nothing for one in inputs]


def _to_arrow_column(column: Any, wanted: pa.DataType | None) -> pa.Array:
    """One column. Doubles keep NaN. Numbers inside structs in lists arrive as Python's, which have no width."""
    if isinstance(column, pd.DataFrame):
        return pa.StructArray.from_arrays(
            [_to_arrow_column(column[name], None) for name in column.columns], [str(name) for name in column.columns]
        )
    array = pa.array(column, from_pandas=column.dtype.kind != "f")
    array = array.combine_chunks() if isinstance(array, pa.ChunkedArray) else array
    if wanted is not None and pa.types.is_nested(wanted) and is_lossless_cast(array.type, wanted, widths=False):
        return cast_losslessly(array, wanted)
    return array
