"""Leaves the results of rejected rows out of what a model has returned. Executors use it."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa

from sparkscore.model.signature.result_rows import align_result_rows, is_pandas_result
from sparkscore.model.signature.result_values import UnfitResultError


def keep_result_rows(result: Any, kept: np.ndarray[Any, Any], rows: int) -> Any:
    """The results of some rows, in the shape that they have: an array (numpy's, Arrow's), a Series, a frame,
    a list, or a dict of these.

    `kept`: the positions of the rows, ascending.

    Raises:  UnfitResultError where there are not as many results as rows.
    """
    if hasattr(result, "toarray"):
        result = result.toarray()
    if isinstance(result, Mapping):
        return {name: keep_result_rows(column, kept, rows) for name, column in result.items()}
    if not isinstance(result, np.ndarray | list | tuple | pa.Array) and not is_pandas_result(result):
        raise UnfitResultError(f"a {type(result).__name__}")
    if getattr(result, "ndim", 1) == 0:
        raise UnfitResultError(f"a {type(result).__name__}")
    if len(result) != rows:
        raise UnfitResultError(f"{len(result)} predictions")
    if isinstance(result, np.ndarray):
        return result[kept]
    if isinstance(result, pa.Array):
        return result.take(pa.array(kept))
    if isinstance(result, list | tuple):
        return [result[position] for position in kept.tolist()]
    return align_result_rows(result, rows).iloc[kept].reset_index(drop=True)
