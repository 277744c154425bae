"""From whatever a model returns to one Arrow column of the signature's type. Plain functions, so they need no Spark."""

from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from sparkscore.errors import PredictError
from sparkscore.model.casts import fitted, lossless


class _UnfitError(Exception):
    """What was found instead of predictions."""


def predictions(result: Any, rows: int, output: pa.DataType) -> pa.Array:
    """The model's result as a column, one prediction per row, by position.

    Needs:   an array, a Series, a frame, a list, or a dict of columns; of a type that `output` holds without loss.
    Shapes:  scalar: (n,) or (n, 1); list: (n, k) or n lists; struct: a column per field.
    Runs on: executor.
    Raises:  PredictError for another number of rows, another shape or another type; it holds no value of a row.
    """
    try:
        return _column(result, rows, output)
    except _UnfitError as error:
        raise PredictError(
            f"the model returned {error} for a batch of {rows} rows",
            f"{rows} predictions of type {output}, as the model's signature says",
            "log the model again with a signature inferred from its predictions",
        ) from None


def _column(result: Any, rows: int, output: pa.DataType) -> pa.Array:
    result = result.toarray() if hasattr(result, "toarray") else result
    if isinstance(result, dict) or (pa.types.is_struct(output) and isinstance(result, list)):
        result = pd.DataFrame(result)
    if not isinstance(result, np.ndarray | pd.Series | pd.DataFrame | list | tuple) or getattr(result, "ndim", 1) == 0:
        raise _UnfitError(f"a {type(result).__name__}")
    if len(result) != rows:
        raise _UnfitError(f"{len(result)} predictions")
    if pa.types.is_struct(output):
        return _struct(result, rows, output)
    return _lists(result, rows, output) if pa.types.is_list(output) else _scalars(result, output)


def _scalars(result: Any, output: pa.DataType) -> pa.Array:
    if isinstance(result, pd.DataFrame) and result.shape[1] == 1:
        result = result.iloc[:, 0]
    elif isinstance(result, np.ndarray) and result.shape[1:] == (1,):
        result = result[:, 0]
    if getattr(result, "ndim", 1) != 1:
        raise _UnfitError(f"predictions of shape {result.shape}")
    return _typed(result, output)


def _lists(result: Any, rows: int, output: pa.DataType) -> pa.Array:
    if isinstance(result, pd.DataFrame):
        result = result.to_numpy()
    if isinstance(result, np.ndarray) and result.ndim > 1:
        width = result.shape[1]
        items = _column(result.reshape((rows * width, *result.shape[2:])), rows * width, output.value_type)
        offsets = pa.array(np.arange(rows + 1, dtype=np.int32) * width, pa.int32())
        return pa.ListArray.from_arrays(offsets, items, type=output)
    return _typed(list(result), output)


def _struct(result: Any, rows: int, output: pa.DataType) -> pa.Array:
    if not isinstance(result, pd.DataFrame):
        raise _UnfitError(f"a {type(result).__name__}")
    columns = {str(label): result.iloc[:, position] for position, label in enumerate(result.columns)}
    fields = list(output)
    missing = [field.name for field in fields if field.name not in columns]
    if missing:
        raise _UnfitError(f"columns {', '.join(columns)} without {', '.join(missing)}")
    parts = [_column(columns[field.name], rows, field.type) for field in fields]
    return pa.StructArray.from_arrays(parts, fields=fields)


def _typed(values: Any, output: pa.DataType) -> pa.Array:
    """Values in the output's type. Never `pa.array(values, type)`: it cuts 1.5 to 1 without a word."""
    widths = isinstance(values, np.ndarray | pd.Series) and values.dtype != object
    numbers = pa.types.is_floating(output) or pa.types.is_integer(output)
    try:
        column = _inferred(values, missing_as_null=not numbers)
        if lossless(column.type, output, widths=widths):
            return fitted(column, output)
    except (pa.ArrowException, TypeError, OverflowError):
        raise _UnfitError("values that are not of one type, or do not fit") from None  # Arrow's message holds values
    raise _UnfitError(f"values of type {column.type}")


def _inferred(values: Any, *, missing_as_null: bool) -> pa.Array:
    """The values in the Arrow type that they have by themselves. NaN in doubles stays NaN; in text it is NULL."""
    if isinstance(values, pd.Series) and isinstance(values.dtype, np.dtype):
        values = values.to_numpy()
    elif isinstance(values, pd.Series) and isinstance(values.dtype, pd.CategoricalDtype):
        values = values.astype(values.cat.categories.dtype)
    column = pa.array(values, from_pandas=missing_as_null)
    return column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
