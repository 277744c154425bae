"""Converts what a model returns to one Arrow column of the signature's type. Plain functions, without Spark.

pandas is imported only for results that are neither arrays nor named arrays: not every runtime needs it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa

from sparkscore.errors import PredictError
from sparkscore.model.signature.result_rows import (
    align_result_rows,
    is_missing_value,
    is_pandas_result,
    select_named_output,
)
from sparkscore.model.signature.result_values import UnfitResultError, cast_result_values, check_list_sizes
from sparkscore.records import NO_OUTPUT_PARTS, OutputParts, field_path, item_path
from sparkscore.schemas import PREDICTION_COLUMN


@dataclass(frozen=True, slots=True)
class _OutputPart:
    """What is to be built: the whole prediction of some rows, a field of it, or the items of its lists."""

    type: pa.DataType
    rows: int
    optional: frozenset[str]
    path: str = PREDICTION_COLUMN

    def field(self, field: pa.Field) -> "_OutputPart":
        return replace(self, type=field.type, path=field_path(self.path, field.name))

    def items(self, count: int) -> "_OutputPart":
        return replace(self, type=self.type.value_type, rows=count, path=item_path(self.path))


def to_prediction_column(
    result: Any, rows: int, output: pa.DataType, *, parts: OutputParts = NO_OUTPUT_PARTS, name_columns: bool = True
) -> pa.Array:
    """The model's result as a column, one prediction per row: by the index of the batch's rows where pandas keeps it
    (`align_result_rows`), else by position.

    Needs:   an array, a Series, a frame, a list, or a dict of columns; of a type that `output` holds without loss.
             `name_columns`: whether an error may name the columns that the model has made.
    Shapes:  scalar: (n,) or (n, 1); list: (n, k) or n lists; struct: a column per field, by name. An array (n, k) has
             the names "0", "1", …. A dict of one is what is in it. Of several columns the one that has the only
             output's name is taken. None and NaN in text, lists and structs are NULL; so are optional fields that the
             result lacks.
    Runs on: executor.
    Raises:  PredictError for another number of rows, another shape or another type; it holds no value of a row.
    """
    try:
        named = select_named_output(
            result, parts.name, [field.name for field in output] if pa.types.is_struct(output) else ()
        )
        column = _to_output_column(named, _OutputPart(output, rows, parts.optional))
        if parts.sizes:
            check_list_sizes(column, PREDICTION_COLUMN, dict(parts.sizes))
        return column
    except UnfitResultError as error:
        raise PredictError(
            f"the model returned {error.describe(name_columns=name_columns)} for a batch of {rows} rows",
            f"{rows} predictions of type {output}, as the model's signature says",
            "log the model again with a signature inferred from its predictions",
        ) from None


def _to_output_column(result: Any, part: _OutputPart) -> pa.Array:
    result = align_result_rows(result.toarray() if hasattr(result, "toarray") else result, part.rows)
    if pa.types.is_struct(part.type):
        return _build_struct_column(result, part)
    result = _unwrap_result_dict(result, part.rows) if isinstance(result, dict) else result
    _check_prediction_count(result, part.rows)
    return _build_list_column(result, part) if pa.types.is_list(part.type) else _build_scalar_column(result, part.type)


def _check_prediction_count(result: Any, rows: int) -> None:
    countable = isinstance(result, np.ndarray | list | tuple) or is_pandas_result(result)
    if not countable or getattr(result, "ndim", 1) == 0:
        raise UnfitResultError(f"a {type(result).__name__}")
    if len(result) != rows:
        raise UnfitResultError(f"{len(result)} predictions")


def _to_result_frame(result: Any) -> Any:
    import pandas as pd

    try:
        return pd.DataFrame(result)
    except ValueError:  # columns of different lengths, or of several dimensions
        raise UnfitResultError("columns that do not form a data frame") from None


def _unwrap_result_dict(result: Mapping[Any, Any], rows: int) -> Any:
    """What a dict stands for where the signature knows one column."""
    if len(result) == 1:
        return align_result_rows(next(iter(result.values())), rows)
    if any(np.ndim(column) != 1 or len(column) != rows for column in result.values()):
        raise UnfitResultError("columns {}", result)
    # as arrays: pandas would put Series with indexes of their own in another order
    return _to_result_frame({name: np.asarray(align_result_rows(one, rows)) for name, one in result.items()})


def _build_struct_column(result: Any, part: _OutputPart) -> pa.Array:
    """The fields by name; NULL for rows that are None or NaN where the result is one object per row."""
    if _is_object_per_row(result):
        _check_prediction_count(result, part.rows)
        objects = list(result)
        missing = np.fromiter(map(is_missing_value, objects), bool, len(objects))
        if missing.all():
            return pa.nulls(part.rows, part.type)
        if missing.any():
            answers = [{} if is_missing else one for one, is_missing in zip(objects, missing, strict=True)]
            return _build_struct_fields(_transpose_dict_rows(answers), part, pa.array(missing))
        result = _transpose_dict_rows(objects)
    return _build_struct_fields(result, part, None)


def _is_object_per_row(result: Any) -> bool:
    if isinstance(result, np.ndarray):
        return result.ndim == 1 and result.dtype == object
    return isinstance(result, list | tuple) or (is_pandas_result(result) and result.ndim == 1)


def _build_struct_fields(result: Any, part: _OutputPart, mask: pa.Array | None) -> pa.Array:
    columns = _result_columns(result, part)
    children = [part.field(field) for field in part.type]
    names = [field.name for field in part.type]
    missing = [
        name
        for name, child in zip(names, children, strict=True)
        if name not in columns and child.path not in part.optional
    ]
    if missing:
        raise UnfitResultError("columns {} without " + ", ".join(missing), columns)
    arrays = [
        _to_output_column(columns[name], child) if name in columns else pa.nulls(part.rows, child.type)
        for name, child in zip(names, children, strict=True)
    ]
    return pa.StructArray.from_arrays(arrays, fields=list(part.type), mask=mask)


def _result_columns(result: Any, part: _OutputPart) -> Mapping[str, Any]:
    """The columns of a result, by name."""
    if isinstance(result, dict):
        labels = list(result)
        columns = list(result.values())
    else:
        _check_prediction_count(result, part.rows)
        if getattr(result, "ndim", 1) != 2:
            raise UnfitResultError(f"a {type(result).__name__}")
        is_array = isinstance(result, np.ndarray)
        labels = list(range(result.shape[1])) if is_array else list(result.columns)
        columns = [result[:, at] if is_array else result.iloc[:, at] for at in range(len(labels))]
    names = [str(label) for label in labels]
    twice = [field.name for field in part.type if names.count(field.name) > 1]
    if twice:
        raise UnfitResultError("columns {} with " + ", ".join(twice) + " more than once", names)
    return dict(zip(names, columns, strict=True))


def _transpose_dict_rows(rows: list[Any]) -> Any:
    """Dicts by row as a dict of columns. Their numbers are Python's own, which have no width."""
    if not all(isinstance(row, dict) for row in rows):
        return _to_result_frame(rows)
    fields = dict.fromkeys(field for row in rows for field in row)
    return {field: [row.get(field) for row in rows] for field in fields}


