"""Row rules: data with two evaluators that agree. A row that breaks a rule is rejected, not scored."""

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial, reduce
from types import MappingProxyType
from typing import Any

import pyarrow as pa
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import DoubleType, FloatType, StructType

from sparkscore.gate.compiled.arrow_forms import arrow_expectation_condition, arrow_row_condition
from sparkscore.gate.compiled.arrow_literals import NoArrowForm
from sparkscore.gate.compiled.conditions import expectation_condition
from sparkscore.gate.compiled.row_condition import compile_row_condition, condition_columns
from sparkscore.gate.reject_reasons import (
    BrokenRowsFunction,
    filled_rows_mask,
    find_reject_reasons,
    missing_rows_mask,
    null_rows_mask,
    unmet_rows_mask,
)
from sparkscore.gate.suites import Suite
from sparkscore.gate.verdict_formatting import format_expected
from sparkscore.records import RowRule, RowRules, RuleVerdict, Verdict
from sparkscore.schemas import REJECT_COLUMN
from sparkscore.spark.identifiers import quote_identifier
from sparkscore.spark.reject_column import null_reject_column, reject_column
from sparkscore.spark.type_mapping import arrow_to_spark_schema

NULL_KEY = "null_key"
MISSING_INPUT = "missing_input"
CORRUPT_RECORD = "corrupt_record"
_MESSAGE_PREFIX = "not as expected: "
_CORRUPT_MESSAGE = f"{_MESSAGE_PREFIX}a record with the source's columns and types (what was landed holds its text)"


def row_rules(
    keys: Sequence[str],
    schema: pa.Schema,
    suite: Suite | None = None,
    *,
    sensitive: Collection[str] = (),
    missing: Mapping[str, str] = MappingProxyType({}),
    corrupt: str | None = None,
) -> RowRules:
    """What is no record, where a column tells; one `null_key` rule per key that the table does not declare NOT NULL;
    then the inputs that must not be missing; then what of the suite rejects rows.

    Needs:   the keys in `schema`; `missing`, model input -> source column, whose NULL, NaN and infinities reject a row.
    """
    key_rules = [
        RowRule(NULL_KEY, f"the key {key} is NULL", NULL_KEY, {"column": key})
        for key in keys
        if schema.field(key).nullable
    ]
    reject_rules = [
        RowRule(
            expectation.rule,
            f"{_MESSAGE_PREFIX}{format_expected(expectation, hidden=expectation.judges_any(sensitive))}",
            expectation.type,
            dict(expectation.kwargs),
        )
        for expectation in (suite.reject_expectations if suite else ())
    ]
    corrupt_rules = [RowRule(CORRUPT_RECORD, _CORRUPT_MESSAGE, CORRUPT_RECORD, {"column": corrupt})] if corrupt else []
    return RowRules((*corrupt_rules, *key_rules, *_missing_input_rules(missing), *reject_rules))


def _missing_input_rules(missing: Mapping[str, str]) -> list[RowRule]:
    message = "{} is NULL, NaN or infinite"
    return [
        RowRule(f"{MISSING_INPUT}({name})", message.format(f"the input {name}"), MISSING_INPUT, {"column": column})
        for name, column in missing.items()
    ]


def rule_codes_without_arrow_form(rules: RowRules, schema: pa.Schema) -> list[str]:
    """The codes of the rules that only Spark computes reliably.

    Needs:   the rules' columns in `schema`.
    """
    return [rule.code for rule in rules.rules if _compile_rule_to_arrow(rule, schema) is None]


def spark_reject_column(rules: RowRules, schema: pa.Schema) -> Column:
    """The reason of the first broken rule; NULL where all hold.

    Needs:   the rules' columns in `schema`; in a session in UTC.
    Adds:    nothing by itself: struct<code, error, message>.
    Jobs:    none.
    Runs on: driver.
    """
    reasons = [
        F.when(
            _is_broken_in_spark(rule, _spark_schema_of_rule(rule, schema)),
            reject_column(F.lit(rule.code), F.lit(None), F.lit(rule.message)),
        )
        for rule in rules.rules
    ]
    return F.coalesce(*reasons, null_reject_column())


def has_null_key(rules: RowRules) -> Column:
    """Whether a row breaks a `null_key` rule.

    Jobs:    none.
    Runs on: driver.
    """
    absent = [F.col(quote_identifier(rule.kwargs["column"])).isNull() for rule in rules.rules if rule.kind == NULL_KEY]
    return reduce(Column.__or__, absent, F.lit(False))


