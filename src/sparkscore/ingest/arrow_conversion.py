"""Converts columns of a Parquet file to the table's types, exactly as Spark does. Executors use it: pyarrow only."""

from collections.abc import Callable, Sequence

import pyarrow as pa
import pyarrow.compute as pc

from sparkscore.errors import ScanUnsupported

TypeCheck = Callable[[pa.DataType], bool]

_EQUIVALENT_TYPES: Sequence[TypeCheck] = (
    pa.types.is_boolean,
    pa.types.is_date,
    lambda kind: pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind),
    lambda kind: pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_binary_view(kind),
)
"""Types that Arrow may write in more than one way and that Spark reads as one."""
_DOUBLE_INTEGER_BITS = 32
"""Of the widest integers that a double holds all."""
_INTEGER_DIGITS = {8: 10, 16: 10, 32: 10, 64: 20}
"""Digits before the point that a decimal needs for all integers of so many bits: as Delta widens them."""


def conform_column(column: pa.Array, target: pa.DataType, stored: pa.DataType | None = None) -> pa.Array:
    """The column as the table's type: narrower types widened, fields of structs by name, NULL for absent ones.

    `stored`: the same type with the names that fields have in the file, where they differ.

    Runs on: executor.
    Raises:  ScanUnsupported for any other difference: Spark converts it, or says why it cannot.
    """
    kind, stored = column.type, target if stored is None else stored
    if kind == target == stored:
        return column
    if pa.types.is_dictionary(kind):
        return conform_column(column.dictionary_decode(), target, stored)
    if pa.types.is_large_list(kind):
        return conform_column(column.cast(pa.list_(kind.value_type)), target, stored)
    if pa.types.is_nested(target):
        return _conform_nested(column, target, stored)
    if (
        _is_widening(kind, target)
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


def is_readable_type(kind: pa.DataType) -> bool:
    """Whether columns of the type are known to come out as Spark's do."""
    if pa.types.is_struct(kind):
        return all(is_readable_type(field.type) for field in kind)
    if pa.types.is_list(kind):
        return is_readable_type(kind.value_type)
    if pa.types.is_map(kind):
        return is_readable_type(kind.key_type) and is_readable_type(kind.item_type)
    return not (pa.types.is_null(kind) or pa.types.is_interval(kind) or pa.types.is_duration(kind))


def _is_widening(kind: pa.DataType, target: pa.DataType) -> bool:
    """Whether Delta widens the type to the other one, so that each value stays what it is."""
    if pa.types.is_signed_integer(kind):
        return bool(
            (pa.types.is_signed_integer(target) and kind.bit_width < target.bit_width)
            or (pa.types.is_float64(target) and kind.bit_width <= _DOUBLE_INTEGER_BITS)
            or (pa.types.is_decimal(target) and target.precision - target.scale >= _INTEGER_DIGITS[kind.bit_width])
        )
    if pa.types.is_decimal(kind) and pa.types.is_decimal(target):
        return bool(target.scale >= kind.scale and target.precision - target.scale >= kind.precision - kind.scale)
    return bool(
        (pa.types.is_float32(kind) and pa.types.is_float64(target))
        or (pa.types.is_date32(kind) and pa.types.is_timestamp(target) and target.tz is None)
    )


def _is_same_instant_type(kind: pa.DataType, target: pa.DataType) -> bool:
    """Times without a zone are UTC: they were INT96, which was checked when the file was opened."""
    timestamps = pa.types.is_timestamp(kind) and pa.types.is_timestamp(target)
    return bool(timestamps and kind.unit in ("ms", "us") and (kind.tz is None or target.tz is not None))


def _conform_nested(column: pa.Array, target: pa.DataType, stored: pa.DataType) -> pa.Array:
    kind = column.type
    if column.offset:  # Arrow builds no list from a slice's offsets and a mask
        column = column.take(pa.array(range(len(column))))
    if pa.types.is_struct(target) and pa.types.is_struct(kind):
        return _conform_struct(column, target, stored)
    if pa.types.is_list(target) and pa.types.is_list(kind):
        items = conform_column(column.values, target.value_type, stored.value_type)
        return pa.ListArray.from_arrays(column.offsets, items, type=target, mask=_null_mask_or_none(column))
    if pa.types.is_map(target) and pa.types.is_map(kind):
        keys = conform_column(column.keys, target.key_type, stored.key_type)
        items = conform_column(column.items, target.item_type, stored.item_type)
        return pa.MapArray.from_arrays(column.offsets, keys, items, type=target, mask=_null_mask_or_none(column))
    raise ScanUnsupported(f"a column of {kind}", f"the table's {target}")


def _conform_struct(column: pa.StructArray, target: pa.DataType, stored: pa.DataType) -> pa.StructArray:
    present = [field.name for field in column.type]
    names = [field.name for field in stored]
    _refuse_unlike_fields(present, names)
    parts = [
        conform_column(column.field(present.index(name)), field.type, kept.type)
        if name in present
        else pa.nulls(len(column), field.type)
        for name, field, kept in zip(names, target, stored, strict=True)
    ]
    return pa.StructArray.from_arrays(parts, fields=list(target), mask=_null_mask_or_none(column))


def _refuse_unlike_fields(present: Sequence[str], names: Sequence[str]) -> None:
    """Refuse a struct that Spark may read in another way: by names without case, or none of its fields."""
    lower = {name.lower() for name in present}
    if len(lower) < len(present) or any(name not in present and name.lower() in lower for name in names):
        raise ScanUnsupported("a data file has fields of a struct that differ from the table's in case", "equal names")
    if names and not set(names) & set(present):
        raise ScanUnsupported("a data file has none of a struct's fields", "one: versions of Spark differ here")


def _null_mask_or_none(column: pa.Array) -> pa.Array | None:
    return column.is_null() if column.null_count else None
