"""What tasks measure beside the pass over the rows against Spark's own aggregation: equal findings, rule by rule."""

import math
from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.types import StructType

from sparkscore.gate.suite_measuring import (
    SuiteMeasuring,
    merge_measured_values,
)
from sparkscore.gate.suites import Expectation
from sparkscore.gate.verdicts import evaluate_compiled_suite
from sparkscore.spark.type_mapping import arrow_to_spark_type, spark_to_arrow_schema
from tests.examples import examples, more_examples_in_slow
from tests.gate.compiled.suites import ROWS, SCHEMA, suites
from tests.gate.measuring import cut_rows, measured_states, plan_measuring, refuse_frame, rule_of

NUMBERS = {
    "tiny": pa.int8(),
    "small": pa.int16(),
    "medium": pa.int32(),
    "large": pa.int64(),
    "single": pa.float32(),
    "double": pa.float64(),
    "money": pa.decimal128(10, 2),
    "wide": pa.decimal128(38, 6),
}
TIMES = {"day": pa.date32(), "zoned": pa.timestamp("us", "UTC"), "local": pa.timestamp("us")}
TYPES = pa.schema({**NUMBERS, **TIMES, "text": pa.string(), "flag": pa.bool_(), "raw": pa.binary()})

_SPECIAL = [0.0, -0.0, 1.5, -2.25, 1e300, -1e300, 5e-324, 0.1, math.inf, -math.inf, math.nan]
_DATES = st.dates(date(1, 1, 1), date(9999, 12, 31))
_MOMENTS = st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30))  # noqa: DTZ001 -- of no zone, and of UTC
_DRAWS: dict[str, st.SearchStrategy[Any]] = {
    "tiny": st.integers(-(2**7), 2**7 - 1),
    "small": st.integers(-(2**15), 2**15 - 1),
    "medium": st.integers(-(2**31), 2**31 - 1),
    "large": st.sampled_from([-3, 0, 1, 2]) | st.integers(-(2**63), 2**63 - 1),
    "single": st.sampled_from([0.0, -0.0, 1.5, -2.25, 0.1, math.inf, math.nan]) | st.floats(width=32),
    "double": st.sampled_from(_SPECIAL) | st.floats(-1e6, 1e6),
    "money": st.decimals(-(10**8) + 1, 10**8 - 1, places=2),
    "wide": st.decimals(-(10**20), 10**20, places=6),
    "day": _DATES,
    "zoned": _MOMENTS.map(lambda moment: moment.replace(tzinfo=UTC)),
    "local": _MOMENTS,
    "text": st.sampled_from(["", "a", "ab", "é", "B"]),
    "flag": st.booleans(),
    "raw": st.binary(max_size=3),
}
TYPED_ROWS = st.lists(st.tuples(*[st.none() | _DRAWS[name] for name in TYPES.names]), max_size=12)
_LARGE = {"type": "comparison", "column": {"name": "large"}, "operator": ">=", "parameter": 0}
_DOUBLE = {"type": "comparison", "column": {"name": "double"}, "operator": ">", "parameter": 0.5}


def typed_rules() -> list[Expectation]:
    """Each sort of rule over each type that it takes, with and without a row condition."""
    rules = [
        rule_of("table_row_count_to_equal", value=3),
        rule_of("table_row_count_to_equal", value=1, row_condition=_LARGE),
    ]
    for name in TYPES.names:
        rules += [
            rule_of("column_values_to_not_be_null", column=name, mostly=0.5),
            rule_of("column_values_to_be_null", column=name, row_condition=_DOUBLE),
            rule_of("column_proportion_of_non_null_values_to_be_between", column=name, min_value=0.5),
        ]
    for name in NUMBERS:
        for kind in ("mean", "stdev", "sum", "min", "max"):
            rules.append(rule_of(f"column_{kind}_to_be_between", column=name, min_value=-1.5, max_value=1000))
        rules.append(rule_of("column_mean_to_be_between", column=name, max_value=0, row_condition=_LARGE))
        rules.append(rule_of("column_values_to_be_between", column=name, min_value=0, max_value=1.5, strict_min=True))
    for name in TIMES:
        bounds = {"min_value": "1700-01-01", "max_value": "2100-12-31"}
        rules.append(rule_of("column_min_to_be_between", column=name, **bounds))
        rules.append(rule_of("column_max_to_be_between", column=name, **bounds, strict_max=True))
        rules.append(rule_of("column_max_to_be_between", column=name, row_condition=_DOUBLE))
        rules.append(rule_of("column_values_to_be_between", column=name, **bounds, mostly=0.5))
    for name in TYPES.names:
        rules.append(rule_of("column_values_to_be_unique", column=name, mostly=0.5))
        rules.append(rule_of("column_unique_value_count_to_be_between", column=name, max_value=3, row_condition=_LARGE))
    for name in ("money", "wide"):
        some = {"type": "comparison", "column": {"name": name}, "operator": "<", "parameter": 1.5}
        rules.append(rule_of("column_values_to_be_in_set", column=name, value_set=[0, 1.5, 1e30], row_condition=some))
        rules.append(rule_of("column_values_to_be_between", column=name, max_value=0.001, strict_max=True))
        rules.append(rule_of("column_values_to_be_between", column=name, min_value=-1e30, max_value=0))
        rules.append(rule_of("column_values_to_not_be_in_set", column="double", value_set=[0.0], row_condition=some))
    rules.append(rule_of("column_pair_values_a_to_be_greater_than_b", column_A="tiny", column_B="large"))
    rules.append(rule_of("column_values_to_match_regex", column="text", regex="^a?$", row_condition=_LARGE))
    rules.append(rule_of("column_values_to_match_regex", column="text", regex="(?i)^b", row_condition=_LARGE))
    rules.append(rule_of("column_values_to_not_match_regex_list", column="text", regex_list=["^a$", "b"]))
    rules.append(
        rule_of("column_values_to_match_regex_list", column="text", regex_list=["a", "b"], match_on="all", mostly=0.5)
    )
    rules.append(rule_of("column_values_to_not_match_like_pattern", column="text", like_pattern="a%"))
    rules.append(rule_of("column_value_lengths_to_be_between", column="raw", min_value=1, max_value=2))
    rules.append(rule_of("column_value_lengths_to_equal", column="text", value=1))
    return rules


