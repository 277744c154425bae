"""A suite that a table suggests: met by the table, readable as a suite, with a reason beside each rule."""

import json
from pathlib import Path

import pytest
from pyspark.sql import DataFrame, SparkSession

from sparkscore.gate.suite_check import check_suite
from sparkscore.gate.suite_loading import load_suite
from sparkscore.gate.suite_suggestion import suggest_suite
from sparkscore.gate.suites import Suite

ROWS = [
    (number, f"N{number:04}", ["EWR", "JFK"][number % 2], float("nan") if number % 10 == 0 else number / 7, None)
    for number in range(100)
]


@pytest.fixture(scope="module")
def flights(spark: SparkSession) -> DataFrame:
    return spark.createDataFrame(ROWS, "id bigint, `tail.number` string, origin string, delay double, gone int")


def suggest_and_load(frame: DataFrame, folder: Path, sensitive: tuple[str, ...] = ()) -> tuple[str, Suite]:
    file = folder / "suite.json"
    file.write_text(json.dumps(suggest_suite(frame, name="flights", version=3, sensitive=sensitive)))
    return file.read_text(), load_suite(str(file))


def test_the_table_meets_it(flights: DataFrame, tmp_path: Path) -> None:
    _, suite = suggest_and_load(flights, tmp_path)
    verdict, _ = check_suite(flights, suite)
    assert [rule.rule for rule in verdict.rules if not rule.passed] == []


def test_it_says_what_the_columns_are_like(flights: DataFrame, tmp_path: Path) -> None:
    _, suite = suggest_and_load(flights, tmp_path)
    found = {one.rule: one for one in suite.expectations}
    assert found["expect_column_values_to_be_in_set(origin)"].kwargs["value_set"] == ["EWR", "JFK"]
    assert found["expect_column_values_to_be_unique(id)"].severity == "critical"
    assert found["expect_column_value_lengths_to_equal(tail.number)"].kwargs["value"] == 5
    assert found["expect_column_values_to_not_be_null(delay)"].kwargs["mostly"] == 0.9
    assert found["expect_column_values_to_be_between(delay)"].kwargs == {
        "column": "delay",
        "min_value": 0.1,
        "max_value": 20,
        "mostly": 0.9,
    }
    assert "expect_column_values_to_be_null(gone)" in found


def test_each_rule_has_its_reason(flights: DataFrame) -> None:
    assert all(rule["notes"] for rule in suggest_suite(flights, name="flights", version=3)["expectations"])


def test_of_sensitive_columns_no_value_is_told(flights: DataFrame, tmp_path: Path) -> None:
    text, suite = suggest_and_load(flights, tmp_path, sensitive=("origin", "delay"))
    assert "EWR" not in text
    kinds = {one.type for one in suite.expectations if one.kwargs.get("column") in ("origin", "delay")}
    assert kinds == {"expect_column_values_to_not_be_null"}


def test_an_empty_table_suggests_little_and_breaks_nothing(flights: DataFrame, tmp_path: Path) -> None:
    _, suite = suggest_and_load(flights.limit(0), tmp_path)
    assert check_suite(flights.limit(0), suite)[0].failed_rules == ()


def test_a_check_shows_how_much_fails_and_which_rows(flights: DataFrame, tmp_path: Path) -> None:
    _, suite = suggest_and_load(flights, tmp_path)
    other = flights.replace("EWR", "LGA", ["origin"])
    _, lines = check_suite(other, suite, keys=["id"])
    (line,) = [one for one in lines if one.verdict.rule == "expect_column_values_to_be_in_set(origin)"]
    assert (line.verdict.passed, line.share) == (False, 0.5)
    assert line.examples == ("id=0", "id=2", "id=4")


def test_a_check_never_shows_sensitive_keys(flights: DataFrame, tmp_path: Path) -> None:
    _, suite = suggest_and_load(flights, tmp_path)
    _, lines = check_suite(flights.replace("EWR", "LGA", ["origin"]), suite, keys=["id"], sensitive=["id", "origin"])
    shown = " ".join(str(line) for line in lines if line.verdict.rule.endswith("(origin)"))
    assert "id=***" in shown
    assert "LGA" not in shown
    assert "EWR" not in shown
