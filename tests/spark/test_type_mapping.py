"""Spark's types and Arrow's."""

import pyarrow as pa
import pytest
from pyspark.sql.types import (
    ArrayType,
    CalendarIntervalType,
    DataType,
    LongType,
    MapType,
    NullType,
    StringType,
    StructField,
    StructType,
    TimestampNTZType,
    TimestampType,
    VariantType,
)

from sparkscore.errors import ConfigError
from sparkscore.spark.type_mapping import (
    arrow_to_spark_type,
    describe_source_type,
    spark_to_arrow_schema,
    spark_to_arrow_type,
)


def test_timestamps_carry_utc() -> None:
    assert spark_to_arrow_type(TimestampType()) == pa.timestamp("us", "UTC")
    assert arrow_to_spark_type(pa.timestamp("us", "UTC")) == TimestampType()


NESTED_VARIANT = ArrayType(StructType([StructField("v", MapType(StringType(), VariantType()))]))


@pytest.mark.parametrize("kind", [VariantType(), CalendarIntervalType(), NESTED_VARIANT])
def test_a_type_that_arrow_does_not_have_is_refused_alone_and_null_in_a_schema(kind: DataType) -> None:
    assert spark_to_arrow_schema(StructType([StructField("id", LongType()), StructField("x", kind)])).types == [
        pa.int64(),
        pa.null(),
    ]
    with pytest.raises(ConfigError, match=kind.simpleString()):
        spark_to_arrow_type(kind)


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        (VariantType(), "variant"),
        (NESTED_VARIANT, "array<struct<v:map<string,variant>>>"),
        (NullType(), "void"),
        (TimestampNTZType(), "timestamp_ntz"),
        (LongType(), "int64"),
    ],
)
def test_messages_name_a_type_as_spark_does_where_arrow_has_none(kind: DataType, name: str) -> None:
    assert describe_source_type(spark_to_arrow_schema(StructType([StructField("x", kind)])).field("x")) == name
