"""Types that lack fields, have fields besides, or are too narrow."""

import pytest
from pyspark.sql import SparkSession
from pyspark.sql.types import DataType, DateType, IntegerType, LongType, StructField, StructType

from sparkscore.spark.type_widening import align_columns, can_hold_type, compare_types, grow_struct, widen_field

pytestmark = pytest.mark.usefixtures("spark")  # it reads the types' texts
STRUCT = "p struct<a: float, l: array<struct<b: int>>, m: map<string, struct<c: int>>>"
WIDER = "p struct<a: double, l: array<struct<b: bigint, z: string>>, m: map<string, struct<c: int, y: date>>, x: int>"


def types(text: str) -> StructType:
    found = DataType.fromDDL(text)
    assert isinstance(found, StructType)
    return found


@pytest.mark.parametrize(
    ("wide", "narrow"),
    [
        ("bigint", "tinyint"),
        ("double", "int"),
        ("double", "float"),
        ("float", "smallint"),
        ("decimal(10,0)", "int"),
        ("decimal(12,3)", "decimal(10,2)"),
        ("string", "string"),
    ],
)
def test_a_wider_type_holds_a_narrower_one_and_not_the_other_way(wide: str, narrow: str) -> None:
    one, other = types(f"x {wide}")["x"].dataType, types(f"x {narrow}")["x"].dataType
    assert can_hold_type(one, other)
    assert can_hold_type(other, one) is (wide == narrow)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("double", "bigint"),
        ("float", "int"),
        ("decimal(18,0)", "bigint"),
        ("decimal(12,1)", "decimal(12,2)"),
        ("double", "decimal(10,2)"),
        ("string", "int"),
        ("timestamp", "date"),
    ],
)
def test_types_that_lose_a_value_do_not_hold_each_other(one: str, other: str) -> None:
    kinds = types(f"x {one}, y {other}")
    assert not can_hold_type(kinds["x"].dataType, kinds["y"].dataType)
    assert not can_hold_type(kinds["y"].dataType, kinds["x"].dataType)


def test_differences_are_found_at_every_depth() -> None:
    older, newer = types(f"k int, {STRUCT}, old int"), types(f"K int, {WIDER}")
    found = {(one.kind, one.name) for one in compare_types(older, newer)}
    assert found == {
        ("clash", "K"),
        ("unwritten", "k"),
        ("unwritten", "old"),
        ("narrow", "p.a"),
        ("narrow", "p.l.element.b"),
        ("missing", "p.l.element.z"),
        ("missing", "p.m.value.y"),
        ("missing", "p.x"),
    }


def test_a_type_grows_behind_what_it_has_and_keeps_what_it_is() -> None:
    wanted = types("n date, p struct<x: int, a: int>")
    assert grow_struct(types("k int not null, p struct<a: int not null>"), wanted, top=True) == types(
        "k int not null, p struct<a: int, x: int>, n date"
    )


def test_one_field_is_widened_wherever_it_is() -> None:
    long = types("x bigint")["x"].dataType
    assert widen_field(types(STRUCT), ("p", "l", "element", "b"), long) == types(STRUCT.replace("b: int", "b: bigint"))


def test_values_are_aligned_with_a_wider_type(spark: SparkSession) -> None:
    rows = [(1, (0.5, [(1,), None], {"k": (2,)})), (2, None), (3, (None, None, None))]
    frame = spark.createDataFrame(rows, types(f"id int, {STRUCT}"))
    wider = types(f"id int, {WIDER}")
    made = frame.selectExpr(*align_columns(frame.schema, wider)).orderBy("id")
    assert [row["p"] and row["p"].asDict(recursive=True) for row in made.collect()] == [
        {"a": 0.5, "l": [{"b": 1, "z": None}, None], "m": {"k": {"c": 2, "y": None}}, "x": None},
        None,
        {"a": None, "l": None, "m": None, "x": None},
    ]
    assert made.schema["p"].dataType.simpleString() == wider["p"].dataType.simpleString()


def test_columns_that_are_absent_are_null_and_hostile_names_stay_names(spark: SparkSession) -> None:
    name = "a`b, c.d"
    found = StructType([StructField(name, StructType([StructField(name, IntegerType())]))])
    inner = StructType([StructField(name, LongType()), StructField("x y", StructType([StructField(name, DateType())]))])
    wanted = StructType([StructField(name, inner), StructField("absent", inner)])
    made = spark.createDataFrame([((1,),)], found).selectExpr(*align_columns(found, wanted))
    assert made.schema.simpleString() == wanted.simpleString()
    assert [tuple(row) for row in made.collect()] == [((1, None), None)]
