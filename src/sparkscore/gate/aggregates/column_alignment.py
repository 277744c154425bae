"""Columns of a batch in the types that the driver expects, where that is without any loss. Runs on executors."""

from collections.abc import Callable

import pyarrow as pa

_FAMILIES: tuple[Callable[[pa.DataType], bool], ...] = (
    pa.types.is_signed_integer,
    pa.types.is_floating,
    lambda kind: pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind),
    lambda kind: pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_binary_view(kind),
    pa.types.is_decimal,
    pa.types.is_timestamp,
)


def fit_column_type(column: pa.Array, expected: pa.DataType) -> pa.Array | None:
    """The column as the expected type; None where values could change, or were never of this type."""
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if column.type == expected or (pa.types.is_nested(expected) and column.type.id == expected.id):
        return column
    if not any(is_member(column.type) and is_member(expected) for is_member in _FAMILIES):
        return None
    if not _is_wide_enough(column.type, expected):
        return None
    try:
        return column.cast(expected)
    except pa.ArrowInvalid:
        return None


def _is_wide_enough(found: pa.DataType, expected: pa.DataType) -> bool:
    if pa.types.is_timestamp(expected):
        return (found.tz is None) == (expected.tz is None)
    if pa.types.is_decimal(expected):
        return bool(found.scale == expected.scale and found.precision <= expected.precision)
    if pa.types.is_integer(expected) or pa.types.is_floating(expected):
        return bool(found.bit_width <= expected.bit_width)
    return True
