"""Changes of the values inside lists, structs and maps. Executors use it: it imports pyarrow only."""

from collections.abc import Callable

import pyarrow as pa

LeafChange = Callable[[pa.Array], pa.Array]
"""What becomes of the values of one type that is not nested. As many values come out as go in."""


def has_leaf(kind: pa.DataType, is_wanted: Callable[[pa.DataType], bool]) -> bool:
    """Whether a type, or one inside of it, is of some kind."""
    if not pa.types.is_nested(kind):
        return is_wanted(kind)
    return any(has_leaf(kind.field(index).type, is_wanted) for index in range(kind.num_fields))


def change_leaves(column: pa.Array, change: LeafChange) -> pa.Array:
    """The column with its values changed, however deep in lists, structs and maps they are; NULLs of these stay."""
    kind = column.type
    if pa.types.is_struct(kind):
        return _change_struct(column, change)
    if pa.types.is_map(kind):
        maps = _from_offset_zero(column)
        keys, items = (change_leaves(one, change) for one in (maps.keys, maps.items))
        return pa.MapArray.from_arrays(maps.offsets, keys, items, mask=_nested_null_mask(maps))
    if pa.types.is_list(kind):
        lists = _from_offset_zero(column)
        return pa.ListArray.from_arrays(
            lists.offsets, change_leaves(lists.values, change), mask=_nested_null_mask(lists)
        )
    return change(column)


def _change_struct(column: pa.Array, change: LeafChange) -> pa.Array:
    children = [change_leaves(child, change) for child in column.flatten()]
    fields = [pa.field(field.name, child.type) for field, child in zip(column.type, children, strict=True)]
    return pa.StructArray.from_arrays(children, fields=fields, mask=_nested_null_mask(column))


def _from_offset_zero(column: pa.Array) -> pa.Array:
    """Arrow builds no list from a slice's offsets and a mask."""
    return column.take(pa.array(range(len(column)), pa.int64())) if column.offset else column


def _nested_null_mask(column: pa.Array) -> pa.Array | None:
    return column.is_null() if column.null_count else None
