"""A model's result in the type that a caller asks for in place of the signature's outputs. Executors use it.

What MLflow's `spark_udf` takes for its `result_type` is taken here: the leftmost column of a fitting type, or for an
array all of them. Unlike there, no fraction is cut, no number becomes infinite, and a missing value is never text.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sparkscore.model.signature.result_rows import align_result_rows, is_missing_value, is_pandas_result
from sparkscore.model.signature.result_values import (
    UnfitResultError,
    cast_result_values,
    infer_result_column,
    restore_integers,
)


def select_requested_result(result: Any, rows: int, output: pa.DataType) -> Any:
    """Of a result with columns those that a type asks for; every other result as it is.

    Needs:   `output`: what the caller asks for.
    Raises:  UnfitResultError where no column is of a type that fits.
    """
    result = result.toarray() if hasattr(result, "toarray") else result
    if pa.types.is_struct(output):
        return _dump_pydantic_rows(result)
    is_list = pa.types.is_list(output)
    if pa.types.is_nested(output) and not (is_list and not pa.types.is_nested(output.value_type)):
        return result
    wanted = output.value_type if is_list else output
    frame = _to_columns_frame(align_result_rows(result, rows))
    if frame is None:
        return _wrap_scalars(result) if is_list else result
    if frame.shape[1] == 1 and is_list and frame.dtypes.iloc[0].kind == "O" and not pa.types.is_string(wanted):
        return frame.iloc[:, 0]
    fitting = _list_fitting_columns(frame, wanted)
    if not fitting:
        raise UnfitResultError(f"columns {{}}, none of a type that fits {wanted}", frame.columns)
    if not is_list:
        return frame.iloc[:, fitting[0]]
    kind = np.float64 if pa.types.is_floating(wanted) else object
    return frame.iloc[:, fitting].astype(kind).to_numpy()


def _to_columns_frame(result: Any) -> Any:
    """The result as a frame, if it has columns; None if it is one value per row."""
    import pandas as pd

    if isinstance(result, Mapping):
        try:
            return pd.DataFrame({name: list(column) for name, column in result.items()})
        except (ValueError, TypeError):
            raise UnfitResultError("columns that do not form a data frame") from None
    if is_pandas_result(result) or isinstance(result, np.ndarray):
        return pd.DataFrame(result) if result.ndim == 2 else None
    return None


def _wrap_scalars(result: Any) -> Any:
    """One value per row as lists of one."""
    values = result.to_numpy() if is_pandas_result(result) else result
    is_array = isinstance(values, np.ndarray) and values.ndim == 1 and values.dtype != object
    first = next((one for one in values if not is_missing_value(one)), None) if isinstance(values, list) else None
    if is_array or isinstance(first, bool | int | float | np.generic):
        return np.array(values, dtype=None if is_array else object).reshape(-1, 1)
    return result


def _list_fitting_columns(frame: Any, wanted: pa.DataType) -> list[int]:
    """Positions of the columns that MLflow takes for a type; where there are none, of those whose values may fit."""
    kinds = [_numpy_dtype(dtype) for dtype in frame.dtypes]
    if not (pa.types.is_integer(wanted) or pa.types.is_floating(wanted) or pa.types.is_boolean(wanted)):
        return list(range(len(kinds)))
    if pa.types.is_boolean(wanted):
        return [at for at, dtype in enumerate(kinds) if dtype.kind == "b"]
    letters = "iu" if pa.types.is_integer(wanted) else "iuf"
    numbers = [at for at, dtype in enumerate(kinds) if dtype.kind in letters]
    if not pa.types.is_integer(wanted):
        return numbers
    narrow = [at for at in numbers if _holds(wanted, kinds[at])]
    return narrow or numbers


def _numpy_dtype(dtype: Any) -> np.dtype[Any]:
    """Numpy's type of a column of pandas; object where it has none."""
    return dtype if isinstance(dtype, np.dtype) else getattr(dtype, "numpy_dtype", np.dtype(object))


def _holds(wanted: pa.DataType, dtype: np.dtype[Any]) -> bool:
    bits = dtype.itemsize * 8 + (dtype.kind == "u")
    return bool(bits <= wanted.bit_width)


def _dump_pydantic_rows(result: Any) -> Any:
    if isinstance(result, list) and result and all(hasattr(one, "model_dump") for one in result):
        return [one.model_dump() for one in result]
    return result


def cast_requested_values(values: Any, output: pa.DataType) -> pa.Array:
    """Values in a type that the caller asks for, which need not be theirs: rounded to floating numbers, written as
    text; never a fraction cut off.

    Raises:  UnfitResultError.
    """
    if pa.types.is_string(output):
        return _to_text_column(values)
    if not (pa.types.is_integer(output) or pa.types.is_floating(output)):
        return cast_result_values(values, output)
    try:
        column = infer_result_column(values, missing_as_null=False)
        if column.null_count == len(column):
            return pa.nulls(len(column), output)
        if not (pa.types.is_integer(column.type) or pa.types.is_floating(column.type)):
            return cast_result_values(values, output)
        return _round_numbers(column, output) if pa.types.is_floating(output) else _to_integers(column, output)
    except (pa.ArrowException, TypeError, OverflowError):
        raise UnfitResultError(f"numbers that no {output} holds") from None  # Arrow's message holds values


def _round_numbers(column: pa.Array, output: pa.DataType) -> pa.Array:
    cast = pc.cast(column, output, safe=False)
    floating = column if pa.types.is_floating(column.type) else pc.cast(column, pa.float64(), safe=False)
    if pc.any(pc.and_(pc.is_finite(floating), pc.is_inf(cast)), min_count=0).as_py():
        raise UnfitResultError(f"numbers beyond the range of {output}")
    return cast


def _to_integers(column: pa.Array, output: pa.DataType) -> pa.Array:
    if pa.types.is_floating(column.type):
        column = restore_integers(column, output)
    return pc.cast(column, output, safe=True)


def _to_text_column(values: Any) -> pa.Array:
    """The values as Python writes them; NULL where they are missing."""
    objects = np.asarray(values, dtype=object).tolist() if hasattr(values, "dtype") else list(values)
    texts = [None if is_missing_value(one) else one if isinstance(one, str) else str(one) for one in objects]
    return pa.array(texts, pa.string())
