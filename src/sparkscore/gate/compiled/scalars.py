"""Rules that one pass over the rows answers: conditions on rows, aggregates of columns, numbers of rows."""

import json
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from pyspark.sql import Column
from pyspark.sql import functions as F
from pyspark.sql.types import DataType, DecimalType, StructType

from sparkscore.gate.compiled.arrow_measures import (
    ArrowMeasure,
    broken_count_twin,
    deviation_twin,
    extreme_time_within_twin,
    extreme_twin,
    ignored_count_twin,
    mean_twin,
    sum_twin,
)
from sparkscore.gate.compiled.bounds import is_number_within_bounds, is_within_bounds, require_number_bounds
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
from sparkscore.gate.compiled.row_condition import RowCondition, RuleKwargs, compile_row_condition
from sparkscore.predicates.exact_values import UnfitValue
from sparkscore.predicates.spark_values import NUMBER_KINDS, TIME_KINDS, column_value_kind, spark_type_name
from sparkscore.spark.identifiers import quote_identifier

_NULLITY_RULES = {"expect_column_values_to_not_be_null": False, "expect_column_values_to_be_null": True}
"""Rules that judge NULL and NaN, and whether they expect it."""


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
    label = f"broken {kind} {_arguments_fingerprint(kwargs)}"
    broken = RuleMeasure(
        label,
        lambda: row_condition.count_where(~predicate),
        partial(broken_count_twin, label, kind, kwargs, schema, row_condition),
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


def _arguments_fingerprint(kwargs: RuleKwargs) -> str:
    """Equal arguments but for `mostly` have equal ones."""
    return json.dumps({name: kwargs[name] for name in sorted(kwargs) if name != "mostly"}, default=str)


def aggregate_rule(kind: str, kwargs: RuleKwargs, schema: StructType) -> CompiledRule:
    """A rule over one aggregate of a column. A number is judged on the driver, a time by Spark, which knows its zone.

    Raises:  UnfitValue.
    """
    aggregate, kinds = _AGGREGATES[kind]
    type_, row_condition = schema[kwargs["column"]].dataType, compile_row_condition(kwargs, schema)
    if column_value_kind(type_) not in kinds:
        raise UnfitValue(
            f"a column of type {spark_type_name(type_)} where "
            f"{' or '.join(_KIND_DESCRIPTIONS[value_kind] for value_kind in sorted(kinds))} belongs"
        )

    def aggregate_column() -> Column:
        return aggregate(row_condition.null_outside(F.col(quote_identifier(kwargs["column"]))), type_)

    name = f"{kind} {kwargs['column']} {row_condition.fingerprint}"
    twin = partial(_AGGREGATE_TWINS[kind], kwargs["column"], type_, row_condition)
    if column_value_kind(type_) not in TIME_KINDS:
        require_number_bounds(kwargs)
        measure = RuleMeasure(name, aggregate_column, twin)
        return CompiledRule(partial(_aggregate_number_result, name, kwargs), (measure,))
    within = is_within_bounds(aggregate_column(), type_, kwargs)
    is_within = RuleMeasure(
        f"{kind} within {_arguments_fingerprint(kwargs)}",
        lambda: within,
        partial(
            extreme_time_within_twin,
            kwargs["column"],
            type_,
            row_condition,
            kwargs,
            greatest=kind == "expect_column_max_to_be_between",
        ),
    )
    return CompiledRule(
        partial(_aggregate_time_result, name, is_within.name),
        (RuleMeasure(name, lambda: aggregate_column().cast("string"), twin), is_within),
    )


def _aggregate_number_result(name: str, kwargs: RuleKwargs, values: MeasuredValues) -> RuleResult:
    number = values[name]
    observed = number if number is None or isinstance(number, int) else float(number)
    return observed_value_result(is_number_within_bounds(number, kwargs), observed)


def _aggregate_time_result(name: str, is_within: str, values: MeasuredValues) -> RuleResult:
    time = values[name]
    return observed_value_result(values[is_within] is True, None if time is None else time.replace(" ", "T"))


def _overflow_safe_sum(column: Column, type_: DataType) -> Column:
    """Of whole numbers as a double, as Great Expectations does: a sum of bigints can leave their range."""
    return F.sum(column if isinstance(type_, DecimalType) else column.cast("double"))


_AGGREGATES: Mapping[str, tuple[Callable[[Column, DataType], Column], frozenset[Any]]] = {
    "expect_column_mean_to_be_between": (lambda column, _: F.avg(column), NUMBER_KINDS),
    "expect_column_stdev_to_be_between": (lambda column, _: F.stddev_samp(column), NUMBER_KINDS),
    "expect_column_sum_to_be_between": (_overflow_safe_sum, NUMBER_KINDS),
    "expect_column_min_to_be_between": (lambda column, _: F.min(column), NUMBER_KINDS | TIME_KINDS),
    "expect_column_max_to_be_between": (lambda column, _: F.max(column), NUMBER_KINDS | TIME_KINDS),
}
_AGGREGATE_TWINS: Mapping[str, Callable[[str, DataType, RowCondition], ArrowMeasure]] = {
    "expect_column_mean_to_be_between": mean_twin,
    "expect_column_stdev_to_be_between": deviation_twin,
    "expect_column_sum_to_be_between": sum_twin,
    "expect_column_min_to_be_between": partial(extreme_twin, greatest=False),
    "expect_column_max_to_be_between": partial(extreme_twin, greatest=True),
}
_KIND_DESCRIPTIONS = {
    "integer": "a number",
    "decimal": "a decimal",
    "floating": "a double",
    "date": "a date",
    "timestamp": "a time",
}


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
    **dict.fromkeys(_AGGREGATES, aggregate_rule),
    "expect_column_proportion_of_non_null_values_to_be_between": non_null_share_rule,
    "expect_table_row_count_to_be_between": row_count_rule,
    "expect_table_row_count_to_equal": row_count_rule,
}
"""By the expectation's type. One job for all of a suite's."""
