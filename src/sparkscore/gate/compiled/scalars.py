"""Rules that one pass over the rows answers: conditions on rows, aggregates of columns, numbers of rows."""

import re
from collections.abc import Callable, Mapping
from functools import partial

from pyspark.sql import Column
from pyspark.sql import functions as F
from pyspark.sql.types import StructType

from sparkscore.gate.compiled.arrow_literals import NoArrowForm
from sparkscore.gate.compiled.arrow_measures import (
    ArrowMeasure,
    broken_count_twin,
    ignored_count_twin,
)
from sparkscore.gate.compiled.arrow_value_measures import broken_values_twin
from sparkscore.gate.compiled.bounds import is_number_within_bounds, require_number_bounds
from sparkscore.gate.compiled.column_aggregates import COLUMN_AGGREGATES, aggregate_rule
from sparkscore.gate.compiled.conditions import CONDITIONS, expectation_condition
from sparkscore.gate.compiled.measures import (
    CompiledRule,
    MeasuredValues,
    RuleMeasure,
    RuleResult,
    map_rule_result,
    missing_count_measure,
    null_count_measure,
    observed_value_result,
    row_count_measure,
)
from sparkscore.gate.compiled.multi_column_conditions import ignored_rows
from sparkscore.gate.compiled.row_condition import (
    RowCondition,
    RuleKwargs,
    arguments_fingerprint,
    compile_row_condition,
)
from sparkscore.predicates.spark_values import TIME_KINDS, column_value_kind

_NULLITY_RULES = {"expect_column_values_to_not_be_null": False, "expect_column_values_to_be_null": True}
"""Rules that judge NULL and NaN, and whether they expect it."""


_BACK_REFERENCE = re.compile(r"\\[1-9k]")


def condition_rule(kind: str, kwargs: RuleKwargs, schema: StructType) -> CompiledRule:
    """A rule over rows: how many there are, are not judged, and break it.

    Raises:  UnfitValue.
    """
    row_condition, mostly = compile_row_condition(kwargs, schema), kwargs.get("mostly", 1)
    total, predicate = row_count_measure(row_condition), expectation_condition(kind, kwargs, schema)
    if kind in _NULLITY_RULES:
        missing = missing_count_measure(kwargs["column"], schema, row_condition)
        return CompiledRule(
            partial(_nullity_result, total, missing, expects_null=_NULLITY_RULES[kind], mostly=mostly), (total, missing)
        )
    ignored = (
        null_count_measure(kwargs["column"], row_condition)
        if "column" in kwargs
        else _ignored_rows_measure(kwargs, row_condition)
    )
    label = f"broken {kind} {arguments_fingerprint(kwargs)}"
    broken = RuleMeasure(
        label,
        lambda: row_condition.count_where(~predicate),
        partial(_broken_rows_twin, label, kind, kwargs, schema, row_condition, predicate),
    )
    return CompiledRule(partial(_condition_result, total, ignored, broken, mostly=mostly), (total, ignored, broken))


def _nullity_result(
    total: RuleMeasure, missing: RuleMeasure, values: MeasuredValues, *, expects_null: bool, mostly: float
) -> RuleResult:
    elements, found = values[total.name], values[missing.name]
    return map_rule_result(
        elements=elements, nonnull=None, broken=elements - found if expects_null else found, mostly=mostly
    )


def _condition_result(
    total: RuleMeasure, ignored: RuleMeasure, broken: RuleMeasure, values: MeasuredValues, *, mostly: float
) -> RuleResult:
    elements = values[total.name]
    nonnull = elements - values[ignored.name]
    return map_rule_result(elements=elements, nonnull=nonnull, broken=values[broken.name], mostly=mostly)


def _ignored_rows_measure(kwargs: RuleKwargs, row_condition: RowCondition) -> RuleMeasure:
    names = [kwargs.get(name) for name in ("column_A", "column_B", "column_list", "ignore_row_if")]

    def count_ignored() -> Column:
        predicate = ignored_rows(kwargs)
        return row_condition.count_where(F.lit(False) if predicate is None else predicate)

    label = f"ignored {names} {row_condition.fingerprint}"
    return RuleMeasure(label, count_ignored, partial(ignored_count_twin, label, kwargs, row_condition))


def _broken_rows_twin(
    label: str, kind: str, kwargs: RuleKwargs, schema: StructType, row_condition: RowCondition, predicate: Column
) -> ArrowMeasure:
    """In Arrow; what only Spark can judge, such as a regular expression, by the values of a column that has few."""
    try:
        return broken_count_twin(label, kind, kwargs, schema, row_condition)
    except NoArrowForm:
        if "column" not in kwargs or _has_back_reference(kwargs):
            raise
        if column_value_kind(schema[kwargs["column"]].dataType) in TIME_KINDS:  # the zone is that of the run's session
            raise
        return broken_values_twin(kwargs["column"], schema, row_condition, predicate)


def _has_back_reference(kwargs: RuleKwargs) -> bool:
    """Whether a regular expression could take for ever: a task can be ended, what Spark does while it plans cannot."""
    return any(_BACK_REFERENCE.search(regex) for regex in (kwargs.get("regex") or "", *kwargs.get("regex_list", ())))


def non_null_share_rule(_: str, kwargs: RuleKwargs, schema: StructType) -> CompiledRule:
    """The proportion of rows that hold a value.

    Raises:  UnfitValue.
    """
    require_number_bounds(kwargs)
    row_condition = compile_row_condition(kwargs, schema)
    total, missing = row_count_measure(row_condition), missing_count_measure(kwargs["column"], schema, row_condition)
    return CompiledRule(partial(_non_null_share_result, total, missing, kwargs), (total, missing))


def _non_null_share_result(
    total: RuleMeasure, missing: RuleMeasure, kwargs: RuleKwargs, values: MeasuredValues
) -> RuleResult:
    elements = values[total.name]
    share = (elements - values[missing.name]) / elements if elements else 0
    return observed_value_result(is_number_within_bounds(share, kwargs), share)


def row_count_rule(_: str, kwargs: RuleKwargs, schema: StructType) -> CompiledRule:
    """The number of rows.

    Raises:  UnfitValue.
    """
    bounds = {"min_value": kwargs["value"], "max_value": kwargs["value"]} if "value" in kwargs else kwargs
    require_number_bounds(bounds)
    total = row_count_measure(compile_row_condition(kwargs, schema))
    return CompiledRule(partial(_row_count_result, total, bounds), (total,))


def _row_count_result(total: RuleMeasure, kwargs: RuleKwargs, values: MeasuredValues) -> RuleResult:
    return observed_value_result(is_number_within_bounds(values[total.name], kwargs), values[total.name])


SCALAR_RULES: Mapping[str, Callable[[str, RuleKwargs, StructType], CompiledRule]] = {
    **dict.fromkeys(CONDITIONS, condition_rule),
    **dict.fromkeys(COLUMN_AGGREGATES, aggregate_rule),
    "expect_column_proportion_of_non_null_values_to_be_between": non_null_share_rule,
    "expect_table_row_count_to_be_between": row_count_rule,
    "expect_table_row_count_to_equal": row_count_rule,
}
"""By the expectation's type. One job for all of a suite's."""
