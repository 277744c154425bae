"""Row conditions: typed, never SQL."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from sparkscore.errors import ConfigError
from sparkscore.gate.compiled.row_condition import condition_columns, find_condition_fault, format_row_condition
from sparkscore.gate.suite_loading import load_suite
from sparkscore.gate.suites import Expectation, Suite
from sparkscore.gate.verdict_formatting import format_expected
from sparkscore.gate.verdicts import judge_suite

LATE = {"type": "comparison", "column": {"name": "a `b`.c"}, "operator": ">=", "parameter": 10}
KNOWN = {"type": "nullity", "column": {"name": "carrier"}, "is_null": False}
LISTED = {"type": "comparison", "column": {"name": "carrier"}, "operator": "NOT_IN", "parameter": ["AA", "UA"]}
BOTH = {"type": "and", "conditions": [LATE, KNOWN]}
EITHER = {"type": "or", "conditions": [BOTH, LISTED]}


@pytest.mark.parametrize(
    ("condition", "found"),
    [
        ("carrier = 'AA'", "SQL text"),
        ({"type": "pass_through", "pass_through_filter": "reflect('x')"}, "a condition of type pass_through"),
        ({}, "anything but a typed condition|a condition of type None"),
        (5, "anything but a typed condition"),
        ({**LATE, "operator": "LIKE"}, "the comparison LIKE"),
        ({**LATE, "parameter": None}, "what is compared, is unknown"),
        ({**LATE, "parameter": {"x": 1}}, "what is compared, is unknown"),
        ({**LISTED, "parameter": []}, "NOT_IN without a list of at least one value"),
        ({**LISTED, "parameter": "AA"}, "NOT_IN without a list"),
        ({**LATE, "column": "carrier"}, "without the name of a column"),
        ({**KNOWN, "is_null": 1}, "is_null is neither true nor false"),
        ({"type": "nullity", "column": {"name": "a"}}, "a nullity of column, type"),
        ({"type": "and", "conditions": []}, "an and without conditions"),
        ({"type": "and", "conditions": [EITHER]}, "an or within an and"),
        ({"type": "or", "conditions": [EITHER]}, "an or within an or"),
        ({"type": "and", "conditions": [LATE] * 101}, "101 comparisons, 100 at most"),
    ],
)
def test_what_is_no_typed_condition_is_refused(condition: Any, found: str) -> None:
    assert re.search(found, find_condition_fault(condition) or "")


def test_conditions_are_read_and_told_in_words() -> None:
    assert find_condition_fault(EITHER) is None
    assert condition_columns(EITHER) == ("a `b`.c", "carrier")
    assert format_row_condition(EITHER) == "(a `b`.c >= 10 and carrier is not NULL) or carrier not in AA, UA"
    rule = Expectation("expect_table_row_count_to_equal", {"value": 5, "row_condition": KNOWN})
    assert format_expected(rule) == "table row count to equal: value 5 where carrier is not NULL"


def test_a_condition_is_refused_as_text_and_taken_as_data(tmp_path: Path) -> None:
    def write_condition(condition: Any) -> str:
        kwargs = {"column": "carrier", "row_condition": condition}
        suite = {"name": "s", "expectations": [{"type": "expect_column_values_to_not_be_null", "kwargs": kwargs}]}
        (tmp_path / "suite.json").write_text(json.dumps(suite))
        return str(tmp_path / "suite.json")

    assert load_suite(write_condition(EITHER)).expectations[0].kwargs["row_condition"] == EITHER
    with pytest.raises(ConfigError, match=r"SQL text.*row_condition is not for a gate") as caught:
        load_suite(write_condition('col("carrier") == "AA"'))
    assert "typed condition" in caught.value.do


def test_conditions_choose_rows_in_both_engines(spark: SparkSession) -> None:
    rows = spark.range(20).select(
        F.col("id").alias("a `b`.c"), F.when(F.col("id") % 2 == 0, "AA").alias("carrier"), F.lit("{").alias("text")
    )
    for condition, count in ((LATE, 10), (KNOWN, 10), (BOTH, 5), (EITHER, 5), ({**LATE, "operator": "<"}, 10)):
        suite = Suite(
            "s",
            (
                Expectation("expect_table_row_count_to_equal", {"value": count, "row_condition": condition}),
                Expectation(
                    "expect_column_values_to_be_json_parseable", {"column": "text", "row_condition": condition}
                ),
            ),
        )
        here, there = judge_suite(rows, suite, gate="input").rules
        assert (here.passed, here.slow, there.slow) == (True, False, True)
        assert there.observed == f"100 % of {count} rows outside ({count})"


def test_a_suite_of_an_old_version_is_named_as_such(tmp_path: Path) -> None:
    old = {"expectation_suite_name": "s", "expectations": [{"expectation_type": "expect_x", "kwargs": {}}]}
    (tmp_path / "old.json").write_text(json.dumps(old))
    with pytest.raises(ConfigError, match=r"expectation_suite_name belongs to 0\.x") as caught:
        load_suite(str(tmp_path / "old.json"))
    assert "expectation_type to type" in caught.value.do
    (tmp_path / "half.json").write_text(json.dumps({"name": "s", "expectations": old["expectations"]}))
    with pytest.raises(
        ConfigError, match=r"has no type and kwargs: expectation_type belongs to Great Expectations 0\.x"
    ):
        load_suite(str(tmp_path / "half.json"))
