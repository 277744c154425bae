"""Which casts keep every value, and the casts. Executors use it: it imports pyarrow only."""

import pyarrow as pa
import pyarrow.compute as pc

_INTEGER_DIGITS = {32: 9, 64: 18}
_FLOAT_DIGITS = {32: 6, 64: 15}
"""Decimal digits that survive the way to binary and back: FLT_DIG and DBL_DIG."""
_MANTISSA_BITS = {16: 11, 32: 24, 64: 53}


def is_lossless_cast(source: pa.DataType, target: pa.DataType, *, widths: bool = True) -> bool:
    """Whether every value of the source type has an equal in the target type.

    Numbers never become text, nor booleans numbers. `widths=False` is for types that Arrow inferred from Python's own
    numbers, which have no width: the values decide when they are cast.
    """
    if source == target or pa.types.is_null(source):
        return True
    if pa.types.is_integer(source) or pa.types.is_floating(source):
        return _is_lossless_number_cast(source, target, widths)
    if pa.types.is_decimal(source):
        return _is_lossless_decimal_cast(source, target)
    return _is_lossless_text_or_time_cast(source, target) or _is_lossless_nested_cast(source, target, widths)


def _is_lossless_text_or_time_cast(source: pa.DataType, target: pa.DataType) -> bool:
    is_ = pa.types
    if is_.is_timestamp(target):
        return bool(is_.is_timestamp(source) or is_.is_date32(source))
    return bool(
        (is_.is_string(target) and is_.is_large_string(source))
        or (is_.is_binary(target) and is_.is_large_binary(source))
    )


def _is_lossless_number_cast(source: pa.DataType, target: pa.DataType, widths: bool) -> bool:
    if pa.types.is_floating(source):
        return bool(pa.types.is_floating(target) and (not widths or source.bit_width <= target.bit_width))
    if not widths and (pa.types.is_integer(target) or pa.types.is_floating(target)):
        return True
    return _is_lossless_integer_cast(source, target)


def _is_lossless_integer_cast(source: pa.DataType, target: pa.DataType) -> bool:
    bits = source.bit_width - pa.types.is_signed_integer(source)
    if pa.types.is_signed_integer(target):
        return bool(bits <= target.bit_width - 1)
    if pa.types.is_unsigned_integer(target):
        return bool(pa.types.is_unsigned_integer(source) and bits <= target.bit_width)
    return bool(pa.types.is_floating(target) and bits <= _MANTISSA_BITS[target.bit_width])


def _is_lossless_decimal_cast(source: pa.DataType, target: pa.DataType) -> bool:
    if pa.types.is_floating(target):
        return bool(source.precision <= _FLOAT_DIGITS.get(target.bit_width, 0))
    return bool(
        pa.types.is_signed_integer(target)
        and source.scale == 0
        and source.precision <= _INTEGER_DIGITS.get(target.bit_width, 0)
    )


def is_any_list(kind: pa.DataType) -> bool:
    """Whether it is a list, in whichever of Arrow's layouts for them."""
    return bool(pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind))


def _is_lossless_nested_cast(source: pa.DataType, target: pa.DataType, widths: bool) -> bool:
    if pa.types.is_list(target):
        return is_any_list(source) and _is_lossless_item_cast(source.value_type, target.value_type, widths)
    if pa.types.is_map(target):
        has_same_keys = pa.types.is_map(source) and is_lossless_cast(source.key_type, target.key_type)
        return has_same_keys and _is_lossless_item_cast(source.item_type, target.item_type, widths)
    if pa.types.is_struct(target) and pa.types.is_struct(source):
        source_types = {field.name: field.type for field in source}
        has_same_fields = set(source_types) == {field.name for field in target}
        return has_same_fields and all(
            _is_lossless_item_cast(source_types[field.name], field.type, widths) for field in target
        )
    return False


def _is_lossless_item_cast(source: pa.DataType, target: pa.DataType, widths: bool) -> bool:
    return is_lossless_cast(source, target, widths=widths) and (source == target or not pa.types.is_decimal(source))


def cast_losslessly(column: pa.Array, target: pa.DataType) -> pa.Array:
    """The column in a type that `is_lossless_cast` allows, every value kept.

    Raises:  pyarrow.ArrowInvalid where a value does not fit after all, as the year 9999 does not in nanoseconds.
    """
    if column.type == target:
        return column
    if pa.types.is_decimal(column.type) and pa.types.is_floating(target):
        column = pc.cast(column, pa.string())  # pyarrow's own cast of decimals is off by one bit in one of four
    return pc.cast(column, target, safe=True)
