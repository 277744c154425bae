"""Inputs whose type the signature leaves open: anything, maps, objects with optional properties. What the source
brings says what they are. Executors use it: it imports pyarrow only.
"""

from collections.abc import Iterator, Mapping

import pyarrow as pa

from sparkscore.model.signature.lossless_casts import is_any_list
from sparkscore.records import field_path, item_path

ANY_TYPE = pa.null()
"""MLflow's AnyType, at any depth of an input's type: whatever the source has there."""

_NAIVE_TIME = "ns"


def map_value_path(path: str) -> str:
    """The path of the values of a map."""
    return f"{path}.value"


def close_input_type(
    target: pa.DataType, source: pa.DataType, optional: frozenset[str] = frozenset(), path: str = ""
) -> pa.DataType:
    """The type that a column of the source's type is cast to.

    Anything is what the source has, an object has the properties that the source has, where the others are optional,
    and a struct is a map of its fields. What does not fit stays as it is: no cast leads there.

    `optional`: paths of properties, from the input on: `.a`, `.element.a` in lists, `.value.a` in maps.
    """
    if pa.types.is_null(target):
        return _plain_type(source)
    if pa.types.is_list(target) and is_any_list(source):
        return pa.list_(close_input_type(target.value_type, source.value_type, optional, item_path(path)))
    if pa.types.is_map(target):
        return _close_map_type(target, source, optional, map_value_path(path))
    if pa.types.is_struct(target) and pa.types.is_struct(source):
        given = _field_types(source)
        kept = [
            pa.field(one.name, close_input_type(one.type, given[one.name], optional, field_path(path, one.name)))
            if one.name in given
            else one
            for one in target
            if one.name in given or field_path(path, one.name) not in optional
        ]
        return pa.struct(kept) if kept else target
    return target


def absent_properties(
    target: pa.DataType, source: pa.DataType, optional: frozenset[str], path: str = ""
) -> Iterator[str]:
    """Paths of optional properties that the source lacks: the model gets its objects without them."""
    if pa.types.is_list(target) and is_any_list(source):
        yield from absent_properties(target.value_type, source.value_type, optional, item_path(path))
    if pa.types.is_map(target) and pa.types.is_map(source):
        yield from absent_properties(target.item_type, source.item_type, optional, map_value_path(path))
    if pa.types.is_struct(target) and pa.types.is_struct(source):
        given = _field_types(source)
        for one in target:
            inner = field_path(path, one.name)
            if one.name in given:
                yield from absent_properties(one.type, given[one.name], optional, inner)
            elif inner in optional:
                yield inner


def describe_input_type(kind: pa.DataType) -> str:
    """The type in Arrow's words, with `any` where it is open."""
    if pa.types.is_null(kind):
        return "any"
    if pa.types.is_list(kind):
        return f"list<{describe_input_type(kind.value_type)}>" if has_open_type(kind) else str(kind)
    if pa.types.is_map(kind):
        return f"map<string, {describe_input_type(kind.item_type)}>"
    if pa.types.is_struct(kind) and has_open_type(kind):
        return f"struct<{', '.join(f'{one.name}: {describe_input_type(one.type)}' for one in kind)}>"
    return str(kind)


def has_open_type(kind: pa.DataType) -> bool:
    """Whether there is anything, or a map, in it."""
    if pa.types.is_struct(kind):
        return any(has_open_type(one.type) for one in kind)
    if pa.types.is_list(kind):
        return has_open_type(kind.value_type)
    return bool(pa.types.is_null(kind) or pa.types.is_map(kind))


def _close_map_type(target: pa.DataType, source: pa.DataType, optional: frozenset[str], path: str) -> pa.DataType:
    if pa.types.is_map(source):
        return pa.map_(pa.string(), close_input_type(target.item_type, source.item_type, optional, path))
    if pa.types.is_struct(source) and source.num_fields:
        return pa.struct([(one.name, close_input_type(target.item_type, one.type, optional, path)) for one in source])
    return target


def _plain_type(source: pa.DataType) -> pa.DataType:
    """The type as models are given it: times without a zone, one layout of lists and texts."""
    if pa.types.is_timestamp(source):
        return pa.timestamp(_NAIVE_TIME)
    if is_any_list(source):
        return pa.list_(_plain_type(source.value_type))
    if pa.types.is_map(source):
        return pa.map_(_plain_type(source.key_type), _plain_type(source.item_type))
    if pa.types.is_struct(source):
        return pa.struct([(one.name, _plain_type(one.type)) for one in source])
    return pa.string() if pa.types.is_large_string(source) else source


def _field_types(kind: pa.DataType) -> Mapping[str, pa.DataType]:
    return {one.name: one.type for one in kind}
