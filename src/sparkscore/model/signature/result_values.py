"""The values of a model's result as Arrow values of the signature's type. Executors use it."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sparkscore.model.signature.lossless_casts import cast_losslessly, is_lossless_cast
from sparkscore.model.signature.result_rows import is_pandas_result
from sparkscore.records import field_path, item_path

_MAX_EXACT_FLOAT = 2**53


class UnfitResultError(Exception):
    """What was found instead of predictions; `{}` stands for the columns' names, which a model may make of values."""

    def __init__(self, found: str, columns: Iterable[object] = ()) -> None:
        super().__init__(found)
        self.found, self.columns = found, [str(name) for name in columns]

    def describe(self, *, name_columns: bool) -> str:
        """What was found, in words."""
        return self.found.replace("{}", ", ".join(self.columns) if name_columns else f"({len(self.columns)} of them)")


def cast_result_values(values: Any, output: pa.DataType) -> pa.Array:
    """Values in the output's type. Never `pa.array(values, type)`: it silently cuts 1.5 to 1.

    Raises:  UnfitResultError.
    """
    widths = hasattr(values, "dtype") and values.dtype != object
    numbers = pa.types.is_floating(output) or pa.types.is_integer(output)
    try:
        column = infer_result_column(values, missing_as_null=not numbers)
        if column.null_count == len(column):
            return pa.nulls(len(column), output)
        if pa.types.is_integer(output) and pa.types.is_floating(column.type):
            column = restore_integers(column, output)
        if is_lossless_cast(column.type, output, widths=widths):
            return cast_losslessly(column, output)
    except (pa.ArrowException, TypeError, OverflowError):
        raise UnfitResultError(
            "values that are not of one type, or do not fit"
        ) from None  # Arrow's message holds values
    raise UnfitResultError(f"values of type {column.type}")


def restore_integers(column: pa.Array, output: pa.DataType) -> pa.Array:
    """Integers of which pandas has made doubles, because it writes NaN where one is missing; NULL there.

    Raises:  pyarrow.ArrowInvalid for fractions, and numbers that do not fit.
    """
    missing = pc.is_nan(column).fill_null(False)
    present = pc.if_else(missing, None, column)
    if not pc.any(missing).as_py() or not pc.all(pc.less_equal(pc.abs(present), _MAX_EXACT_FLOAT), min_count=0).as_py():
        return column
    return pc.cast(present, output, safe=True)


def infer_result_column(values: Any, *, missing_as_null: bool) -> pa.Array:
    """The values in the Arrow type that they have by themselves. NaN in doubles stays NaN; in text it is NULL."""
    if is_pandas_result(values):
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


def check_list_sizes(column: pa.Array, path: str, sizes: Mapping[str, int]) -> None:
    """Refuse lists of another length than the signature's.

    Raises:  UnfitResultError.
    """
    if pa.types.is_struct(column.type):
        for field, child in zip(column.type, column.flatten(), strict=True):
            check_list_sizes(child, field_path(path, field.name), sizes)
    if not pa.types.is_list(column.type):
        return
    size = sizes.get(path)
    lengths = pc.list_value_length(column)
    if size is not None and not pc.all(pc.equal(lengths, size), min_count=0).as_py():
        found = ", ".join(map(str, sorted(set(lengths.drop_null().to_pylist()))[:3]))
        raise UnfitResultError(f"lists of {found} items instead of {size} in {path}")
    check_list_sizes(column.flatten(), item_path(path), sizes)
