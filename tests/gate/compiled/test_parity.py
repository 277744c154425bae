"""Our verdicts and numbers against Great Expectations' own, expectation by expectation, over random rows."""

import json
import math
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from pyspark.sql import SparkSession

from sparkscore.gate.compiled.plan import COMPILED_TYPES
from sparkscore.gate.gx.gx_engine import evaluate_with_gx
from sparkscore.gate.suites import Expectation, Suite
from sparkscore.gate.verdicts import evaluate_suite
from tests.examples import examples, more_examples_in_slow
from tests.gate.compiled.suites import FLOATING, KINDS, ROWS, SCHEMA, suites

ONLY_HERE = {
    "expect_column_quantile_values_to_be_between",  # crashes there
    "expect_table_row_count_to_equal_other_table",
    "expect_column_values_to_match_like_pattern",
    "expect_column_values_to_match_like_pattern_list",
    "expect_column_values_to_not_match_like_pattern",
    "expect_column_values_to_not_match_like_pattern_list",
}
"""What Great Expectations cannot compute on Spark."""

NAN_IS_RIGHT_HERE = {
    "expect_column_values_to_not_be_null",
    "expect_column_values_to_be_null",
    "expect_column_proportion_of_non_null_values_to_be_between",
    "expect_column_values_to_be_between",
    "expect_column_pair_values_a_to_be_greater_than_b",
}
"""Great Expectations takes NaN for a value that is there, and greater than every number."""


def test_every_compiled_expectation_is_compared_or_cannot_be() -> None:
    assert KINDS | ONLY_HERE == COMPILED_TYPES


@pytest.fixture(scope="module")
def small(spark: SparkSession) -> SparkSession:
    """A session for a hundred queries over nine rows."""
    session = spark.newSession()
    session.conf.set("spark.sql.shuffle.partitions", "1")
    session.conf.set("spark.sql.adaptive.enabled", "false")
    return session


@more_examples_in_slow
@settings(
    max_examples=examples(2, slow=10),
    suppress_health_check=list(HealthCheck),
    database=None,
    phases=[Phase.generate],  # shrinking a suite takes longer than reading one
)
@given(rows=ROWS, suite=suites())
def test_verdicts_and_numbers_are_great_expectations_own(
    small: SparkSession, rows: Sequence[tuple[Any, ...]], suite: list[Expectation]
) -> None:
    frame = small.createDataFrame(rows, SCHEMA).coalesce(1)
    compared = [one for one in suite if not _is_decided_by_nan(one, rows)]
    ours, theirs = evaluate_suite(frame, Suite("s", tuple(compared)), gate="input"), evaluate_with_gx(frame, compared)
    differences = [
        (expectation.type, dict(expectation.kwargs), mine, their.success, their.result or their.exception_info)
        for expectation, mine, their in zip(compared, ours, theirs, strict=True)
        if _has_raised(their)
        or mine.success is not bool(their.success)
        or not _is_same_content(_to_json_content(mine.result), _to_json_content(their.result))
    ]
    assert differences == []


def _is_decided_by_nan(expectation: Expectation, rows: Sequence[tuple[Any, ...]]) -> bool:
    names = [name.split()[0] for name in SCHEMA.split(", ")]
    indexes = [names.index(name) for name in expectation.columns if name in FLOATING]
    floats = [row[index] for row in rows for index in indexes if isinstance(row[index], float)]
    return expectation.type in NAN_IS_RIGHT_HERE and any(map(math.isnan, floats))


def _has_raised(result: Any) -> bool:
    info = result.exception_info
    return any(one["raised_exception"] for one in ([info] if "raised_exception" in info else info.values()))


def _to_json_content(found: Any) -> Any:
    """As JSON, without the values of rows that only Great Expectations tells: the most common ones."""
    content = json.loads(json.dumps(dict(found), default=str))
    if content.get("element_count") == 0 and content["unexpected_count"] is None:
        content["unexpected_count"] = 0  # of no rows it says nothing, and we say none
    if (
        isinstance(content.get("observed_value"), list)
        and "details" not in content
        and not _is_column_list(content["observed_value"])
    ):
        content["observed_value"] = None
    return content


def _is_column_list(content: list[Any]) -> bool:
    return {"i", "j", "d"} <= set(map(str, content))


def _is_same_content(mine: Any, their: Any) -> bool:
    if isinstance(mine, dict) and isinstance(their, dict):
        return mine.keys() == their.keys() and all(_is_same_content(mine[name], their[name]) for name in mine)
    if isinstance(mine, int | float) and isinstance(their, str):  # a decimal there
        their = float(their)
    if isinstance(mine, float) and isinstance(their, int | float):
        return mine == pytest.approx(their, rel=1e-9, abs=1e-12)
    return bool(mine == their)
