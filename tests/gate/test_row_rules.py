"""Row rules: two evaluators, one meaning."""

import subprocess
import sys
from dataclasses import replace
from typing import Any

import pyarrow as pa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyspark.sql import SparkSession

from sparkscore.gate.compiled.conditions import CONDITIONS
from sparkscore.gate.row_rules import (
    compile_arrow_reject,
    row_rules,
    rule_codes_without_arrow_form,
    spark_reject_column,
)
from sparkscore.gate.suites import Expectation, Suite
from sparkscore.records import RowRule, RowRules
from sparkscore.schemas import REJECT_TYPE
from sparkscore.spark.type_mapping import arrow_to_spark_type, spark_to_arrow_schema
from tests.gate.compiled.suites import ROWS as SUITE_ROWS
from tests.gate.compiled.suites import SCHEMA as SUITE_SCHEMA
from tests.gate.compiled.suites import suites

HOSTILE = "a `b`.c' \""
TYPES: dict[str, pa.DataType] = {
    "id": pa.int64(),
    HOSTILE: pa.string(),
    "day": pa.date32(),
    "amount": pa.decimal128(10, 2),
    "flag": pa.bool_(),
}
SCHEMA = pa.schema(TYPES)


def key_rule(code: str, column: str) -> RowRule:
    """A rule that a column is there, under some name."""
    return RowRule(code, f"the key {column} is NULL", "null_key", {"column": column})


RULE_SETS = (
    RowRules(),
    *[row_rules(SCHEMA.names[:count], SCHEMA) for count in range(1, len(SCHEMA) + 1)],
    row_rules(list(reversed(SCHEMA.names)), SCHEMA),
    RowRules((key_rule("late", "day"), key_rule("null_key", "id"))),
)
ROWS = st.lists(
    st.tuples(
        st.none() | st.integers(-(2**63), 2**63 - 1),
        st.none() | st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=5),
        st.none() | st.dates(),
        st.none() | st.decimals(-(10**7), 10**7, places=2),
        st.none() | st.booleans(),
    ),
    max_size=20,
)


def batch_of(rows: list[tuple[Any, ...]]) -> pa.RecordBatch:
    """The rows as one batch."""
    columns = zip(*rows, strict=True) if rows else [()] * len(SCHEMA)
    arrays = [pa.array(list(column), kind) for column, kind in zip(columns, SCHEMA.types, strict=True)]
    return pa.RecordBatch.from_arrays(arrays, schema=SCHEMA)


def to_reason_list(found: pa.Array | None, rows: int) -> list[Any]:
    """The reasons as Python has them; None stands for no reason in any row."""
    values: list[Any] = [None] * rows if found is None else found.to_pylist()
    return values


def test_a_row_that_breaks_no_rule_has_no_reason() -> None:
    found = compile_arrow_reject(row_rules(["id"], SCHEMA), SCHEMA)(batch_of([(1, None, None, None, None)]))
    assert found is None


def test_the_first_broken_rule_is_the_reason() -> None:
    batch = batch_of([(None, None, None, None, None), (None, "x", None, None, None)])
    found = compile_arrow_reject(row_rules([HOSTILE, "id"], SCHEMA), SCHEMA)(batch)
    assert to_reason_list(found, 2) == [
        {"code": "null_key", "error": None, "message": f"the key {HOSTILE} is NULL"},
        {"code": "null_key", "error": None, "message": "the key id is NULL"},
    ]


def test_a_key_declared_not_null_needs_no_rule() -> None:
    schema = SCHEMA.set(0, pa.field("id", pa.int64(), nullable=False))
    assert row_rules(["id", "day"], schema) == RowRules((key_rule("null_key", "day"),))


def test_the_evaluator_of_the_executors_brings_nothing_that_they_may_lack() -> None:
    lacking = "{'pyspark', 'pydantic', 'yaml', 'mlflow', 'great_expectations', 'delta'}"
    modules = "sparkscore.gate.reject_reasons, sparkscore.gate.compiled.arrow_masks"
    code = f"import sys, {modules}; print({lacking} & set(sys.modules) or 'nothing')"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "nothing"


