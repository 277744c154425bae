"""A suite in two parts, of which one verdict comes: what tasks measure, and what is left to Spark."""

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyspark.sql import DataFrame, SparkSession

from sparkscore.gate.suite_compilation import compile_gate_suite
from sparkscore.gate.suite_loading import load_suite
from sparkscore.gate.suite_measuring import (
    MeasuredRows,
    SuiteMeasuring,
    judge_measured_suite,
    limit_measured_values,
    merge_measured_values,
    plan_suite_measuring,
)
from sparkscore.gate.suites import Expectation, Suite
from sparkscore.gate.verdicts import judge_suite
from sparkscore.records import Verdict
from sparkscore.schemas import REJECT_COLUMN, REJECT_TYPE
from tests.gate.measuring import measured_states, rule_of

FLIGHTS = (
    "flight_id bigint, time_hour timestamp, carrier string, flight int, origin string, dest string, hour int,"
    " day_of_week int, distance double, temp double, dewp double, wind_speed double, pressure double, label int,"
    " prediction double"
)
NAMED = pa.schema({"id": pa.int64(), "name": pa.string(), "amount": pa.decimal128(38, 0)})
NAMED_RULES = (
    rule_of("table_row_count_to_equal", value=4),
    rule_of("column_values_to_be_unique", column="id"),
    rule_of("column_values_to_match_regex", column="name", regex="^[A-Z]"),
    rule_of("column_values_to_match_regex", column="name", regex="(?i)^[ab]"),
    rule_of("column_max_to_be_between", column="id", max_value=3),
    rule_of("column_median_to_be_between", column="id", max_value=3),
)


@pytest.mark.parametrize("name", ["flights", "predictions"])
def test_tasks_measure_all_rules_of_the_quickstart(spark: SparkSession, name: str) -> None:
    schema = spark.createDataFrame([], FLIGHTS).schema
    suite = load_suite(str(Path(__file__).parents[2] / "conf" / "expectations" / f"{name}.json")).gate_suite
    compiled = compile_gate_suite(suite, schema, "input")
    plan = plan_suite_measuring(compiled, schema, MeasuredRows(schema.names), name="input_gate")
    assert plan.remaining.expectations == ()


@pytest.fixture(scope="module")
def named(spark: SparkSession) -> tuple[DataFrame, pa.RecordBatch]:
    """Four rows, as a frame and as a batch."""
    names = ["A", "b", None, "Smith"]
    batch = pa.RecordBatch.from_pydict({"id": [1, 2, 2, 9], "name": names, "amount": [0] * 4}, NAMED)
    return spark.createDataFrame(pa.Table.from_batches([batch])).coalesce(1), batch


def _plan_named(frame: DataFrame, rules: Sequence[Expectation], **more: Any) -> SuiteMeasuring:
    sensitive = more.pop("sensitive", ())
    compiled = compile_gate_suite(Suite("s", tuple(rules)), frame.schema, "input", sensitive)
    return plan_suite_measuring(compiled, frame.schema, MeasuredRows(**{"columns": NAMED.names, **more}), name="n")


def _without_time(verdict: Verdict) -> Verdict:
    return replace(verdict, seconds=0)


@pytest.mark.parametrize("measured", [True, False])
def test_one_verdict_comes_of_what_tasks_and_spark_have_computed(
    named: tuple[DataFrame, pa.RecordBatch], measured: bool
) -> None:
    frame, batch = named
    plan = _plan_named(frame, NAMED_RULES)
    assert [one.type for one in plan.remaining.expectations] == ["expect_column_median_to_be_between"]
    states = measured_states(plan, [[batch.slice(0, 1)], [batch.slice(1)]])
    verdict = judge_measured_suite(plan, states if measured else None, lambda: frame)
    assert _without_time(verdict) == _without_time(judge_suite(frame, plan.compiled.suite, gate="input"))


def test_no_value_of_a_sensitive_column_is_kept(named: tuple[DataFrame, pa.RecordBatch]) -> None:
    frame, batch = named
    only_java = rule_of("column_values_to_match_regex", column="name", regex="(?i)^[A-Z]")
    rules = (*NAMED_RULES[:3], only_java, rule_of("column_values_to_not_be_null", column="name"))
    plan = _plan_named(frame, rules, sensitive=("id", "name"))
    assert plan.remaining.expectations == (NAMED_RULES[1], only_java)
    assert b"Smith" not in b"".join(measured_states(plan, [[batch]]))


def test_rules_over_columns_that_tasks_do_not_have_are_sparks(named: tuple[DataFrame, pa.RecordBatch]) -> None:
    plan = _plan_named(named[0], NAMED_RULES, columns=["name"])
    assert [one.rule for one in plan.remaining.expectations] == [one.rule for one in (NAMED_RULES[1], *NAMED_RULES[4:])]
    assert plan.summary is not None
    assert plan.summary.columns == ("name",)


def test_rows_without_a_prediction_are_not_judged_where_the_frame_does_not_hold_them(
    named: tuple[DataFrame, pa.RecordBatch],
) -> None:
    frame, batch = named
    plan = _plan_named(frame, NAMED_RULES[:1], scored_only=True)
    rejects = pa.array([None, None, {"code": "x", "error": None, "message": "y"}, None], REJECT_TYPE)
    values = merge_measured_values(plan, measured_states(plan, [[batch.append_column(REJECT_COLUMN, rejects)]]))
    assert list(values.values()) == [3]


def test_what_leaves_the_range_of_decimals_is_left_to_spark(named: tuple[DataFrame, pa.RecordBatch]) -> None:
    frame, batch = named
    plan = _plan_named(frame, [rule_of("column_sum_to_be_between", column="amount", min_value=0)])
    greatest = pa.array([Decimal("9" * 38)] * 4, NAMED.field("amount").type)
    full = pa.RecordBatch.from_arrays([*batch.columns[:2], greatest], schema=NAMED)
    assert merge_measured_values(plan, measured_states(plan, [[full]])) == {}
    assert list(merge_measured_values(plan, measured_states(plan, [[batch]])).values()) == [Decimal(0)]


def test_a_regular_expression_that_could_take_for_ever_is_judged_in_tasks_of_spark(
    named: tuple[DataFrame, pa.RecordBatch],
) -> None:
    rule = rule_of("column_values_to_match_regex", column="name", regex=r"^(a+)+\1$")
    assert _plan_named(named[0], [rule]).remaining.expectations == (rule,)


def test_too_many_values_are_left_to_spark(named: tuple[DataFrame, pa.RecordBatch]) -> None:
    frame, batch = named
    plan = limit_measured_values(_plan_named(frame, NAMED_RULES[1:2]), rows=2_000_000)
    ids = pa.array([*range(20_000), 0])
    rest = [pa.nulls(len(ids), NAMED.field(name).type) for name in NAMED.names[1:]]
    many = pa.RecordBatch.from_arrays([ids, *rest], schema=NAMED)
    unknown = merge_measured_values(plan, measured_states(plan, [[many]]))
    known = merge_measured_values(plan, measured_states(plan, [[batch]]))
    assert len(known) - len(unknown) == 1


def test_a_time_in_a_rule_of_dates_is_left_to_spark_in_the_zone_of_the_run(spark: SparkSession) -> None:
    schema = spark.createDataFrame([], "day date").schema
    bounds = {"column": "day", "min_value": "2013-01-01T10:00:00Z"}
    compiled = compile_gate_suite(Suite("s", (rule_of("column_values_to_be_between", **bounds),)), schema, "input")
    plan = plan_suite_measuring(compiled, schema, MeasuredRows(["day"]), name="n")
    assert plan.remaining == compiled.suite