def find_differences(
    frame: DataFrame, measuring: SuiteMeasuring, parts: Sequence[Sequence[pa.RecordBatch]]
) -> list[Any]:
    """The rules whose findings differ between the tasks' states and Spark."""
    values = merge_measured_values(measuring, measured_states(measuring, parts))
    unknown = {name for name, _ in measuring.twins} - values.keys()
    assert all("stdev" in name for name in unknown)  # of numbers whose squares are beyond all doubles
    ours = evaluate_compiled_suite(lambda: frame if unknown else refuse_frame(), measuring.compiled, values)
    theirs = evaluate_compiled_suite(lambda: frame, measuring.compiled)
    return [
        (expectation.type, dict(expectation.kwargs), mine, their)
        for expectation, mine, their in zip(measuring.compiled.suite.expectations, ours, theirs, strict=True)
        if mine.success is not their.success or not is_same_finding(mine.result, their.result)
    ]


def is_same_finding(mine: Any, their: Any) -> bool:
    """Equal, but for the last digits of doubles, which Spark adds up in any order."""
    if isinstance(mine, dict):
        return mine.keys() == their.keys() and all(is_same_finding(mine[name], their[name]) for name in mine)
    if isinstance(mine, float) and isinstance(their, float):
        return mine == pytest.approx(their, rel=1e-9, abs=1e-9)
    return type(mine) is type(their) and bool(mine == their)


@pytest.fixture(scope="module")
def small(spark: SparkSession) -> SparkSession:
    """A session for queries over a few rows."""
    session = spark.newSession()
    session.conf.set("spark.sql.shuffle.partitions", "1")
    session.conf.set("spark.sql.adaptive.enabled", "false")
    return session


_FEW = settings(
    max_examples=examples(3, slow=20), suppress_health_check=list(HealthCheck), database=None, phases=[Phase.generate]
)


@more_examples_in_slow
@_FEW
@given(rows=TYPED_ROWS, seed=st.integers())
def test_rules_over_every_type_find_what_spark_finds(
    small: SparkSession, rows: list[tuple[Any, ...]], seed: int
) -> None:
    columns = zip(*rows, strict=True) if rows else [()] * len(TYPES)
    arrays = [pa.array(list(column), kind) for column, kind in zip(columns, TYPES.types, strict=True)]
    batch = pa.RecordBatch.from_arrays(arrays, schema=TYPES)
    schema = StructType()
    for field in TYPES:
        schema = schema.add(field.name, arrow_to_spark_type(field.type))
    frame = small.createDataFrame(pa.Table.from_batches([batch]), schema).coalesce(1)
    assert find_differences(frame, plan_measuring(typed_rules(), frame.schema), cut_rows(batch, seed)) == []


@more_examples_in_slow
@_FEW
@given(rows=ROWS, suite=suites(), seed=st.integers())
def test_random_suites_find_what_spark_finds(
    small: SparkSession, rows: list[tuple[Any, ...]], suite: list[Expectation], seed: int
) -> None:
    frame = small.createDataFrame(rows, SCHEMA).coalesce(1)
    batches = (
        pa.Table.from_pylist(
            [dict(zip(frame.columns, row, strict=True)) for row in rows], spark_to_arrow_schema(frame.schema)
        )
        .combine_chunks()
        .to_batches()
    )
    batch = batches[0] if batches else pa.RecordBatch.from_pylist([], spark_to_arrow_schema(frame.schema))
    assert find_differences(frame, plan_measuring(suite, frame.schema), cut_rows(batch, seed)) == []
