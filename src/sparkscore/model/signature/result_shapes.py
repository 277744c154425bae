"""The shapes that a model's result may have: columns, a dict of them, an object per row. Executors use it.

pandas is imported only where a frame is needed.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from sparkscore.model.signature.result_rows import align_result_rows, is_pandas_result
from sparkscore.model.signature.result_values import UnfitResultError


def to_result_frame(result: Any) -> Any:
    """The result as a frame.

    Raises:  UnfitResultError where its columns are of different lengths, or of several dimensions.
    """
    import pandas as pd

    try:
        return pd.DataFrame(result)
    except ValueError:
        raise UnfitResultError("columns that do not form a data frame") from None


def unwrap_result_dict(result: Mapping[Any, Any], rows: int) -> Any:
    """What a dict stands for where the signature knows one column."""
    if len(result) == 1:
        return align_result_rows(next(iter(result.values())), rows)
    if any(np.ndim(column) != 1 or len(column) != rows for column in result.values()):
        raise UnfitResultError("columns {}", result)
    # as arrays: pandas would put Series with indexes of their own in another order
    return to_result_frame({name: np.asarray(align_result_rows(one, rows)) for name, one in result.items()})


def is_object_per_row(result: Any) -> bool:
    """Whether the result is one object per row rather than columns."""
    if isinstance(result, np.ndarray):
        return result.ndim == 1 and result.dtype == object
    return isinstance(result, list | tuple) or (is_pandas_result(result) and result.ndim == 1)


def transpose_struct_rows(rows: list[Any], names: Sequence[str]) -> Any:
    """Dicts, or tuples of all fields, by row as a dict of columns. Their numbers are Python's own, without a width."""
    if any(isinstance(row, tuple) for row in rows):
        if not all((isinstance(row, tuple) and len(row) == len(names)) or row == {} for row in rows):
            raise UnfitResultError("rows that are not all tuples of as many values as there are fields")
        rows = [dict(zip(names, row, strict=True)) if isinstance(row, tuple) else row for row in rows]
    if not all(isinstance(row, dict) for row in rows):
        return to_result_frame(rows)
    fields = dict.fromkeys(field for row in rows for field in row)
    return {field: [row.get(field) for row in rows] for field in fields}
