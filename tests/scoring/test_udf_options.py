from typing import Any

import pyarrow as pa
import pytest
from pyspark.sql import types

from sparkscore.errors import ConfigError
from sparkscore.scoring.udf_options import parse_result_type

UTC = pa.timestamp("us", tz="UTC")


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        (None, None),
        (types.DoubleType(), pa.float64()),
        (types.ArrayType(types.TimestampType()), pa.list_(UTC)),
        (types.TimestampNTZType(), pa.timestamp("us")),
        (types.MapType(types.StringType(), types.LongType()), pa.map_(pa.string(), pa.int64())),
        (types.StructType([types.StructField("d", types.DateType())]), pa.struct([("d", pa.date32())])),
        (types.DecimalType(5, 2), pa.decimal128(5, 2)),
    ],
)
def test_a_type_of_spark_as_one_of_arrow(kind: Any, expected: pa.DataType | None) -> None:
    assert parse_result_type(kind) == expected


@pytest.mark.parametrize(
    "kind", [types.VariantType(), types.ArrayType(types.VariantType()), types.CharType(3), 7, object()]
)
def test_what_arrow_has_not_is_refused(kind: Any) -> None:
    with pytest.raises(ConfigError, match="result_type"):
        parse_result_type(kind)
