"""Converts columns of a Parquet file to the table's types, exactly as Spark does. Executors use it: pyarrow only."""

from collections.abc import Callable, Sequence

import pyarrow as pa
import pyarrow.compute as pc

from sparkscore.errors import ScanUnsupported

TypeCheck = Callable[[pa.DataType], bool]

_EQUIVALENT_TYPES: Sequence[TypeCheck] = (
    pa.types.is_boolean,
    pa.types.is_date,
    lambda kind: pa.types.is_string(kind) or pa.types.is_large_string(kind),
    lambda kind: pa.types.is_binary(kind) or pa.types.is_large_binary(kind),
)
"""Types that Arrow may write in more than one way and that Spark reads as one."""


def conform_column(column: pa.Array, target: pa.DataType) -> pa.Array:
    """The column as the table's type: integers widened, fields of structs by name, NULL for absent ones.

    Runs on: executor.
    Raises:  ScanUnsupported for any other difference: Spark converts it, or says why it cannot.
    """
    kind = column.type
    if kind == target:
        return column
    if pa.types.is_dictionary(kind):
        return conform_column(column.dictionary_decode(), target)
    if pa.types.is_large_list(kind):
        return conform_column(column.cast(pa.list_(kind.value_type)), target)
    if pa.types.is_nested(target):
        return _conform_nested(column, target)
    if (
        _is_integer_widening(kind, target)
        or _is_same_instant_type(kind, target)
        or any(same(kind) and same(target) for same in _EQUIVALENT_TYPES)
    ):
        try:
            return pc.cast(column, target)
        except pa.ArrowInvalid:  # whose message holds the value
            raise ScanUnsupported(
                f"a data file has a value of {kind} that is no {target}", f"the table's {target}"
            ) from None
    raise ScanUnsupported(f"a column of {kind}", f"the table's {target}")


def is_readable_type(kind: pa.DataType, *, inside: bool = False) -> bool:
    """Whether columns of the type are known to come out as Spark's do. `inside`: of a list or a map."""
    if pa.types.is_struct(kind):
        return not inside and all(is_readable_type(field.type) for field in kind)
    if pa.types.is_list(kind):
        return is_readable_type(kind.value_type, inside=True)
    if pa.types.is_map(kind):
        return is_readable_type(kind.key_type, inside=True) and is_readable_type(kind.item_type, inside=True)
    return not (pa.types.is_null(kind) or pa.types.is_interval(kind) or pa.types.is_duration(kind))


def _is_integer_widening(kind: pa.DataType, target: pa.DataType) -> bool:
    signed = pa.types.is_signed_integer(kind) and pa.types.is_signed_integer(target)
    return bool(signed and kind.bit_width < target.bit_width)


def _is_same_instant_type(kind: pa.DataType, target: pa.DataType) -> bool:
    """Times without a zone are UTC: they were INT96, which was checked when the file was opened."""
    timestamps = pa.types.is_timestamp(kind) and pa.types.is_timestamp(target)
    return bool(timestamps and kind.unit in ("ms", "us") and (kind.tz is None or target.tz is not None))


def _conform_nested(column: pa.Array, target: pa.DataType) -> pa.Array:
    kind = column.type
    if column.offset:  # Arrow builds no list from a slice's offsets and a mask
        column = column.take(pa.array(range(len(column))))
    if pa.types.is_struct(target) and pa.types.is_struct(kind):
        return _conform_struct(column, target)
    if pa.types.is_list(target) and pa.types.is_list(kind):
        items = conform_column(column.values, target.value_type)
        return pa.ListArray.from_arrays(column.offsets, items, type=target, mask=_null_mask_or_none(column))
    if pa.types.is_map(target) and pa.types.is_map(kind):
        keys, items = conform_column(column.keys, target.key_type), conform_column(column.items, target.item_type)
        return pa.MapArray.from_arrays(column.offsets, keys, items, type=target, mask=_null_mask_or_none(column))
    raise ScanUnsupported(f"a column of {kind}", f"the table's {target}")


def _conform_struct(column: pa.StructArray, target: pa.DataType) -> pa.StructArray:
    present = [field.name for field in column.type]
    parts = [
        conform_column(column.field(present.index(field.name)), field.type)
        if field.name in present
        else pa.nulls(len(column), field.type)
        for field in target
    ]
    return pa.StructArray.from_arrays(parts, fields=list(target), mask=_null_mask_or_none(column))


def _null_mask_or_none(column: pa.Array) -> pa.Array | None:
    return column.is_null() if column.null_count else None
