"""A reject has one type, whoever builds it."""

import pyarrow as pa
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from sparkscore.schemas import REJECT_TYPE, build_reject_array, repeat_reject
from sparkscore.spark.reject_column import null_reject_column, reject_column
from sparkscore.spark.type_mapping import arrow_to_spark_type


def test_rows_without_a_code_have_no_reject() -> None:
    made = build_reject_array(pa.array(["a", None]), pa.array(["E", "E"]), pa.array(["said", "said"]))
    assert made.type == REJECT_TYPE
    assert made.to_pylist() == [{"code": "a", "error": "E", "message": "said"}, None]


def test_a_reject_is_the_same_for_each_row() -> None:
    made = repeat_reject(2, "a", None, "said")
    assert made.type == REJECT_TYPE
    assert made.to_pylist() == [{"code": "a", "error": None, "message": "said"}] * 2


def test_spark_builds_the_same_type(spark: SparkSession) -> None:
    columns = [reject_column(F.lit("a"), F.lit(None), F.lit("said")), null_reject_column()]
    made = spark.range(1).select(*columns)
    assert [field.dataType.simpleString() for field in made.schema] == [
        arrow_to_spark_type(REJECT_TYPE).simpleString()
    ] * 2
    first, second = made.collect()[0]
    assert (first.asDict(), second) == ({"code": "a", "error": None, "message": "said"}, None)