def _build_scalar_column(result: Any, output: pa.DataType) -> pa.Array:
    if getattr(result, "shape", ())[1:] == (1,):
        result = result[:, 0] if isinstance(result, np.ndarray) else result.iloc[:, 0]
    if getattr(result, "ndim", 1) != 1:
        raise UnfitResultError(f"predictions of shape {result.shape}")
    return cast_result_values(result, output)


def _build_list_column(result: Any, part: _OutputPart) -> pa.Array:
    if getattr(result, "ndim", 1) == 2 and not isinstance(result, np.ndarray):
        result = result.to_numpy()
    if isinstance(result, np.ndarray) and result.ndim > 1:
        width, rows = result.shape[1], part.rows
        items = _to_output_column(result.reshape((rows * width, *result.shape[2:])), part.items(rows * width))
        offsets = pa.array(np.arange(rows + 1, dtype=np.int32) * width, pa.int32())
        return pa.ListArray.from_arrays(offsets, items, type=part.type)
    lists = [None if is_missing_value(one) else one for one in result]
    is_plain = not pa.types.is_nested(part.type.value_type)
    return cast_result_values(lists, part.type) if is_plain else _build_nested_lists(lists, part)


def _build_nested_lists(lists: Sequence[Any], part: _OutputPart) -> pa.Array:
    """Lists of lists or of structs, from their items: what Arrow infers of them depends on what the batch holds."""
    try:
        lengths = [0 if one is None else len(one) for one in lists]
        items = [item for one in lists if one is not None for item in one]
    except TypeError:
        raise UnfitResultError("values that are no lists") from None
    column = _to_output_column(items, part.items(len(items))) if items else pa.nulls(0, part.type.value_type)
    offsets = pa.array(np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32), pa.int32())
    mask = pa.array([one is None for one in lists], pa.bool_())
    return pa.ListArray.from_arrays(offsets, column, type=part.type, mask=mask)
