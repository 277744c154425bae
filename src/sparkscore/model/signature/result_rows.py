"""Which value of a model's result belongs to which row of its batch. Executors use it."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

_BATCH_INDEX_NAMES = (None, "index")
"""Names of the batch's own index: it has none, and pandas calls it index where it makes a column of it."""


def is_pandas_result(result: Any) -> bool:
    """Whether it is a Series or a frame. pandas is imported only where it may be one."""
    if result is None or isinstance(result, np.ndarray | list | tuple | dict):
        return False
    import pandas as pd

    return isinstance(result, pd.Series | pd.DataFrame)


def align_result_rows(result: Any, rows: int) -> Any:
    """The result in the order of the batch's rows, which its input's index numbers 0, 1, ….

    An index that has each of these numbers once says which rows they are: a model that sorts or groups keeps it.
    Of an index of several levels it is the innermost that can say so, as `groupby(…).apply(…)` leaves it. Any other
    index says nothing about the batch, and the result is taken by position, as an array is: also one with a name,
    which a model has made of a column.
    """
    if not is_pandas_result(result) or len(result) != rows:
        return result
    labels = result.index.get_level_values(-1)
    if labels.dtype.kind not in "iu" or labels.name not in _BATCH_INDEX_NAMES:
        return result
    numbers, expected = labels.to_numpy(), np.arange(rows)
    if np.array_equal(numbers, expected):
        return result
    order = np.argsort(numbers, kind="stable")
    return result.iloc[order] if np.array_equal(numbers[order], expected) else result


def select_named_output(result: Any, name: str | None, others: Sequence[str] = ()) -> Any:
    """The column of the signature's only output, where the result has it by name beside other columns.

    `others`: the fields of an output that is a struct: a result that has all of these is the struct itself.
    """
    if name is None:
        return result
    columns = _result_column_names(result)
    if columns.count(name) != 1 or (others and set(others) <= set(columns)):
        return result
    if isinstance(result, list | tuple):
        return [None if row is None else row.get(name) for row in result]
    if isinstance(result, Mapping):
        return next(column for label, column in result.items() if str(label) == name)
    return result.iloc[:, columns.index(name)]


def is_missing_value(value: Any) -> bool:
    """Whether it stands for no value: None, NaN, pandas' NA and NaT."""
    if isinstance(value, float):
        return math.isnan(value)
    return value is None or type(value).__name__ in ("NAType", "NaTType")


def _result_column_names(result: Any) -> list[str]:
    if isinstance(result, Mapping):
        return [str(label) for label in result]
    if isinstance(result, list | tuple):
        first = next((row for row in result if row is not None), None)
        is_rows = isinstance(first, dict) and all(row is None or isinstance(row, dict) for row in result)
        return [str(label) for label in first] if first is not None and is_rows else []
    return (
        [str(label) for label in result.columns] if getattr(result, "ndim", 0) == 2 and is_pandas_result(result) else []
    )
