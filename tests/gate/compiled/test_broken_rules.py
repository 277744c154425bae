"""Suites that do not fit the columns are mistakes of the suite, found before any Spark job."""

from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession

from sparkscore.errors import ConfigError, NameRefused, TableNotFound
from sparkscore.gate.suites import Expectation, Suite
from sparkscore.gate.verdicts import judge_suite

SCHEMA = (
    "id bigint, name string, day date, at timestamp, share double, m decimal(10,2), flag boolean, tags map<int,int>"
)


@pytest.fixture
def rows(spark: SparkSession) -> DataFrame:
    """No row: the schema is enough."""
    return spark.createDataFrame([], SCHEMA)


def rule(kind: str, **kwargs: Any) -> Expectation:
    """One expectation."""
    return Expectation(f"expect_{kind}", kwargs)


def comparison(column: str, operator: str, parameter: Any) -> dict[str, Any]:
    """A typed condition."""
    return {"type": "comparison", "column": {"name": column}, "operator": operator, "parameter": parameter}


BROKEN = [
    (rule("column_values_to_be_between", column="name", min_value=1), "bounds .* column of type StringType"),
    (rule("column_values_to_be_between", column="flag", min_value=0), "bounds .* column of type BooleanType"),
    (rule("column_values_to_be_between", column="id", min_value=5, max_value=3), "min_value is greater than max_value"),
    (rule("column_values_to_be_between", column="id", min_value="2013-01-01"), "text where a number belongs"),
    (rule("column_values_to_be_between", column="day", min_value=5), "something else than a date or a time"),
    (
        rule("column_values_to_be_between", column="day", min_value="2013-01-02", max_value="2013-01-01"),
        "min_value is greater",
    ),
    (rule("column_values_to_be_between", column="day", min_value="2013-01-02", max_value=1), "have different types"),
    (
        rule("column_values_to_be_between", column="id", min_value=3, max_value=3, strict_max=True),
        "nothing is between them",
    ),
    (rule("column_value_lengths_to_be_between", column="id", min_value=1), "lengths of a column of type LongType"),
    (rule("column_value_lengths_to_be_between", column="name", min_value=3, max_value=1), "min_value is greater"),
    (rule("column_values_to_match_regex", column="id", regex="^1"), "a pattern cannot match a column of type LongType"),
    (rule("column_values_to_match_regex", column="name", regex="["), "no regular expression of Java: Unclosed"),
    (rule("column_values_to_not_match_regex_list", column="name", regex_list=["a", "(?<n"]), "no regular expression"),
    (rule("column_values_to_match_like_pattern", column="name", like_pattern="50\\"), "a LIKE pattern whose"),
    (rule("column_values_to_be_in_set", column="id", value_set=["x", 1]), "text where a number belongs"),
    (rule("column_values_to_be_in_set", column="name", value_set=[1]), "int where text belongs"),
    (rule("column_values_to_not_be_in_set", column="flag", value_set=[1]), "int where true or false belongs"),
    (rule("column_values_to_be_in_set", column="day", value_set=["2013-02-30"]), "something else than a date"),
    (rule("column_values_to_be_in_set", column="tags", value_set=[1]), "column of type MapType"),
    (rule("column_mean_to_be_between", column="name", min_value=0), "column of type StringType where"),
    (rule("column_max_to_be_between", column="flag", min_value=0), "column of type BooleanType where"),
    (rule("column_median_to_be_between", column="day", min_value=0), "DateType where a number belongs"),
    (rule("column_values_to_be_of_type", column="name", type_="Text"), "Text, which is no type of Spark"),
    (rule("column_values_to_be_in_type_list", column="name", type_list=["json"]), "json, which is no type of Spark"),
    (
        rule("column_values_to_be_in_type_list", column="name", type_list=["object", "STRING", "int64"]),
        "object, STRING, int64, which are no types of Spark, such as StringType or LongType",
    ),
    (rule("column_values_to_be_unique", column="tags"), "MapType, whose values cannot be brought together"),
    (
        rule("column_pair_values_to_be_equal", column_A="id", column_B="name"),
        "LongType, StringType, which cannot be compared",
    ),
    (
        rule("column_pair_values_to_be_in_set", column_A="id", column_B="day", value_pairs_set=[[1, 2]]),
        "something else than a date",
    ),
    (
        rule("column_values_to_not_be_null", column="id", row_condition=comparison("share", ">", "x")),
        "row_condition compares share with text where a number belongs",
    ),
    (rule("table_row_count_to_be_between", min_value=5, max_value=3), "min_value is greater than max_value"),
]


@pytest.mark.parametrize(("broken", "found"), BROKEN, ids=[str(place) for place in range(len(BROKEN))])
def test_a_rule_that_does_not_fit_is_a_broken_gate_before_any_job(
    spark: SparkSession, rows: DataFrame, broken: Expectation, found: str
) -> None:
    spark.sparkContext.setJobGroup("broken", "broken")
    with pytest.raises(ConfigError, match=found) as caught:
        judge_suite(rows, Suite("s", (rule("column_values_to_not_be_null", column="id"), broken)), gate="output")
    assert caught.value.exit_code == 2
    assert "the output gate is broken" in str(caught.value)
    assert broken.rule in str(caught.value)
    assert len(spark.sparkContext.statusTracker().getJobIdsForGroup("broken")) == 0


def test_every_broken_rule_is_named_at_once(rows: DataFrame) -> None:
    with pytest.raises(ConfigError) as caught:
        judge_suite(rows, Suite("s", tuple(broken for broken, _ in BROKEN)), gate="input")
    assert all(broken.rule in str(caught.value) for broken, _ in BROKEN)


def test_a_missing_column_is_named_also_where_a_condition_compares_it(rows: DataFrame) -> None:
    asked = rule("table_row_count_to_equal", value=1, row_condition=comparison("dayy", ">", "2013-01-01"))
    with pytest.raises(ConfigError, match=r"dayy in expect_table_row_count_to_equal.*nearest: day"):
        judge_suite(rows, Suite("s", (asked,)), gate="input")


@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("text.`/etc/hostname`", NameRefused),
        ("flights; DROP TABLE x", NameRefused),
        ("flights", NameRefused),
        ("/nowhere/flights", TableNotFound),
    ],
)
def test_another_table_is_named_by_the_grammar_of_all_tables(
    rows: DataFrame, name: str, error: type[ConfigError]
) -> None:
    with pytest.raises(error):
        judge_suite(
            rows, Suite("s", (rule("table_row_count_to_equal_other_table", other_table_name=name),)), gate="input"
        )
