"""Casts of numbers that `model.casts` allows: they may lose digits. Executors use it: it imports pyarrow only."""

import pyarrow as pa
import pyarrow.compute as pc

from sparkscore.errors import InputOutOfRange
from sparkscore.model.signature.lossless_casts import cast_losslessly, is_any_list, is_lossless_cast

CAST_TYPES = {"integer": pa.int32(), "long": pa.int64(), "float": pa.float32(), "double": pa.float64()}
"""Types by MLflow's names to which `model.casts` may cast."""


def number_type(kind: pa.DataType) -> pa.DataType | None:
    """The type of a column's numbers, or of those in its lists; None where it has none."""
    if is_any_list(kind):
        return number_type(kind.value_type)
    is_number = pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)
    return kind if is_number else None


def is_text_type(kind: pa.DataType) -> bool:
    """Whether it is text, in whichever of Arrow's layouts for it."""
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def can_cast_numbers(source: pa.DataType, target: pa.DataType) -> bool:
    """Whether `model.casts` can allow the cast: to numbers from numbers, and from text that holds one, never from
    booleans, nor to text; of lists their items."""
    if pa.types.is_list(target):
        return is_any_list(source) and can_cast_numbers(source.value_type, target.value_type)
    is_source = is_text_type(source) or (not pa.types.is_nested(source) and number_type(source) is not None)
    return is_source and bool(pa.types.is_integer(target) or pa.types.is_floating(target))


def cast_numbers(column: pa.Array, target: pa.DataType, name: str) -> pa.Array:
    """The column in the target type: rounded to its nearest floating number, or exactly that whole number.

    Needs:   types for which `can_cast_numbers` says yes.
    Raises:  InputOutOfRange for a number beyond the target's range, or with a fraction where it has none, and for text
             that holds no number.
    """
    if pa.types.is_list(target):
        return _cast_list_items(column, target, name)
    try:
        if is_text_type(column.type):
            column = _parse_numbers(column, target)
        if not pa.types.is_floating(target):
            return pc.cast(column, target, safe=True)
        rounds = pa.types.is_integer(column.type)
        cast = pc.cast(column, target, safe=False) if rounds else cast_losslessly(column, target)
    except pa.ArrowInvalid:  # whose message holds the value
        raise out_of_range_error(name, column.type, target, len(column)) from None
    refuse_new_infinities(column, cast, name)
    return cast


def _parse_numbers(column: pa.Array, target: pa.DataType) -> pa.Array:
    """Text as numbers: whole ones exactly, others as the nearest double."""
    texts = pc.utf8_trim_whitespace(column)
    return pc.cast(texts, pa.float64() if pa.types.is_floating(target) else pa.int64(), safe=True)


def _cast_list_items(column: pa.Array, target: pa.DataType, name: str) -> pa.Array:
    lists = column.cast(pa.list_(column.type.value_type))
    if lists.offset:  # Arrow builds no list from a slice's offsets and a mask
        lists = lists.take(pa.array(range(len(lists))))
    mask = lists.is_null() if lists.null_count else None
    return pa.ListArray.from_arrays(
        lists.offsets, cast_numbers(lists.values, target.value_type, name), type=target, mask=mask
    )


def cast_where_lossless(column: pa.Array, target: pa.DataType, name: str) -> pa.Array:
    """The column in the type, whatever the width of its numbers, where that holds these values; else as it is.

    Raises:  InputOutOfRange for a number that has become infinite.
    """
    if not is_lossless_cast(column.type, target, widths=False):
        return column
    try:
        cast = cast_losslessly(column, target)
    except pa.ArrowInvalid:  # whose message holds the value; the kernel refuses the type
        return column
    refuse_new_infinities(column, cast, name)
    return cast


def refuse_new_infinities(before: pa.Array, after: pa.Array, name: str) -> None:
    """Refuse a cast by which a finite number has become infinite, anywhere in lists, maps and structs.

    Raises:  InputOutOfRange.
    """
    if pa.types.is_list(before.type) and pa.types.is_list(after.type):
        refuse_new_infinities(before.flatten(), after.flatten(), name)
    elif pa.types.is_struct(before.type) and pa.types.is_struct(after.type):
        for one in after.type:
            refuse_new_infinities(pc.struct_field(before, [one.name]), pc.struct_field(after, [one.name]), name)
    elif pa.types.is_map(before.type) and pa.types.is_map(after.type):
        refuse_new_infinities(before.items, after.items, name)
    elif _has_new_infinity(before, after):
        raise out_of_range_error(name, before.type, after.type, len(before))


def _has_new_infinity(before: pa.Array, after: pa.Array) -> bool:
    narrows = pa.types.is_floating(before.type) and pa.types.is_float32(after.type)
    return narrows and bool(pc.any(pc.and_(pc.is_finite(before), pc.is_inf(after)), min_count=0).as_py())


def out_of_range_error(name: str, source: object, target: object, rows: int) -> InputOutOfRange:
    """The error for numbers that the type in which the model computes cannot hold. It holds no value."""
    return InputOutOfRange(
        f"the input {name} has a number ({source}) among {rows} that is no {target}",
        "numbers within the range of the type in which the model computes",
        "filter these rows, or log the model with a wider type",
    )
