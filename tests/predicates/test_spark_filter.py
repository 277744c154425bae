"""Typed filters on real rows."""

from datetime import UTC, date, datetime
from decimal import Decimal

import pyarrow as pa
import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from sparkscore.errors import ConfigError
from sparkscore.predicates.spark_filter import to_spark_filter
from sparkscore.records import Condition
from sparkscore.spark.type_mapping import spark_to_arrow_schema

HOSTILE = "a `b`.c' or 1=1 -- \" ; reflect(x)"


@pytest.fixture(scope="module")
def rows(spark: SparkSession) -> DataFrame:
    """Four rows of every type that can be filtered; the last one holds NULL but for its id."""
    newyear, june = datetime(2013, 1, 1, tzinfo=UTC), datetime(2013, 6, 1, tzinfo=UTC)
    late = datetime(2013, 12, 31, 23, tzinfo=UTC)
    values = [
        (1, 10, "AA", 0.5, 0.1, Decimal("1.10"), True, date(2013, 1, 1), newyear, "x"),
        (2, 11, "reflect('a')", -0.5, 0.2, Decimal("2"), False, date(2013, 6, 1), june, "y"),
        (3, 12, "O'Hare `\"", float("nan"), 0.3, Decimal("3"), True, date(1582, 1, 1), late, "z"),
        (4, *[None] * 9),
    ]
    schema = "id long, n int, s string, d double, f float, m decimal(10,2), b boolean, day date, t timestamp, h string"
    frame = spark.createDataFrame(values, schema).withColumnRenamed("h", HOSTILE)
    return frame.withColumn("local", F.col("t").cast("string").cast("timestamp_ntz"))


def matching_ids(rows: DataFrame, *conditions: Condition) -> list[int]:
    """The ids of the rows that meet the conditions."""
    return sorted(
        row["id"] for row in rows.where(to_spark_filter(conditions, spark_to_arrow_schema(rows.schema))).collect()
    )


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        (Condition("n", "=", 10), [1]),
        (Condition("n", "!=", 10), [2, 3]),
        (Condition("n", "<", 12), [1, 2]),
        (Condition("n", "<=", 11), [1, 2]),
        (Condition("n", ">", 10), [2, 3]),
        (Condition("n", ">=", 11.0), [2, 3]),
        (Condition("n", "in", (10, 12)), [1, 3]),
        (Condition("n", "not in", (10, 12)), [2]),
        (Condition("n", "is null"), [4]),
        (Condition("n", "is not null"), [1, 2, 3]),
        (Condition("s", "=", "O'Hare `\""), [3]),
        (Condition("s", "in", ("reflect('a')", "1) OR (1=1")), [2]),
        (Condition("d", ">", 0), [1, 3]),
        (Condition("f", "=", 0.1), [1]),
        (Condition("m", "=", 1.1), [1]),
        (Condition("b", "=", True), [1, 3]),
        (Condition("day", ">=", "2013-01-01"), [1, 2]),
        (Condition("day", "=", "1582-01-01"), [3]),
        (Condition("t", ">=", "2013-06-01"), [2, 3]),
        (Condition("t", "=", "2014-01-01T00:00:00+01:00"), [3]),
        (Condition("local", "=", "2013-06-01T00:00:00"), [2]),
        (Condition(HOSTILE, "=", "y"), [2]),
    ],
    ids=str,
)
def test_a_condition_keeps_the_rows_that_meet_it(
    spark: SparkSession, rows: DataFrame, condition: Condition, expected: list[int]
) -> None:
    before = spark.conf.get("spark.sql.session.timeZone")
    try:
        # A literal must not depend on the session's zone.
        spark.conf.set("spark.sql.session.timeZone", "America/New_York" if condition.column == "t" else "UTC")
        assert matching_ids(rows, condition) == expected
    finally:
        spark.conf.set("spark.sql.session.timeZone", str(before))


def test_conditions_are_joined_by_and(rows: DataFrame) -> None:
    assert matching_ids(rows, Condition("n", ">", 10), Condition("n", "<", 12)) == [2]


def test_no_condition_keeps_every_row(rows: DataFrame) -> None:
    assert matching_ids(rows) == [1, 2, 3, 4]


@pytest.mark.parametrize("value", ["reflect('java.lang.System', 'exit', '1')", "10 OR 1=1", "10"])
def test_sql_text_for_a_number_is_refused(rows: DataFrame, value: str) -> None:
    with pytest.raises(ConfigError) as caught:
        to_spark_filter([Condition("n", "=", value)], spark_to_arrow_schema(rows.schema))
    assert f"the filter n = {value!r} (str)" in caught.value.found
    assert caught.value.expected == "a whole number in its range: the column's type is int32"
    assert "source.where" in caught.value.do


@pytest.mark.parametrize("value", ["reflect('java.lang.System', 'exit', '1')", "' OR '1'='1", "`n`", "\\", "%", "NULL"])
def test_sql_text_for_a_text_column_is_only_text(rows: DataFrame, value: str) -> None:
    assert matching_ids(rows, Condition("s", "=", value)) == []


def test_one_bad_value_of_a_list_is_named(rows: DataFrame) -> None:
    with pytest.raises(ConfigError, match=r"n in 1\.5 \(float\)"):
        to_spark_filter([Condition("n", "in", (1, 1.5))], spark_to_arrow_schema(rows.schema))


def test_a_list_column_can_only_be_asked_for_null() -> None:
    schema = pa.schema([("l", pa.list_(pa.int32()))])
    with pytest.raises(ConfigError, match="only 'is null' or 'is not null'"):
        to_spark_filter([Condition("l", "=", 1)], schema)


def test_a_filter_reaches_the_files_as_typed_values(
    spark: SparkSession, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = str(tmp_path_factory.mktemp("pushed") / "t")
    spark.range(10).write.parquet(path)
    frame = spark.read.parquet(path)
    plan = frame.where(to_spark_filter([Condition("id", ">", 3)], spark_to_arrow_schema(frame.schema)))
    assert "GreaterThan(id,3)" in plan._jdf.queryExecution().toString()
