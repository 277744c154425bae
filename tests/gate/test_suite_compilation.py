"""Suites are compiled once for equal columns."""

from pyspark.sql import SparkSession
from pyspark.sql.types import DoubleType, LongType, StructType

from sparkscore.gate.suite_compilation import compile_gate_suite
from sparkscore.gate.suites import Expectation, Suite

INTEGERS = StructType().add("x", LongType())


def bounded_suite(greatest: int) -> Suite:
    """One rule."""
    return Suite("s", (Expectation("expect_column_values_to_be_between", {"column": "x", "max_value": greatest}),))


def test_an_equal_suite_is_compiled_once(spark: SparkSession) -> None:
    del spark  # columns need a JVM
    first = compile_gate_suite(bounded_suite(1), INTEGERS, "input")
    assert compile_gate_suite(bounded_suite(1), INTEGERS, "input").rules is first.rules


def test_other_bounds_and_other_types_are_compiled_anew(spark: SparkSession) -> None:
    del spark
    first = compile_gate_suite(bounded_suite(1), INTEGERS, "input")
    doubles = StructType().add("x", DoubleType())
    others = [
        compile_gate_suite(bounded_suite(2), INTEGERS, "input"),
        compile_gate_suite(bounded_suite(1), doubles, "input"),
    ]
    assert all(other.rules is not first.rules for other in others)
