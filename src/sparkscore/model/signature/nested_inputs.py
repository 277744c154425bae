"""Nested values of a model's inputs as Python objects. Executors use it; it imports no pandas."""

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

_ChildConversion = Callable[[pa.Array, str | None], list[Any]]
"""From the values of a field, or of a map (None), to Python's."""


def to_nested_objects(column: pa.Array, kind: pa.DataType) -> list[Any]:
    """Nested values of an input of a type: lists as numpy arrays, structs and maps as dicts, numbers in numpy's types,
    which say how wide they are. Where the type is left open: as `to_python_objects`.
    """
    if pa.types.is_null(kind):
        return to_python_objects(column)
    if pa.types.is_struct(column.type) or pa.types.is_map(column.type):
        return _to_dicts(column, lambda child, name: to_nested_objects(child, _field_type(kind, name)))
    if not pa.types.is_list(column.type):
        return list(to_numpy_objects(column))
    inner = kind.value_type
    if pa.types.is_nested(column.type.value_type):
        return [to_nested_objects(row.values, inner) if row.is_valid else None for row in column]
    return [to_numpy_objects(row.values) if row.is_valid else None for row in column]


def to_python_objects(column: pa.Array) -> list[Any]:
    """Nested values as Spark hands them to a pandas_udf, and MLflow to what it compares with no type: structs and maps
    as dicts of Python's own types, lists as numpy arrays, of times as lists.
    """
    if pa.types.is_struct(column.type) or pa.types.is_map(column.type):
        return _to_dicts(column, lambda child, _: to_python_objects(child))
    if not pa.types.is_list(column.type):
        return column.to_pylist()  # type: ignore[no-any-return]
    inner = column.type.value_type
    has_no_array = pa.types.is_nested(inner) or pa.types.is_temporal(inner)
    items = to_python_objects if has_no_array else to_numpy_objects
    return [items(row.values) if row.is_valid else None for row in column]


def to_numpy_objects(column: pa.Array) -> npt.NDArray[Any]:
    """The column in numpy; integers with NULL as objects, because numpy would make doubles of them."""
    if not (column.null_count and pa.types.is_integer(column.type)):
        return column.to_numpy(zero_copy_only=False)  # type: ignore[no-any-return]
    kind = column.type.to_pandas_dtype()
    return np.array([None if value is None else kind(value) for value in column.to_pylist()], dtype=object)


def _field_type(kind: pa.DataType, name: str | None) -> pa.DataType:
    """The type of a field of an object, or of the values of a map, which may come as a struct."""
    return kind.item_type if pa.types.is_map(kind) else kind.field(name).type


def _to_dicts(column: pa.Array, convert: _ChildConversion) -> list[Any]:
    """A dict per row of structs or maps."""
    if pa.types.is_map(column.type):
        return _map_dicts(column, lambda items: convert(items, None))
    keys = [field.name for field in column.type]
    children = column.drop_null().flatten()
    rows = zip(*(convert(child, key) for child, key in zip(children, keys, strict=True)), strict=True)
    return [dict(zip(keys, next(rows), strict=True)) if valid else None for valid in column.is_valid().to_pylist()]


def _map_dicts(column: pa.MapArray, convert: Callable[[pa.Array], list[Any]]) -> list[dict[str, Any] | None]:
    """A dict per row. Of a key that stands twice in a map the last value counts, as in Spark's own conversion."""
    offsets = column.offsets.to_pylist()
    first, count = offsets[0], offsets[-1] - offsets[0]
    names, values = column.keys.slice(first, count).to_pylist(), convert(column.items.slice(first, count))
    ranges = zip(offsets[:-1], offsets[1:], column.is_valid().to_pylist(), strict=True)
    return [
        dict(zip(names[start - first : end - first], values[start - first : end - first], strict=True))
        if valid
        else None
        for start, end, valid in ranges
    ]
