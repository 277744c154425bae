"""Maps Spark's types to Arrow's and back."""

from collections.abc import Mapping
from inspect import signature
from typing import Any

import pyarrow as pa
from pyspark.errors import PySparkException
from pyspark.sql import types
from pyspark.sql.pandas.types import from_arrow_type, to_arrow_type
from pyspark.sql.types import ArrayType, DataType, MapType, StructField, StructType

from sparkscore.errors import ConfigError

_NAME_KEY = b"sparkscore.spark_type"
"""Of a field's metadata: Spark's name for a type that Arrow does not have, or has without its collation."""
_STRUCTS_IN_ARROW: tuple[type[DataType], ...] = tuple(
    getattr(types, name) for name in ("VariantType", "GeometryType", "GeographyType") if hasattr(types, name)
)
"""In Arrow they are structs of their parts, which no Delta reader takes for one of them. Spark 4.0 has one."""


_TIME_ZONE: Mapping[str, Any] = {"timezone": "UTC"} if "timezone" in signature(to_arrow_type).parameters else {}
"""Before Spark 4.2 Arrow's timestamps are in UTC without being told."""


def spark_to_arrow_type(spark_type: DataType) -> pa.DataType:
    """The Arrow type of a Spark type; timestamps carry UTC.

    Raises:  ConfigError for a type that Arrow does not have (variant, intervals of months), also inside another.
    """
    try:
        if _holds_struct_in_arrow(spark_type):
            raise TypeError("in Arrow it is a struct of its parts")
        return to_arrow_type(spark_type, **_TIME_ZONE)
    except (PySparkException, TypeError) as error:
        raise ConfigError(
            f"a column has the type {spark_type.simpleString()}",
            "a type that Arrow has",
            "leave the column out, or cast it",
        ) from error


def _holds_struct_in_arrow(spark_type: DataType) -> bool:
    if isinstance(spark_type, StructType):
        return any(_holds_struct_in_arrow(field.dataType) for field in spark_type)
    if isinstance(spark_type, ArrayType):
        return _holds_struct_in_arrow(spark_type.elementType)
    if isinstance(spark_type, MapType):
        return _holds_struct_in_arrow(spark_type.keyType) or _holds_struct_in_arrow(spark_type.valueType)
    return isinstance(spark_type, _STRUCTS_IN_ARROW)


def spark_to_arrow_schema(schema: StructType) -> pa.Schema:
    """A frame's columns as an Arrow schema. A column of a type that Arrow does not have is of type null, and
    `describe_source_type` knows its name."""
    return pa.schema([_to_arrow_field(field) for field in schema])


def _to_arrow_field(field: StructField) -> pa.Field:
    name = field.dataType.simpleString()
    note = {_NAME_KEY: name.encode()}
    try:
        kind = spark_to_arrow_type(field.dataType)
    except ConfigError:
        return pa.field(field.name, pa.null(), field.nullable, note)
    return pa.field(field.name, kind, field.nullable, note if " collate " in name else None)


def has_types_of_spark_alone(schema: pa.Schema) -> bool:
    """Whether a column has a type that Arrow lacks, or texts that compare by a collation."""
    return any(_NAME_KEY in (field.metadata or {}) for field in schema)


def describe_source_type(field: pa.Field) -> str:
    """A column's type in words: Arrow's, or Spark's where Arrow does not have it, or has another name for it."""
    name = (field.metadata or {}).get(_NAME_KEY)
    if name is not None:
        return str(name.decode())
    is_local = pa.types.is_timestamp(field.type) and field.type.tz is None
    return "timestamp_ntz" if is_local else "void" if pa.types.is_null(field.type) else str(field.type)


def arrow_to_spark_schema(columns: Mapping[str, pa.DataType]) -> StructType:
    """Columns as Spark reads them: a timestamp without a zone is a timestamp_ntz."""
    types: dict[str, Any] = {name: from_arrow_type(kind, prefer_timestamp_ntz=True) for name, kind in columns.items()}
    return StructType([StructField(name, kind) for name, kind in types.items()])


def arrow_to_spark_type(arrow: pa.DataType) -> DataType:
    """The Spark type of an Arrow type."""
    return from_arrow_type(arrow, prefer_timestamp_ntz=True)  # as Spark 4.2 does by itself
