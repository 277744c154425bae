"""Values and types as SQL text: what is a value stays one."""

import math
from datetime import UTC, date, datetime, timedelta, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyspark.sql import SparkSession
from pyspark.sql.types import ArrayType, DecimalType, IntegerType, MapType, StringType, StructField, StructType

from sparkscore.spark.sql_texts import (
    constant_text,
    double_literal,
    name_expression,
    null_literal,
    struct_text,
    text_literal,
    timestamp_literal,
)

HOSTILE = (
    "",
    "plain text",
    "it's",
    "a\\'b",
    "x' OR '1'='1",
    "line\nbreak\t\0",
    "${spark.master}",
    "{braces}",
    "`tick`",
    '"double"',
    ":name ? --x /* y */",
    "é中🐟",
    "\\u0041\\",
)


def select_one(spark: SparkSession, *expressions: str) -> list[object]:
    return list(spark.range(1).selectExpr(*expressions).collect()[0])


@pytest.mark.parametrize("escaped", ["true", "false"])
def test_a_text_is_itself_whatever_the_session_says_of_backslashes(spark: SparkSession, escaped: str) -> None:
    session = spark.newSession()
    session.conf.set("spark.sql.parser.escapedStringLiterals", escaped)
    assert select_one(session, *map(text_literal, HOSTILE)) == list(HOSTILE)


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"])), min_size=20, max_size=60))
@settings(max_examples=10)
def test_any_text_is_itself(spark: SparkSession, texts: list[str]) -> None:
    assert select_one(spark, *map(text_literal, texts)) == texts


@pytest.mark.parametrize("zone", ["UTC", "Asia/Tokyo", "America/New_York"])
def test_a_moment_is_itself_in_every_time_zone(spark: SparkSession, zone: str) -> None:
    session = spark.newSession()
    session.conf.set("spark.sql.session.timeZone", zone)
    moments = [
        datetime(2013, 12, 31, 6, 0, 0, 123456, UTC),
        datetime(1700, 1, 1, tzinfo=UTC),
        datetime(2500, 6, 1, 1, tzinfo=timezone(timedelta(hours=9))),
    ]
    found = select_one(session, *(f"unix_micros({timestamp_literal(one)})" for one in moments))
    assert found == [(one - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1) for one in moments]


def test_constants_have_the_types_of_the_lineage_columns(spark: SparkSession) -> None:
    values = ("text", 2**62, -1, datetime(2013, 12, 31, tzinfo=UTC), date(1699, 2, 28))
    frame = spark.range(1).selectExpr(*map(constant_text, values))
    assert [field.dataType.simpleString() for field in frame.schema] == [
        "string",
        "bigint",
        "bigint",
        "timestamp",
        "date",
    ]
    assert [one for index, one in enumerate(frame.collect()[0]) if index != 3] == ["text", 2**62, -1, date(1699, 2, 28)]
    with pytest.raises(TypeError):
        constant_text(0.5)


def test_a_number_keeps_all_its_digits(spark: SparkSession) -> None:
    numbers = [0.1 + 0.2, 5e-324, 1.7976931348623157e308, -0.0, 1e22, math.inf]
    assert [repr(one) for one in select_one(spark, *map(double_literal, numbers))] == [repr(one) for one in numbers]


def test_null_has_a_type_with_hostile_names(spark: SparkSession) -> None:
    inner = StructType([StructField("a`b, c: d>", DecimalType(12, 3)), StructField("int", IntegerType())])
    kind = MapType(StringType(), ArrayType(inner))
    frame = spark.range(1).selectExpr(name_expression(null_literal(kind), "x`; y"))
    assert frame.schema == StructType([StructField("x`; y", kind)])


def test_a_struct_keeps_the_names_and_the_order_of_its_fields(spark: SparkSession) -> None:
    frame = spark.range(1).selectExpr(name_expression(struct_text({"b`x": "1", "a.y": text_literal("'")}), "s"))
    assert frame.collect()[0]["s"].asDict() == {"b`x": 1, "a.y": "'"}
