"""Verdicts in words."""

from dataclasses import dataclass, field
from typing import Any

import pytest

from sparkscore.gate.gx.gx_engine import gx_exception_text, is_rule_fault, summarize_rule_error
from sparkscore.gate.suites import Expectation
from sparkscore.gate.verdict_formatting import format_expected, format_observed, format_verdict_number


@dataclass
class Found:
    """The two parts of a validation result that words are made of."""

    result: dict[str, Any] = field(default_factory=dict)
    success: bool = False


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (0, "0"),
        (85000, "85,000"),
        (5000.0, "5,000"),
        (0.123456789, "0.123457"),
        (-1234.5, "-1,234.5"),
        (10**18, "1,000,000,000,000,000,000"),
        (1e20, "1e+20"),
        (float("nan"), "nan"),
        (float("inf"), "inf"),
        (True, "True"),
        ("AA", "AA"),
        (None, "None"),
    ],
)
def test_numbers_read_well(value: object, words: str) -> None:
    assert format_verdict_number(value) == words


@pytest.mark.parametrize(
    ("kind", "kwargs", "words"),
    [
        ("expect_column_values_to_be_between", {"min_value": 1, "max_value": 5000}, "between 1 and 5,000"),
        ("expect_column_values_to_be_between", {"min_value": 0}, "at least 0"),
        ("expect_column_values_to_be_between", {"max_value": 1, "strict_max": True}, "below 1"),
        (
            "expect_column_values_to_be_between",
            {"min_value": 0, "strict_min": True, "max_value": 1},
            "above 0 and at most 1",
        ),
        ("expect_column_max_to_be_between", {"min_value": "2013-01-01"}, "at least 2013-01-01"),
        (
            "expect_column_values_to_be_between",
            {"min_value": 1, "max_value": 9, "mostly": 0.999},
            "between 1 and 9, for at least 99.9 % of rows",
        ),
        ("expect_column_values_to_be_in_set", {"value_set": ["AA", "UA"]}, "one of AA, UA"),
        ("expect_column_values_to_not_be_in_set", {"value_set": [1]}, "none of 1"),
        ("expect_column_distinct_values_to_contain_set", {"value_set": ["a"]}, "all of a"),
        ("expect_column_distinct_values_to_equal_set", {"value_set": ["a"]}, "exactly a"),
        (
            "expect_column_values_to_be_in_set",
            {"value_set": list(range(12))},
            "one of 0, 1, 2, 3, 4, 5, 6, 7, 8, 9 and 2 more",
        ),
        ("expect_column_values_to_not_be_null", {"column": "a"}, "column values to not be null"),
        (
            "expect_column_values_to_match_regex",
            {"column": "a", "regex": "^x$"},
            "column values to match regex: regex ^x$",
        ),
    ],
)
def test_what_was_expected_is_said_in_words(kind: str, kwargs: dict[str, Any], words: str) -> None:
    assert format_expected(Expectation(kind, kwargs)) == words


@pytest.mark.parametrize(
    ("kind", "result", "words"),
    [
        (
            "expect_column_values_to_be_between",
            {"element_count": 85000, "unexpected_count": 255, "missing_count": 0},
            "0.3 % of 85,000 rows outside (255)",
        ),
        (
            "expect_column_values_to_be_between",
            {"element_count": 100, "unexpected_count": 45, "missing_count": 10},
            "50 % of 90 rows outside (45); 10 NULL not judged",
        ),
        ("expect_column_values_to_not_be_null", {"element_count": 1000, "unexpected_count": 0}, "all 1,000 rows"),
        ("expect_column_mean_to_be_between", {"observed_value": 499.5}, "499.5"),
        ("expect_column_mean_to_be_between", {"observed_value": None}, "no number: the column is empty or holds NaN"),
        ("expect_column_max_to_be_between", {"observed_value": "2013-12-31"}, "2013-12-31"),
        ("expect_column_max_to_be_between", {"observed_value": "Smith"}, "not met"),
        ("expect_column_most_common_value_to_be_in_set", {"observed_value": ["Smith"]}, "not met"),
        (
            "expect_column_distinct_values_to_equal_set",
            {"observed_value": ["Smith"], "unexpected_count": 2, "missing_count": 1},
            "2 values too many, 1 missing",
        ),
        ("expect_column_values_to_be_of_type", {"observed_value": "LongType"}, "LongType"),
        ("expect_table_columns_to_match_set", {"observed_value": ["a", "b"]}, "a, b"),
        (
            "expect_column_quantile_values_to_be_between",
            {"observed_value": {"quantiles": [0.1, 0.5], "values": [99.0, 499.0]}},
            "0.1: 99, 0.5: 499",
        ),
    ],
)
def test_what_was_observed_is_said_without_values_of_rows(kind: str, result: dict[str, Any], words: str) -> None:
    assert format_observed(Expectation(kind, {}), Found(result)) == words


def test_what_has_no_number_is_met_or_not() -> None:
    assert format_observed(Expectation("expect_column_to_exist", {}), Found(success=True)) == "met"


@pytest.mark.parametrize(
    ("text", "line", "fault"),
    [
        ("ColumnValuesBetween metrics cannot be computed on StringType().", None, True),
        (
            "Traceback:\n  File x\nNo provider found for column_values.like_pattern\n",
            "No provider found for column_values.like_pattern",
            True,
        ),
        ("", "an error without a message", True),
        ("[CAST_INVALID_INPUT] The value 'Smith' cannot be cast. SQLSTATE: 22018", "CAST_INVALID_INPUT", True),
        ("[UNRESOLVED_COLUMN.WITH_SUGGESTION] A column SQLSTATE: 42703", "UNRESOLVED_COLUMN.WITH_SUGGESTION", True),
        (
            "org.apache.spark.SparkException: Job aborted: java.util.regex.PatternSyntaxException: Unclosed",
            "PatternSyntaxException",
            True,
        ),
        (
            "org.apache.spark.SparkException: [FAILED_READ_FILE.FILE_NOT_EXIST] SQLSTATE: KD001",
            "FAILED_READ_FILE.FILE_NOT_EXIST",
            False,
        ),
        ("org.apache.spark.SparkException: Job aborted due to stage failure: Smith", "a failed Spark job", False),
        ("An exception was thrown from the Python worker:\nValueError: Smith", "a failed Spark job", True),
    ],
)
def test_what_was_raised_is_one_line_without_values_of_rows(text: str, line: str | None, fault: bool) -> None:
    assert summarize_rule_error(text) == (text if line is None else line)
    assert is_rule_fault(text) is fault


def test_what_was_raised_is_found_in_both_of_its_shapes() -> None:
    flat = {"raised_exception": True, "exception_message": "x", "exception_traceback": "y"}
    assert gx_exception_text(flat) == "x"
    assert gx_exception_text({"metric a": flat, "metric b": flat}) == "x\nx"
    assert gx_exception_text({"raised_exception": False, "exception_message": None, "exception_traceback": None}) == ""
