"""Where Great Expectations is wrong on Spark, or cannot compute at all: what is found here instead."""

from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from sparkscore.gate.compiled import quantiles
from sparkscore.gate.compiled.sets import MAX_SET_LITERALS
from sparkscore.gate.gx.gx_engine import evaluate_with_gx
from sparkscore.gate.suites import Expectation, Suite
from sparkscore.gate.verdict_formatting import format_observed
from sparkscore.gate.verdicts import evaluate_suite, judge_suite
from tests.world import World, source_rows

NAN = float("nan")
PATH = "expect_column_values_to_"


def evaluate_rule(rows: DataFrame, kind: str, **kwargs: Any) -> Any:
    """What one expectation finds."""
    (one,) = evaluate_suite(rows, Suite("s", (Expectation(kind, kwargs),)), gate="input")
    return one


@pytest.fixture(scope="module")
def numbers(spark: SparkSession) -> DataFrame:
    """Numbers with NaN and NULL."""
    return spark.createDataFrame([(1.0, 1.0), (NAN, 0.0), (None, 2.0), (4.0, NAN), (2.0, 3.0)], "x double, y double")


def test_nan_is_no_value(numbers: DataFrame) -> None:
    assert evaluate_rule(numbers, f"{PATH}not_be_null", column="x").result["unexpected_count"] == 2
    assert evaluate_rule(numbers, f"{PATH}be_null", column="x").result["unexpected_count"] == 3
    share = evaluate_rule(
        numbers, "expect_column_proportion_of_non_null_values_to_be_between", column="x", min_value=0.7
    )
    assert (share.success, share.result) == (False, {"observed_value": 0.6})


def test_nan_is_within_no_bounds_and_greater_than_nothing(numbers: DataFrame) -> None:
    assert evaluate_rule(numbers, f"{PATH}be_between", column="x", min_value=0).result["unexpected_count"] == 1
    assert evaluate_rule(numbers, f"{PATH}be_between", column="x", max_value=9).result["unexpected_count"] == 1
    pair = evaluate_rule(
        numbers,
        "expect_column_pair_values_a_to_be_greater_than_b",
        column_A="x",
        column_B="y",
        or_equal=True,
        ignore_row_if="either_value_is_missing",
    )
    assert (pair.result["missing_count"], pair.result["unexpected_count"]) == (1, 3)


def test_a_null_in_a_set_does_not_let_everything_pass(spark: SparkSession) -> None:
    rows = spark.createDataFrame([("a",), ("b",), (None,)], "s string")
    assert evaluate_rule(rows, f"{PATH}be_in_set", column="s", value_set=["a", None]).result["unexpected_count"] == 1
    assert (
        evaluate_rule(rows, f"{PATH}not_be_in_set", column="s", value_set=["a", None]).result["unexpected_count"] == 1
    )


def test_a_value_that_is_listed_twice_is_not_missing(spark: SparkSession) -> None:
    rows = spark.createDataFrame([(1,), (2,)], "i bigint")
    there = evaluate_rule(rows, "expect_column_distinct_values_to_equal_set", column="i", value_set=[1, 2, 2.0, None])
    assert (there.success, there.result["missing_count"]) == (True, 0)
    missing = evaluate_rule(rows, "expect_column_distinct_values_to_contain_set", column="i", value_set=[1, 2.5])
    assert (missing.success, missing.result["missing_count"]) == (False, 1)


def test_whole_numbers_beyond_2_to_the_53_are_told_apart(spark: SparkSession) -> None:
    rows = spark.createDataFrame([(2**53 + 1,), (2**63 - 1,)], "i bigint")
    assert evaluate_rule(rows, f"{PATH}be_between", column="i", min_value=2**53 + 2).result["unexpected_count"] == 1
    assert evaluate_rule(rows, f"{PATH}be_in_set", column="i", value_set=[2**53]).result["unexpected_count"] == 2
    assert evaluate_rule(rows, f"{PATH}be_between", column="i", max_value=10**30, min_value=-1e300).success


def test_a_float_is_in_a_set_that_lists_its_decimal_form(spark: SparkSession) -> None:
    rows = spark.createDataFrame([(0.1,), (0.25,)], "x float")
    assert evaluate_rule(rows, f"{PATH}be_in_set", column="x", value_set=[0.1, 0.25]).success