def test_both_evaluators_agree_on_any_rows(spark: SparkSession) -> None:
    rows: list[tuple[Any, ...]] = []

    @settings(max_examples=100, database=None, suppress_health_check=list(HealthCheck))
    @given(ROWS)
    def compare_with_oracle(generated: list[tuple[Any, ...]]) -> None:
        for rules in RULE_SETS:
            batch = batch_of(generated)
            found = compile_arrow_reject(rules, SCHEMA)(batch)
            assert found is None or found.type == REJECT_TYPE
            assert to_reason_list(found, len(generated)) == [expected_reason(rules, row) for row in generated]
        rows.extend(generated)

    compare_with_oracle()
    batch = batch_of(rows)
    frame = spark.createDataFrame(pa.Table.from_batches([batch]))
    marked = frame.select(
        *[spark_reject_column(rules, SCHEMA).alias(str(index)) for index, rules in enumerate(RULE_SETS)]
    )
    assert {field.dataType for field in marked.schema} == {arrow_to_spark_type(REJECT_TYPE)}
    by_spark = marked.toArrow()
    for index, rules in enumerate(RULE_SETS):
        assert by_spark.column(index).to_pylist() == to_reason_list(
            compile_arrow_reject(rules, SCHEMA)(batch), len(rows)
        )


def expected_reason(rules: RowRules, row: tuple[Any, ...]) -> dict[str, str | None] | None:
    """The oracle: the first rule whose column is None."""
    for rule in rules.rules:
        if row[SCHEMA.names.index(rule.kwargs["column"])] is None:
            return {"code": rule.code, "error": None, "message": rule.message}
    return None


def reject_rules(expectations: list[Expectation]) -> RowRules:
    """The rules of a suite all of whose expectations reject rows."""
    rejecting = tuple(replace(expectation, rejects=True) for expectation in expectations)
    return row_rules([], pa.schema([]), Suite("s", rejecting))


ARROW_FORM_KWARGS: dict[str, dict[str, Any]] = {
    "expect_column_values_to_not_be_null": {"column": "s"},
    "expect_column_values_to_be_null": {"column": "t"},
    "expect_column_values_to_be_between": {"column": "i", "min_value": 0, "max_value": 2},
    "expect_column_values_to_be_in_set": {"column": "j", "value_set": [-2, 1]},
    "expect_column_values_to_not_be_in_set": {"column": "s", "value_set": ["", "ab"]},
    "expect_column_values_to_match_regex": {"column": "s", "regex": "^a.?$"},
    "expect_column_values_to_not_match_regex_list": {"column": "s", "regex_list": ["c", "^B"]},
    "expect_column_values_to_match_like_pattern": {"column": "s", "like_pattern": "a%"},
    "expect_column_value_lengths_to_be_between": {"column": "s", "min_value": 1, "max_value": 2},
    "expect_column_value_lengths_to_equal": {"column": "s", "value": 3},
    "expect_column_pair_values_a_to_be_greater_than_b": {"column_A": "d", "column_B": "e"},
    "expect_column_pair_values_to_be_equal": {"column_A": "d", "column_B": "e"},
    "expect_select_column_values_to_be_unique_within_record": {"column_list": ["d", "e"]},
}
ONE_OF_EACH_WITH_ARROW_FORM = [Expectation(kind, kwargs) for kind, kwargs in ARROW_FORM_KWARGS.items()]


def test_what_a_suite_rejects_is_rejected_alike_by_both_evaluators(spark: SparkSession) -> None:
    compared: set[str] = set()

    @settings(max_examples=6, database=None, suppress_health_check=list(HealthCheck))
    @given(st.lists(SUITE_ROWS, min_size=20, max_size=20), suites())
    def compare_evaluators(parts: list[list[tuple[Any, ...]]], drawn: list[Expectation]) -> None:
        frame = spark.createDataFrame([row for part in parts for row in part], SUITE_SCHEMA)
        schema, batch = spark_to_arrow_schema(frame.schema), frame.toArrow().combine_chunks()
        rules = reject_rules(
            [*ONE_OF_EACH_WITH_ARROW_FORM, *(expectation for expectation in drawn if expectation.type in CONDITIONS)]
        ).rules
        exact = [rule for rule in rules if not rule_codes_without_arrow_form(RowRules((rule,)), schema)]
        compared.update(rule.kind for rule in exact)
        marked = frame.select(
            *[
                spark_reject_column(RowRules((rule,)), schema)["code"].alias(str(index))
                for index, rule in enumerate(exact)
            ]
        ).toArrow()
        for index, rule in enumerate(exact):
            for part in batch.to_batches():
                found = to_reason_list(compile_arrow_reject(RowRules((rule,)), schema)(part), part.num_rows)
                codes = [None if reason is None else reason["code"] for reason in found]
                assert codes == marked.column(index).to_pylist(), rule

    compare_evaluators()
    assert compared >= {expectation.type for expectation in ONE_OF_EACH_WITH_ARROW_FORM}


def test_a_regular_expression_that_only_java_is_sure_of_has_no_form_in_arrow() -> None:
    rules = reject_rules([Expectation("expect_column_values_to_match_regex", {"column": "s", "regex": "(?i)^a"})])
    assert rule_codes_without_arrow_form(rules, pa.schema({"s": pa.string()})) == [
        "expect_column_values_to_match_regex(s)"
    ]
