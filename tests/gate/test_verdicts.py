"""Verdicts of real suites on Great Expectations' own engine."""

import logging
import warnings
from pathlib import Path
from typing import Any

import pytest
from pyspark.errors import NumberFormatException
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from sparkscore.errors import ConfigError, GateFailed, SparkscoreError
from sparkscore.gate.gx.gx_engine import evaluate_with_gx
from sparkscore.gate.suites import Expectation, Severity, Suite
from sparkscore.gate.verdicts import judge_suite, require_passed_verdict
from sparkscore.records import Verdict

PRIVATE = "Smith"


@pytest.fixture(scope="module")
def rows(spark: SparkSession) -> DataFrame:
    """A thousand rows; ten NULLs in `a.b`, names that have to be quoted, a name that must not get out."""
    return spark.range(1000).select(
        "id",
        (F.col("id") % 7).alias("a `b`.c"),
        F.when(F.col("id") >= 10, F.col("id").cast("double")).alias("a.b"),
        F.when(F.col("id") == 5, PRIVATE).otherwise("x").alias("name"),
        F.to_date(F.lit("2013-12-31")).alias("day"),
    )


def rule(kind: str, severity: Severity = "critical", **kwargs: Any) -> Expectation:
    """One expectation."""
    return Expectation(f"expect_{kind}", kwargs, severity)


def verdict_of(rows: DataFrame, *expectations: Expectation) -> Verdict:
    """The input gate's verdict."""
    return judge_suite(rows, Suite("flights", expectations), gate="input")


def test_of_sensitive_columns_only_counts_are_told(rows: DataFrame) -> None:
    rules = (
        rule("column_max_to_be_between", column="id", max_value=17),
        rule("column_values_to_be_in_set", column="name", value_set=["x", "Secret"]),
        rule("column_max_to_be_between", column="a `b`.c", max_value=5),
    )
    verdict = judge_suite(rows, Suite("flights", rules), gate="input", sensitive=["id", "name"])
    assert [(one.observed, one.expected) for one in verdict.rules] == [
        ("***", "column max to be between"),
        ("0.1 % of 1,000 rows outside (1)", "column values to be in set"),
        ("6", "at most 5"),
    ]


def test_rules_that_hold_let_the_run_pass(rows: DataFrame) -> None:
    verdict = verdict_of(
        rows,
        rule("column_values_to_be_between", column="id", min_value=0, max_value=999),
        rule("table_row_count_to_be_between", min_value=1, max_value=5000),
        rule("column_max_to_be_between", column="day", min_value="2013-01-01", max_value="2014-01-01"),
        rule("column_values_to_not_be_null", column="a.b", mostly=0.99),
        rule("compound_columns_to_be_unique", column_list=["id", "a `b`.c"]),
    )
    require_passed_verdict(verdict)
    assert (verdict.gate, verdict.suite, verdict.failed_rules, verdict.warning_rules) == ("input", "flights", (), ())
    assert [(one.observed, one.expected) for one in verdict.rules] == [
        ("all 1,000 rows", "between 0 and 999"),
        ("1,000", "between 1 and 5,000"),
        ("2013-12-31", "between 2013-01-01 and 2014-01-01"),
        ("1 % of 1,000 rows outside (10)", "column values to not be null, for at least 99 % of rows"),
        ("all 1,000 rows", "compound columns to be unique"),
    ]
    assert verdict.seconds > 0


