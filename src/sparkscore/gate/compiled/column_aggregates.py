"""Rules over one aggregate of a column: mean, deviation, sum, least and greatest value."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from pyspark.sql import Column
from pyspark.sql import functions as F
from pyspark.sql.types import DataType, DecimalType, StructType

from sparkscore.gate.compiled.arrow_measures import (
    ArrowMeasure,
    deviation_twin,
    extreme_time_within_twin,
    extreme_twin,
    mean_twin,
    sum_twin,
)
from sparkscore.gate.compiled.bounds import is_number_within_bounds, is_within_bounds, require_number_bounds
from sparkscore.gate.compiled.measures import (
    CompiledRule,
    MeasuredValues,
    RuleMeasure,
    RuleResult,
    observed_value_result,
)
from sparkscore.gate.compiled.row_condition import (
    RowCondition,
    RuleKwargs,
    arguments_fingerprint,
    compile_row_condition,
)
from sparkscore.predicates.exact_values import UnfitValue
from sparkscore.predicates.spark_values import NUMBER_KINDS, TIME_KINDS, column_value_kind, spark_type_name
from sparkscore.spark.identifiers import quote_identifier


def aggregate_rule(kind: str, kwargs: RuleKwargs, schema: StructType) -> CompiledRule:
    """A rule over one aggregate of a column. A number is judged on the driver, a time by Spark, which knows its zone.

    Raises:  UnfitValue.
    """
    aggregate, kinds = COLUMN_AGGREGATES[kind]
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
        f"{kind} within {arguments_fingerprint(kwargs)}",
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


COLUMN_AGGREGATES: Mapping[str, tuple[Callable[[Column, DataType], Column], frozenset[Any]]] = {
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
