"""Converts what a model returns to one Arrow column of the signature's type. Plain functions, without Spark.

pandas is imported only for results that are neither arrays nor named arrays: not every runtime needs it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa

from sparkscore.errors import PredictError
from sparkscore.model.signature.requested_results import cast_requested_values, select_requested_result
from sparkscore.model.signature.result_rows import (
    align_result_rows,
    is_missing_value,
    is_pandas_result,
    select_named_output,
)
from sparkscore.model.signature.result_shapes import is_object_per_row, transpose_struct_rows, unwrap_result_dict
from sparkscore.model.signature.result_values import UnfitResultError, cast_result_values, check_list_sizes
from sparkscore.records import NO_OUTPUT_PARTS, OutputParts, field_path, item_path, value_path
from sparkscore.schemas import PREDICTION_COLUMN


@dataclass(frozen=True, slots=True)
class _OutputPart:
    """What is to be built: the whole prediction of some rows, a field of it, or the items of its lists."""

    type: pa.DataType
    rows: int
    optional: frozenset[str]
    path: str = PREDICTION_COLUMN
    is_requested: bool = False

    @property
    def field_names(self) -> list[str]:
        return [field.name for field in self.type]

    def field(self, field: pa.Field) -> "_OutputPart":
        return replace(self, type=field.type, path=field_path(self.path, field.name))

    def items(self, count: int) -> "_OutputPart":
        return replace(self, type=self.type.value_type, rows=count, path=item_path(self.path))

    def values(self, count: int) -> "_OutputPart":
        return replace(self, type=self.type.item_type, rows=count, path=value_path(self.path))

    def cast(self, values: Any) -> pa.Array:
        return (cast_requested_values if self.is_requested else cast_result_values)(values, self.type)


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
             result lacks. A struct may be a tuple of all its fields; a map is a dict per row. What a caller has asked
             for (`OutputParts.is_requested`) is taken by `select_requested_result`.
    Runs on: executor.
    Raises:  PredictError for another number of rows, another shape or another type; it holds no value of a row.
    """
    try:
        named = _select_output(result, rows, output, parts)
        column = _to_output_column(named, _OutputPart(output, rows, parts.optional, is_requested=parts.is_requested))
        if parts.sizes:
            check_list_sizes(column, PREDICTION_COLUMN, dict(parts.sizes))
        return column
    except UnfitResultError as error:
        raise unfit_result_error(error, rows, output, parts, name_columns=name_columns) from None


def _select_output(result: Any, rows: int, output: pa.DataType, parts: OutputParts) -> Any:
    if parts.is_requested:
        return select_requested_result(result, rows, output)
    return select_named_output(
        result, parts.name, [field.name for field in output] if pa.types.is_struct(output) else ()
    )


def unfit_result_error(
    error: UnfitResultError, rows: int, output: pa.DataType, parts: OutputParts, *, name_columns: bool
) -> PredictError:
    """The error for a result that does not fit the signature."""
    source = "result_type" if parts.is_requested else "the model's signature"
    return PredictError(
        f"the model returned {error.describe(name_columns=name_columns)} for a batch of {rows} rows",
        f"{rows} predictions of type {output}, as {source} says",
        "ask for another result_type, of a type that holds what the model returns"
        if parts.is_requested
        else "log the model again with a signature inferred from its predictions",
    )


def _to_output_column(result: Any, part: _OutputPart) -> pa.Array:
    if isinstance(result, pa.Array) and result.type == part.type:
        _check_arrow_count(result, part.rows)
        return result
    if isinstance(result, pa.Array):  # another type, or another order of fields
        result = result.to_pylist()
    result = align_result_rows(result.toarray() if hasattr(result, "toarray") else result, part.rows)
    if pa.types.is_struct(part.type):
        return _build_struct_column(result, part)
    result = unwrap_result_dict(result, part.rows) if isinstance(result, dict) else result
    _check_prediction_count(result, part.rows)
    if pa.types.is_map(part.type):
        return _build_map_column(result, part)
    return _build_list_column(result, part) if pa.types.is_list(part.type) else _build_scalar_column(result, part)


def _check_arrow_count(result: pa.Array, rows: int) -> None:
    if len(result) != rows:
        raise UnfitResultError(f"{len(result)} predictions")


def _check_prediction_count(result: Any, rows: int) -> None:
    countable = isinstance(result, np.ndarray | list | tuple) or is_pandas_result(result)
    if not countable or getattr(result, "ndim", 1) == 0:
        raise UnfitResultError(f"a {type(result).__name__}")
    if len(result) != rows:
        raise UnfitResultError(f"{len(result)} predictions")


def _build_struct_column(result: Any, part: _OutputPart) -> pa.Array:
    """The fields by name; NULL for rows that are None or NaN where the result is one object per row."""
    if is_object_per_row(result):
        _check_prediction_count(result, part.rows)
        objects = list(result)
        missing = np.fromiter(map(is_missing_value, objects), bool, len(objects))
        if missing.all():
            return pa.nulls(part.rows, part.type)
        if missing.any():
            answers = [{} if is_missing else one for one, is_missing in zip(objects, missing, strict=True)]
            return _build_struct_fields(transpose_struct_rows(answers, part.field_names), part, pa.array(missing))
        result = transpose_struct_rows(objects, part.field_names)
    return _build_struct_fields(result, part, None)


def _build_struct_fields(result: Any, part: _OutputPart, mask: pa.Array | None) -> pa.Array:
    columns = _result_columns(result, part)
    children = [part.field(field) for field in part.type]
    names = part.field_names
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


def _build_scalar_column(result: Any, part: _OutputPart) -> pa.Array:
    if getattr(result, "shape", ())[1:] == (1,):
        result = result[:, 0] if isinstance(result, np.ndarray) else result.iloc[:, 0]
    if getattr(result, "ndim", 1) != 1:
        raise UnfitResultError(f"predictions of shape {result.shape}")
    return part.cast(result)


def _build_list_column(result: Any, part: _OutputPart) -> pa.Array:
    if getattr(result, "ndim", 1) == 2 and not isinstance(result, np.ndarray):
        result = result.to_numpy()
    if isinstance(result, np.ndarray) and result.ndim > 1:
        width, rows = result.shape[1], part.rows
        items = _to_output_column(result.reshape((rows * width, *result.shape[2:])), part.items(rows * width))
        offsets = pa.array(np.arange(rows + 1, dtype=np.int32) * width, pa.int32())
        return pa.ListArray.from_arrays(offsets, items, type=part.type)
    lists = [None if is_missing_value(one) else one for one in result]
    is_plain = not pa.types.is_nested(part.type.value_type) and not part.is_requested
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


def _build_map_column(result: Any, part: _OutputPart) -> pa.Array:
    """Maps from dicts, whose keys are text."""
    rows = [None if is_missing_value(one) else one for one in result]
    if not all(row is None or isinstance(row, Mapping) for row in rows):
        raise UnfitResultError("values that are no dicts")
    keys = [key for row in rows if row is not None for key in row]
    if not all(isinstance(key, str) for key in keys):
        raise UnfitResultError("dicts with keys that are no text")
    items = [item for row in rows if row is not None for item in row.values()]
    values = _to_output_column(items, part.values(len(items))) if items else pa.nulls(0, part.type.item_type)
    offsets = np.cumsum([0, *(0 if row is None else len(row) for row in rows)]).astype(np.int32)
    mask = pa.array([row is None for row in rows], pa.bool_())
    return pa.MapArray.from_arrays(pa.array(offsets), pa.array(keys, pa.string()), values, mask=mask)