def test_broken_rules_are_named_with_observed_and_expected(rows: DataFrame) -> None:
    verdict = verdict_of(
        rows,
        rule("column_values_to_be_between", column="id", min_value=3, max_value=5000),
        rule("column_values_to_be_in_set", column="a `b`.c", value_set=[0, 1, 2]),
        rule("column_mean_to_be_between", column="a.b", min_value=0, max_value=10),
        rule("column_values_to_be_unique", column="id"),
    )
    with pytest.raises(GateFailed) as caught:
        require_passed_verdict(verdict)
    assert caught.value.exit_code == 3
    assert str(caught.value).splitlines() == [
        "the input gate stopped the run, 3 of 4 rules of flights are broken",
        "  expect_column_values_to_be_between(id): 0.3 % of 1,000 rows outside (3); expected between 3 and 5,000",
        "  expect_column_values_to_be_in_set(a `b`.c): 57.1 % of 1,000 rows outside (571); expected one of 0, 1, 2",
        "  expect_column_mean_to_be_between(a.b): 504.5; expected between 0 and 10",
        "  expected: data that meets the suite; nothing was published",
        "  do: repair the data, or change the rule in gate.input",
    ]


def test_severity_decides_whether_a_broken_rule_stops_warns_or_is_only_noted(rows: DataFrame) -> None:
    broken: dict[str, Any] = {"column": "id", "min_value": 3, "max_value": 5000}
    verdict = verdict_of(
        rows,
        rule("column_values_to_be_between", "warning", **broken),
        rule("column_values_to_be_between", "info", **{**broken, "max_value": 500}),
    )
    require_passed_verdict(verdict)
    assert [one.passed for one in verdict.rules] == [False, False]
    assert [one.severity for one in verdict.warning_rules] == ["warning"]
    with pytest.raises(GateFailed, match="1 of 1 rules"):
        require_passed_verdict(verdict_of(rows, rule("column_values_to_be_between", "critical", **broken)))


def test_rules_about_columns_being_there_are_judged(rows: DataFrame) -> None:
    verdict = verdict_of(
        rows,
        rule("column_to_exist", column="nope"),
        rule("column_to_exist", column="a.b"),
        rule("table_columns_to_match_set", column_set=["id", "a `b`.c", "a.b", "name", "day"]),
        rule("table_columns_to_match_ordered_list", column_list=["id"]),
    )
    assert [one.passed for one in verdict.rules] == [False, True, True, False]


def test_a_column_that_is_not_there_is_a_mistake_of_the_suite(rows: DataFrame) -> None:
    with pytest.raises(ConfigError, match="columns that do not exist: nope in expect_column_values_to_not_be_null"):
        verdict_of(rows, rule("column_values_to_not_be_null", column="nope"))


KL_DIVERGENCE: dict[str, Any] = {"threshold": 0.1, "partition_object": {"a": 1}}


