"""A hash of values that is equal for equal values alone, whatever the session's settings are; without Python."""

from collections.abc import Sequence

from pyspark.sql import Column
from pyspark.sql import functions as F
from pyspark.sql.types import (
    ArrayType,
    BinaryType,
    BooleanType,
    DataType,
    DateType,
    MapType,
    NullType,
    NumericType,
    StringType,
    StructType,
    TimestampNTZType,
    TimestampType,
)

from sparkscore.errors import ConfigError

_NULL = "N"
_PLAIN = (StringType, BooleanType, NumericType, DateType, TimestampNTZType, NullType)
"""Types whose text, as Spark casts it, is another one for each value, and in no session another one."""


def hash_canonically(columns: Sequence[tuple[Column, DataType]]) -> Column:
    """sha256 in hexadecimal over the values of a row, in order.

    Texts are taken as their bytes, moments as microseconds since 1970, floating-point numbers as the shortest digits
    that name them: -0.0 is not 0.0, all NaN are one value, and NULL is none of these. Each value has its length before
    it, so that no two rows have equal bytes by a shift. The types of the columns are no part of it.

    Jobs:    none.
    Raises:  ConfigError for types that have no order of their parts (variant, intervals).
    """
    return F.sha2(F.concat(*(_encode_value(value, kind) for value, kind in columns)), 256)


def _encode_value(value: Column, kind: DataType) -> Column:
    text = _render_value(value, kind)
    return F.coalesce(F.concat(F.octet_length(text).cast("string"), F.lit(":"), text), F.lit(_NULL))


def _render_value(value: Column, kind: DataType) -> Column:
    """The value as text; NULL for NULL."""
    if isinstance(kind, _PLAIN):
        return value.cast("string")
    if isinstance(kind, BinaryType):
        return F.hex(value)
    if isinstance(kind, TimestampType):
        return F.unix_micros(value).cast("string")
    if isinstance(kind, ArrayType):
        element = kind.elementType
        return F.array_join(F.transform(value, lambda item: _encode_value(item, element)), "")
    if isinstance(kind, StructType):
        parts = [_encode_value(value.getField(one.name), one.dataType) for one in kind]
        return F.when(value.isNotNull(), F.concat(F.lit("S"), *parts))
    if isinstance(kind, MapType):
        pair = kind.keyType, kind.valueType
        return F.array_join(
            F.transform(
                F.map_entries(value),
                lambda entry: F.concat(
                    _encode_value(entry.getField("key"), pair[0]), _encode_value(entry.getField("value"), pair[1])
                ),
            ),
            "",
        )
    raise ConfigError(
        f"model.reuse with an input of type {kind.simpleString()}",
        "inputs of numbers, texts, bytes, booleans, moments, lists, structs and maps",
        "remove model.reuse",
    )