def test_flags_of_one_pattern_are_not_those_of_the_next(spark: SparkSession) -> None:
    rows = spark.createDataFrame([("A",), ("b",)], "s string")
    matched = evaluate_rule(rows, f"{PATH}match_regex_list", column="s", regex_list=["(?i)a", "B"])
    assert matched.result["unexpected_count"] == 1


@pytest.mark.parametrize("regex", ["(a+)+$", "(a|aa)+$", "(a+a+)+c", "^(a?){40}a{40}$", r"^(([a-z])+.)+[A-Z]([a-z])+$"])
def test_patterns_that_backtrack_elsewhere_end_here(spark: SparkSession, regex: str) -> None:
    rows = spark.createDataFrame([("a" * 40 + "b",)], "s string")
    asked = Expectation("expect_column_values_to_match_regex", {"column": "s", "regex": regex})
    (rule,) = judge_suite(rows, Suite("s", (asked,)), gate="input").rules
    assert not rule.passed


def test_a_row_condition_holds_for_pairs_in_a_set(spark: SparkSession) -> None:
    rows = spark.createDataFrame([(1, 1), (2, 9), (None, None)], "a int, b int")
    only = {"type": "comparison", "column": {"name": "a"}, "operator": "<", "parameter": 2}
    pairs = {"column_A": "a", "column_B": "b", "value_pairs_set": [[1, 1]]}
    assert evaluate_rule(rows, "expect_column_pair_values_to_be_in_set", **pairs, row_condition=only).success
    assert evaluate_rule(rows, "expect_column_pair_values_to_be_in_set", **pairs).result["unexpected_count"] == 1


def test_the_first_column_s_place_is_judged(spark: SparkSession) -> None:
    rows = spark.createDataFrame([], "a int, b int")
    assert not evaluate_rule(rows, "expect_column_to_exist", column="b", column_index=0).success
    assert evaluate_rule(rows, "expect_column_to_exist", column="b", column_index=1).success


def test_types_of_other_engines_in_a_list_are_passed_over_as_great_expectations_does(spark: SparkSession) -> None:
    """As its profilers write the lists: the names that a type has in pandas, in databases and in Spark."""
    rows = spark.createDataFrame([], "i bigint, s string")
    integers = ["INTEGER", "integer", "int", "int_", "int64", "BIGINT", "LongType", "BYTEINT", "NUMBER"]
    asked = [Expectation(f"{PATH}be_in_type_list", {"column": name, "type_list": integers}) for name in ("i", "s")]
    ours, theirs = evaluate_suite(rows, Suite("s", tuple(asked)), gate="input"), evaluate_with_gx(rows, asked)
    assert [one.success for one in ours] == [bool(one.success) for one in theirs] == [True, False]


def test_midnights_in_a_set_are_dates_as_they_are_for_great_expectations(spark: SparkSession) -> None:
    rows = spark.sql("SELECT date'2013-01-01' AS day")
    kwargs = {"column": "day", "value_set": ["2013-01-01T00:00:00", "2013-01-02 00:00:00"]}
    asked = [Expectation(f"{PATH}be_in_set", kwargs)]
    (ours,), (theirs,) = evaluate_suite(rows, Suite("s", tuple(asked)), gate="input"), evaluate_with_gx(rows, asked)
    assert (ours.success, bool(theirs.success)) == (True, True)


def test_quantiles_are_values_of_the_column(spark: SparkSession) -> None:
    rows = spark.range(1, 102).select(F.col("id").cast("double").alias("x")).union(spark.sql("SELECT double('NaN')"))
    ranges = {"quantiles": [0.0, 0.25, 0.5, 1.0], "value_ranges": [[1, 1], [None, 26], [51, 60], [102, None]]}
    one = evaluate_rule(rows, "expect_column_quantile_values_to_be_between", column="x", quantile_ranges=ranges)
    assert one.result["observed_value"] == {"quantiles": ranges["quantiles"], "values": [1.0, 26.0, 51.0, 101.0]}
    assert (one.success, one.result["details"]) == (False, {"success_details": [True, True, True, False]})
    none = evaluate_rule(
        rows.limit(0), "expect_column_quantile_values_to_be_between", column="x", quantile_ranges=ranges
    )
    assert (none.success, none.result["observed_value"]["values"]) == (False, [None] * 4)