@pytest.mark.parametrize(
    ("broken", "found"),
    [
        (rule("column_kl_divergence_to_be_less_than", column="name", **KL_DIVERGENCE), "ValueError"),
        (rule("column_values_to_be_dateutil_parseable", column="name"), "No provider found"),
    ],
    ids=lambda value: value.type if isinstance(value, Expectation) else None,
)
def test_a_rule_that_great_expectations_cannot_compute_is_a_broken_gate_not_bad_data(
    rows: DataFrame, broken: Expectation, found: str, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(ConfigError, match=found) as caught:
        verdict_of(rows, rule("column_values_to_not_be_null", column="id"), broken)
    assert caught.value.exit_code == 2
    assert "the input gate is broken" in str(caught.value)
    assert broken.rule in str(caught.value)
    out, err = capfd.readouterr()
    assert PRIVATE not in str(caught.value) + out + err


def test_what_only_great_expectations_computes_is_named_as_slow(rows: DataFrame) -> None:
    verdict = verdict_of(
        rows,
        rule("column_values_to_be_json_parseable", column="name", mostly=0.5),
        rule("column_values_to_not_be_null", column="id"),
        rule("column_values_to_be_increasing", column="id"),
    )
    assert [(one.slow, one.passed) for one in verdict.rules] == [(True, False), (False, True), (True, True)]


@pytest.mark.parametrize(
    ("kind", "expected", "code"),
    [("column_values_to_be_between", ConfigError, 2), ("column_values_to_be_json_parseable", SparkscoreError, 1)],
)
def test_files_that_are_gone_are_neither_bad_data_nor_a_broken_gate(
    spark: SparkSession, tmp_path: Path, kind: str, expected: type[SparkscoreError], code: int
) -> None:
    spark.range(5).select(F.col("id").cast("string").alias("s"), "id").write.parquet(str(tmp_path / "t"))
    frame = spark.read.parquet(str(tmp_path / "t"))
    for file in (tmp_path / "t").glob("*.parquet"):
        file.unlink()
    judged = {"column": "id", "min_value": 1} if kind == "column_values_to_be_between" else {"column": "s"}
    with pytest.raises(expected) as caught:
        verdict_of(frame, rule(kind, **judged))
    assert caught.value.exit_code == code
    assert "broken" not in str(caught.value)
    assert "input gate" in str(caught.value)


def test_no_value_of_a_row_gets_out(rows: DataFrame) -> None:
    rules = (
        rule("column_values_to_be_in_set", column="name", value_set=["x"]),
        rule("column_distinct_values_to_be_in_set", column="name", value_set=["x"]),
        rule("column_distinct_values_to_equal_set", column="name", value_set=["y"]),
        rule("column_most_common_value_to_be_in_set", column="name", value_set=["y"]),
        rule("column_values_to_match_regex", column="name", regex="^x$"),
        rule("column_value_lengths_to_equal", column="name", value=1),
        rule("column_values_to_be_unique", column="name"),
    )
    verdict = verdict_of(rows, *rules)
    assert len(verdict.failed_rules) == len(rules)
    assert PRIVATE not in repr(verdict)
    assert PRIVATE not in str(evaluate_with_gx(rows, rules))


def test_judging_is_quiet_and_leaves_session_and_logging_as_they_were(
    spark: SparkSession, rows: DataFrame, capfd: pytest.CaptureFixture[str]
) -> None:
    spark.catalog.clearCache()
    before = session_state(spark)
    verdict_of(rows, rule("column_values_to_be_between", column="id", min_value=1, max_value=3))
    assert session_state(spark) == before
    assert tuple(capfd.readouterr()) == ("", "")


def session_state(spark: SparkSession) -> tuple[object, ...]:
    """What judging must not change: logging, filters of warnings, the session and its settings, what is cached."""
    logger, root = logging.getLogger("great_expectations"), logging.getLogger()
    cached = not spark._jsparkSession.sharedState().cacheManager().isEmpty()
    settings = sorted((row["key"], row["value"]) for row in spark.sql("SET").collect())
    return logger.level, list(root.handlers), list(warnings.filters), settings, SparkSession.getActiveSession(), cached


def test_spark_reports_its_own_errors_after_judging_as_before(rows: DataFrame) -> None:
    verdict_of(rows, rule("table_row_count_to_equal", value=1000))
    with pytest.raises(NumberFormatException, match="CAST_INVALID_INPUT"):
        rows.select(F.col("name").cast("int")).collect()


def test_a_frame_of_another_session_is_judged_with_its_own_settings(spark: SparkSession) -> None:
    other = spark.newSession()
    other.conf.set("spark.sql.session.timeZone", "Asia/Tokyo")
    frame = other.sql("SELECT hour(timestamp'2013-01-01T00:00:00Z') AS hour")
    require_passed_verdict(verdict_of(frame, rule("column_values_to_be_in_set", column="hour", value_set=[9])))
    assert spark.conf.get("spark.sql.session.timeZone") != "Asia/Tokyo"


def test_an_empty_frame_meets_rules_about_rows_and_breaks_rules_about_their_number(rows: DataFrame) -> None:
    verdict = verdict_of(
        rows.limit(0),
        rule("column_values_to_be_between", column="id", min_value=0, max_value=9),
        rule("table_row_count_to_be_between", min_value=1),
    )
    assert [one.passed for one in verdict.rules] == [True, False]
    assert verdict.rules[0].observed == "all 0 rows"
