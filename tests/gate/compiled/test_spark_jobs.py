"""How many Spark jobs a suite takes: one for all that a pass over the rows answers, one more per shuffled column."""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from pyspark.sql import DataFrame, SparkSession

from sparkscore.gate.suites import Expectation, Suite
from sparkscore.gate.verdicts import judge_suite

COLUMNS = [f"x{index}" for index in range(8)]
MONTH = {"type": "comparison", "column": {"name": "x1"}, "operator": ">=", "parameter": 3}


@pytest.fixture(scope="module")
def rows(spark: SparkSession) -> DataFrame:
    """Two partitions; without adaptive execution, which submits each of a query's stages as a job of its own."""
    session = spark.newSession()
    session.conf.set("spark.sql.adaptive.enabled", "false")
    return session.range(0, 100, 1, 2).selectExpr(*[f"id * {index} AS {name}" for index, name in enumerate(COLUMNS)])


def scalar_rules(count: int) -> list[Expectation]:
    """Rules of every sort over the columns, as many as asked for, no two alike."""
    return [_scalar_rule(index) for index in range(count)]


def _scalar_rule(index: int) -> Expectation:
    kinds: list[tuple[str, dict[str, Any]]] = [
        ("column_values_to_not_be_null", {"mostly": 0.5}),
        ("column_values_to_be_between", {"min_value": 0, "max_value": 1000 + index}),
        ("column_values_to_be_in_set", {"value_set": list(range(index + 1)), "mostly": 0}),
        ("column_mean_to_be_between", {"min_value": 0, "max_value": 10_000 + index}),
        ("column_stdev_to_be_between", {"min_value": 0, "row_condition": MONTH}),
        ("column_max_to_be_between", {"min_value": 0}),
        ("table_row_count_to_be_between", {"min_value": 1, "max_value": 100 + index}),
        ("column_values_to_be_of_type", {"type_": "LongType"}),
    ]
    kind, kwargs = kinds[index % len(kinds)]
    column = {} if kind.startswith("table") else {"column": COLUMNS[index // len(kinds) % len(COLUMNS)]}
    return Expectation(f"expect_{kind}", {**column, **kwargs})


def count_jobs(rows: DataFrame, expectations: Sequence[Expectation]) -> int:
    """How many jobs judging takes; the rules have to hold, so that something was computed."""
    context, group = rows.sparkSession.sparkContext, str(uuid4())
    context.setJobGroup(group, group)
    verdict = judge_suite(rows, Suite("s", tuple(expectations)), gate="input")
    assert verdict.failed_rules == ()
    return len(context.statusTracker().getJobIdsForGroup(group))


@pytest.mark.parametrize("count", [16, 64, 256])
def test_scalar_rules_take_one_job_however_many_they_are(rows: DataFrame, count: int) -> None:
    assert count_jobs(rows, scalar_rules(count)) == 1


def test_rules_about_the_schema_take_no_job(rows: DataFrame) -> None:
    known = [
        Expectation("expect_table_columns_to_match_ordered_list", {"column_list": COLUMNS}),
        Expectation("expect_column_values_to_be_of_type", {"column": "x1", "type_": "LongType"}),
        Expectation("expect_table_column_count_to_equal", {"value": 8}),
    ]
    assert count_jobs(rows, known) == 0


def test_each_shuffled_column_takes_one_more_job_however_many_its_rules_are(rows: DataFrame) -> None:
    of_x1 = [
        Expectation("expect_column_values_to_be_unique", {"column": "x1"}),
        Expectation("expect_column_values_to_be_unique", {"column": "x1", "row_condition": MONTH}),
        Expectation("expect_column_unique_value_count_to_be_between", {"column": "x1", "min_value": 100}),
        Expectation("expect_column_distinct_values_to_contain_set", {"column": "x1", "value_set": [1, 2]}),
        Expectation(
            "expect_column_most_common_value_to_be_in_set", {"column": "x1", "value_set": [1], "ties_okay": True}
        ),
        Expectation("expect_column_median_to_be_between", {"column": "x1", "min_value": 49, "max_value": 50}),
    ]
    of_x2 = [Expectation("expect_column_values_to_be_unique", {"column": "x2"})]
    of_both = [Expectation("expect_compound_columns_to_be_unique", {"column_list": ["x0", "x1"]})]
    assert count_jobs(rows, [*scalar_rules(16), *of_x1]) == 2
    assert count_jobs(rows, [*scalar_rules(15), *of_x1, *of_x2]) == 3
    assert count_jobs(rows, [*scalar_rules(14), *of_x1, *of_x2, *of_both]) == 4


def test_judging_a_compiled_suite_does_not_import_great_expectations() -> None:
    code = """
import sys
import sparkscore.pipelines.score
from sparkscore.spark.session import start_local_session
from sparkscore.gate.verdicts import judge_suite
from sparkscore.gate.suites import Expectation, Suite
from sparkscore.gate.suite_loading import load_suite
load_suite("conf/expectations/flights.json")
frame = start_local_session("free", master="local[1]").range(5)
suite = Suite("s", (Expectation("expect_column_values_to_be_unique", {"column": "id"}),))
print(judge_suite(frame, suite, gate="input").failed_rules, "great_expectations" in sys.modules)
"""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=Path(__file__).parents[3], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "() False"
