"""Converts what a model returns to one Arrow column of the signature's type. Plain functions, without Spark.

pandas is imported only for results that are neither arrays nor named arrays: not every runtime needs it.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pyarrow as pa

from sparkscore.errors import PredictError
from sparkscore.model.signature.lossless_casts import cast_losslessly, is_lossless_cast


class _UnfitError(Exception):
    """What was found instead of predictions; `{}` stands for the columns' names, which a model may make of values."""

    def __init__(self, found: str, columns: Iterable[object] = ()) -> None:
        super().__init__(found)
        self.found, self.columns = found, [str(name) for name in columns]

    def describe(self, *, name_columns: bool) -> str:
        return self.found.replace("{}", ", ".join(self.columns) if name_columns else f"({len(self.columns)} of them)")


def to_prediction_column(result: Any, rows: int, output: pa.DataType, *, name_columns: bool = True) -> pa.Array:
    """The model's result as a column, one prediction per row, by position.

    Needs:   an array, a Series, a frame, a list, or a dict of columns; of a type that `output` holds without loss.
             `name_columns`: whether an error may name the columns that the model has made.
    Shapes:  scalar: (n,) or (n, 1); list: (n, k) or n lists; struct: a column per field, by name. An array (n, k) has
             the names "0", "1", …. A dict of one is what is in it.
    Runs on: executor.
    Raises:  PredictError for another number of rows, another shape or another type; it holds no value of a row.
    """
    try:
        return _to_output_column(result, rows, output)
    except _UnfitError as error:
        raise PredictError(
            f"the model returned {error.describe(name_columns=name_columns)} for a batch of {rows} rows",
            f"{rows} predictions of type {output}, as the model's signature says",
            "log the model again with a signature inferred from its predictions",
        ) from None


def _to_output_column(result: Any, rows: int, output: pa.DataType) -> pa.Array:
    result = result.toarray() if hasattr(result, "toarray") else result
    if pa.types.is_struct(output):
        return _build_struct_column(_result_columns(result, rows), rows, output)
    result = _unwrap_result_dict(result, rows) if isinstance(result, dict) else result
    _check_prediction_count(result, rows)
    return (
        _build_list_column(result, rows, output) if pa.types.is_list(output) else _build_scalar_column(result, output)
    )


def _check_prediction_count(result: Any, rows: int) -> None:
    countable = isinstance(result, np.ndarray | list | tuple) or _is_pandas_result(result)
    if not countable or getattr(result, "ndim", 1) == 0:
        raise _UnfitError(f"a {type(result).__name__}")
    if len(result) != rows:
        raise _UnfitError(f"{len(result)} predictions")


def _is_pandas_result(result: Any) -> bool:
    if isinstance(result, np.ndarray | list | tuple | dict):
        return False
    import pandas as pd

    return isinstance(result, pd.Series | pd.DataFrame)


def _to_result_frame(result: Any) -> Any:
    import pandas as pd

    try:
        return pd.DataFrame(result)
    except ValueError:  # columns of different lengths, or of several dimensions
        raise _UnfitError("columns that do not form a data frame") from None


def _unwrap_result_dict(result: Mapping[Any, Any], rows: int) -> Any:
    """What a dict stands for where the signature knows one column."""
    if len(result) == 1:
        return next(iter(result.values()))
    if any(np.ndim(column) != 1 or len(column) != rows for column in result.values()):
        raise _UnfitError("columns {}", result)
    return _to_result_frame(result)


def _result_columns(result: Any, rows: int) -> Mapping[str, Any]:
    """The columns of a result, by name."""
    if isinstance(result, list) or (_is_pandas_result(result) and result.ndim == 1):
        result = _transpose_dict_rows(list(result))
    if isinstance(result, dict):
        return {str(name): column for name, column in result.items()}
    _check_prediction_count(result, rows)
    if isinstance(result, np.ndarray) and result.ndim == 2:
        return {str(position): result[:, position] for position in range(result.shape[1])}
    if getattr(result, "ndim", 1) != 2:
        raise _UnfitError(f"a {type(result).__name__}")
    return {str(label): result.iloc[:, position] for position, label in enumerate(result.columns)}


def _transpose_dict_rows(rows: list[Any]) -> Any:
    """Dicts by row as a dict of columns. Their numbers are Python's own, which have no width."""
    if not all(isinstance(row, dict) for row in rows):
        return _to_result_frame(rows)
    fields = dict.fromkeys(field for row in rows for field in row)
    return {field: [row.get(field) for row in rows] for field in fields}


def _build_struct_column(parts: Mapping[str, Any], rows: int, output: pa.DataType) -> pa.Array:
    fields = list(output)
    missing = [field.name for field in fields if field.name not in parts]
    if missing:
        raise _UnfitError("columns {} without " + ", ".join(missing), parts)
    columns = [_to_output_column(parts[field.name], rows, field.type) for field in fields]
    return pa.StructArray.from_arrays(columns, fields=fields)


def _build_scalar_column(result: Any, output: pa.DataType) -> pa.Array:
    if getattr(result, "shape", ())[1:] == (1,):
        result = result[:, 0] if isinstance(result, np.ndarray) else result.iloc[:, 0]
    if getattr(result, "ndim", 1) != 1:
        raise _UnfitError(f"predictions of shape {result.shape}")
    return _cast_to_output_type(result, output)


def _build_list_column(result: Any, rows: int, output: pa.DataType) -> pa.Array:
    if getattr(result, "ndim", 1) == 2 and not isinstance(result, np.ndarray):
        result = result.to_numpy()
    if isinstance(result, np.ndarray) and result.ndim > 1:
        width = result.shape[1]
        items = _to_output_column(result.reshape((rows * width, *result.shape[2:])), rows * width, output.value_type)
        offsets = pa.array(np.arange(rows + 1, dtype=np.int32) * width, pa.int32())
        return pa.ListArray.from_arrays(offsets, items, type=output)
    return _cast_to_output_type(list(result), output)


def _cast_to_output_type(values: Any, output: pa.DataType) -> pa.Array:
    """Values in the output's type. Never `pa.array(values, type)`: it silently cuts 1.5 to 1."""
    widths = hasattr(values, "dtype") and values.dtype != object
    numbers = pa.types.is_floating(output) or pa.types.is_integer(output)
    try:
        column = _infer_arrow_column(values, missing_as_null=not numbers)
        if is_lossless_cast(column.type, output, widths=widths):
            return cast_losslessly(column, output)
    except (pa.ArrowException, TypeError, OverflowError):
        raise _UnfitError("values that are not of one type, or do not fit") from None  # Arrow's message holds values
    raise _UnfitError(f"values of type {column.type}")


def _infer_arrow_column(values: Any, *, missing_as_null: bool) -> pa.Array:
    """The values in the Arrow type that they have by themselves. NaN in doubles stays NaN; in text it is NULL."""
    if _is_pandas_result(values):
        values = _to_numpy_values(values)
    column = pa.array(values, from_pandas=missing_as_null)
    return column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column


def _to_numpy_values(series: Any) -> Any:
    """What a Series holds, in numpy's type where it has one."""
    import pandas as pd

    if isinstance(series.dtype, np.dtype):
        return series.to_numpy()
    if isinstance(series.dtype, pd.CategoricalDtype):
        return series.astype(series.cat.categories.dtype)
    return series
