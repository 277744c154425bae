"""Converts Arrow columns to a pandas frame. Imports pandas, which not every runtime needs."""

from collections.abc import Sequence
from typing import Any

import pandas as pd
import pyarrow as pa

from sparkscore.model.signature.nested_inputs import to_nested_objects, to_python_objects
from sparkscore.model.signature.numpy_inputs import numpy_type, to_numpy_matrix
from sparkscore.records import ModelInput

_NULLABLE_PANDAS_DTYPES = {pa.int32(): pd.Int32Dtype(), pa.int64(): pd.Int64Dtype()}


def to_pandas_frame(columns: Sequence[pa.Array], inputs: Sequence[ModelInput]) -> pd.DataFrame:
    """The columns as a frame, named as the inputs are; numbers where they have no names.

    Columns of one type of numbers become one array (0.06 ms for 10,000 rows of 20 doubles, against 0.55 for a Series
    each). In memory it is what pandas itself makes of single columns, so that models compute the same bits.

    Runs on: executor.
    """
    labels: list[Any] = [position if one.name is None else one.name for position, one in enumerate(inputs)]
    if _is_single_block(columns, inputs):
        kind = numpy_type(inputs[0].type)
        return pd.DataFrame(
            to_numpy_matrix(columns, [str(label) for label in labels], kind, rows_first=False),
            columns=labels,
            copy=False,
        )
    return pd.DataFrame(
        {label: _to_pandas_series(column, one) for label, column, one in zip(labels, columns, inputs, strict=True)}
    )


def _is_single_block(columns: Sequence[pa.Array], inputs: Sequence[ModelInput]) -> bool:
    kind = inputs[0].type
    if any(one.type != kind for one in inputs):
        return False
    has_no_null = all(one.required for one in inputs) and not any(column.null_count for column in columns)
    return bool(pa.types.is_floating(kind) or (pa.types.is_integer(kind) and has_no_null))


def _to_pandas_series(column: pa.Array, model_input: ModelInput) -> Any:
    """One column for pandas: NULL in doubles is NaN, in text None; optional integers are always nullable ones."""
    if pa.types.is_nested(column.type):
        values = to_python_objects(column) if model_input.is_hinted else to_nested_objects(column, model_input.type)
        return pd.Series(values, dtype=object)
    if pa.types.is_null(model_input.type) and column.null_count and not pa.types.is_floating(column.type):
        return pd.Series(column.to_pylist(), dtype=object)  # what is anything keeps its type beside NULL
    if not model_input.required and model_input.type in _NULLABLE_PANDAS_DTYPES:
        return column.to_pandas(types_mapper=_NULLABLE_PANDAS_DTYPES.get)
    return column.to_pandas()