def compile_arrow_reject(rules: RowRules, schema: pa.Schema) -> Callable[[pa.RecordBatch], pa.StructArray | None]:
    """A function on batches: the reason of the first broken rule, NULL where all hold; None where no row breaks one.

    It can be pickled, and runs on executors: n rows -> n structs of type `REJECT`.

    Needs:   the rules' columns in `schema`; no rule of `rule_codes_without_arrow_form`.
    Runs on: driver.
    """
    compiled = [(rule.code, rule.message, _compile_rule_to_arrow(rule, schema)) for rule in rules.rules]
    return partial(
        find_reject_reasons, [(code, message, breaks) for code, message, breaks in compiled if breaks is not None]
    )


def is_expectation_broken(kind: str, kwargs: Mapping[str, Any], schema: StructType) -> Column:
    """Whether a row breaks an expectation, true or false: what is not judged is not broken.

    Needs:   an expectation of `CONDITIONS`; its columns in `schema`.
    """
    return F.coalesce(
        compile_row_condition(kwargs, schema).null_outside(~expectation_condition(kind, kwargs, schema)), F.lit(False)
    )


def judge_rejected_rows(rules: RowRules, stage: DataFrame, *, rows: int) -> Verdict:
    """How many rows each rule has rejected: a warning where there are some.

    Needs:   `_reject`.
    Jobs:    one.
    """
    started = time.monotonic()
    counted = stage.groupBy(F.col(f"{REJECT_COLUMN}.code").alias("code")).count().collect()
    broken_by = {row["code"]: row["count"] for row in counted}
    verdicts = [
        RuleVerdict(
            rule.code,
            rule.code not in broken_by,
            _format_rejected_share(broken_by.get(rule.code, 0), rows),
            _message_without_prefix(rule),
            "warning",
        )
        for rule in rules.rules
        if rule.kind != NULL_KEY
    ]
    return Verdict("input", "rows rejected", tuple(verdicts), round(time.monotonic() - started, 3))


def _message_without_prefix(rule: RowRule) -> str:
    return rule.message.removeprefix(_MESSAGE_PREFIX)


def _format_rejected_share(rejected: int, rows: int) -> str:
    return f"{rejected:,} of {rows:,} rows rejected ({rejected / max(rows, 1):.2%})"


def _is_broken_in_spark(rule: RowRule, schema: StructType) -> Column:
    if rule.kind == NULL_KEY:
        return F.col(quote_identifier(rule.kwargs["column"])).isNull()
    if rule.kind == CORRUPT_RECORD:
        return F.col(quote_identifier(rule.kwargs["column"])).isNotNull()
    if rule.kind == MISSING_INPUT:
        return _is_missing_in_spark(rule.kwargs["column"], schema)
    return is_expectation_broken(rule.kind, rule.kwargs, schema)


def _is_missing_in_spark(name: str, schema: StructType) -> Column:
    column = F.col(quote_identifier(name))
    if not isinstance(schema[name].dataType, FloatType | DoubleType):
        return column.isNull()
    return column.isNull() | F.isnan(column) | (F.abs(column) == F.lit(float("inf")))


def _compile_rule_to_arrow(rule: RowRule, schema: pa.Schema) -> BrokenRowsFunction | None:
    if rule.kind == NULL_KEY:
        return partial(null_rows_mask, rule.kwargs["column"])
    if rule.kind == CORRUPT_RECORD:
        return partial(filled_rows_mask, rule.kwargs["column"])
    if rule.kind == MISSING_INPUT:
        return partial(missing_rows_mask, rule.kwargs["column"])
    row_condition, types = rule.kwargs.get("row_condition"), _spark_schema_of_rule(rule, schema)
    try:
        predicate = arrow_expectation_condition(rule.kind, rule.kwargs, types)
        return partial(
            unmet_rows_mask, predicate, None if row_condition is None else arrow_row_condition(row_condition, types)
        )
    except NoArrowForm:
        return None


def _spark_schema_of_rule(rule: RowRule, schema: pa.Schema) -> StructType:
    return arrow_to_spark_schema({name: schema.field(name).type for name in _columns_of_rule(rule)})


def _columns_of_rule(rule: RowRule) -> tuple[str, ...]:
    columns: list[Any] = [rule.kwargs.get(name, ()) for name in ("column", "column_A", "column_B", "column_list")]
    flat = [name for value in columns for name in ([value] if isinstance(value, str) else value)]
    return tuple(dict.fromkeys((*flat, *condition_columns(rule.kwargs.get("row_condition")))))