def test_an_approximate_value_is_marked(spark: SparkSession, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quantiles, "EXACT_ROWS", 10)
    median = Expectation("expect_column_median_to_be_between", {"column": "id", "min_value": 40})
    rows = spark.range(101)
    (one,) = evaluate_suite(rows, Suite("s", (median,)), gate="input")
    assert one.result["details"] == {"approximate": True, "rank_error": 1 / quantiles.SKETCH_ACCURACY}
    assert format_observed(median, one) == "about 50"
    assert format_observed(median, evaluate_rule(rows.limit(9), median.type, **median.kwargs)) == "4"


def test_like_patterns_are_judged(spark: SparkSession) -> None:
    rows = spark.createDataFrame([("a_b",), ("axb",), (None,)], "s string")
    assert evaluate_rule(rows, f"{PATH}match_like_pattern", column="s", like_pattern="a_b").success
    assert (
        evaluate_rule(rows, f"{PATH}match_like_pattern", column="s", like_pattern="a\\_b").result["unexpected_count"]
        == 1
    )
    escaped = {"like_pattern_list": ["x%", "a!_%"], "escape": "!"}
    assert evaluate_rule(rows, f"{PATH}match_like_pattern_list", column="s", **escaped).result["unexpected_count"] == 1
    assert (
        evaluate_rule(rows, f"{PATH}not_match_like_pattern_list", column="s", **escaped).result["unexpected_count"] == 1
    )
    assert (
        evaluate_rule(rows, f"{PATH}not_match_like_pattern", column="s", like_pattern="%b").result["unexpected_count"]
        == 2
    )


@pytest.mark.parametrize(
    ("type_", "make"), [("bigint", int), ("double", float), ("string", str), ("decimal(20,1)", int), ("float", float)]
)
def test_large_sets_are_judged_like_small_ones(spark: SparkSession, type_: str, make: Any) -> None:
    count = MAX_SET_LITERALS + 100 if type_.startswith("decimal") else 100_000 if type_ == "string" else 5_000
    rows = spark.range(20).select((F.col("id") * 997).cast(type_).alias("x")).union(spark.sql("SELECT NULL"))
    values = [make(2 * one) for one in range(count)]
    inside = sum(997 * one in range(0, 2 * count, 2) for one in range(20))
    one = evaluate_rule(rows, f"{PATH}be_in_set", column="x", value_set=values)
    assert (one.result["missing_count"], one.result["unexpected_count"]) == (1, 20 - inside)


def test_the_number_of_rows_is_judged_against_another_table(world: World) -> None:
    same = Expectation("expect_table_row_count_to_equal_other_table", {"other_table_name": "flights"})
    rows = world.spark.range(60)
    verdict = judge_suite(rows, Suite("s", (same,), home=str(world.home)), gate="input")
    assert [(one.passed, one.observed) for one in verdict.rules] == [(True, "60 rows here, 60 there")]
    world.write_source(source_rows(61))
    verdict = judge_suite(rows, Suite("s", (same,), home=str(world.home)), gate="input")
    assert [(one.passed, one.observed) for one in verdict.rules] == [(False, "60 rows here, 61 there")]


def test_times_are_of_the_session_s_zone(spark: SparkSession) -> None:
    session = spark.newSession()
    session.conf.set("spark.sql.session.timeZone", "Asia/Tokyo")
    rows = session.sql("SELECT timestamp'2013-01-01T00:00:00Z' AS at, timestamp_ntz'2013-01-01 09:00:00' AS wall")
    for column in ("at", "wall"):
        bounds = {"min_value": "2013-01-01T09:00:00", "max_value": "2013-01-01T09:00:00"}
        assert evaluate_rule(rows, f"{PATH}be_between", column=column, **bounds).success
        latest = evaluate_rule(rows, "expect_column_max_to_be_between", column=column, **bounds)
        assert (latest.success, latest.result) == (True, {"observed_value": "2013-01-01T09:00:00"})
        assert evaluate_rule(rows, f"{PATH}be_in_set", column=column, value_set=["2013-01-01T09:00:00"]).success
