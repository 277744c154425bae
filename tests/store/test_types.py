"""Spark's types and Arrow's."""

import pyarrow as pa
import pytest
from pyspark.sql.types import (
    CalendarIntervalType,
    DataType,
    LongType,
    StructField,
    StructType,
    TimestampType,
    VariantType,
)

from sparkscore.errors import ConfigError
from sparkscore.store.types import arrow_schema, arrow_type, spark_type


def test_timestamps_carry_utc() -> None:
    assert arrow_type(TimestampType()) == pa.timestamp("us", "UTC")
    assert spark_type(pa.timestamp("us", "UTC")) == TimestampType()


@pytest.mark.parametrize("kind", [VariantType(), CalendarIntervalType()])
def test_a_type_that_arrow_does_not_have_is_refused_alone_and_null_in_a_schema(kind: DataType) -> None:
    assert arrow_schema(StructType([StructField("id", LongType()), StructField("x", kind)])).types == [
        pa.int64(),
        pa.null(),
    ]
    with pytest.raises(ConfigError, match=kind.simpleString()):
        arrow_type(kind)
