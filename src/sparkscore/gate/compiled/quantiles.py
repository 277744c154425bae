"""Median and quantiles: exact where a sketch keeps every number, else marked as approximate."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from pyspark.sql import functions as F
from pyspark.sql.types import DataType, StructType

from sparkscore.gate.compiled.bounds import is_number_within_bounds, require_number_bounds
from sparkscore.gate.compiled.measures import (
    CompiledRule,
    MeasuredValues,
    RuleMeasure,
    RuleResult,
    RuleShuffle,
    observed_value_result,
    row_count_measure,
)
from sparkscore.gate.compiled.row_condition import RowCondition, RuleKwargs, compile_row_condition
from sparkscore.predicates.exact_values import UnfitValue, to_exact_decimal
from sparkscore.predicates.spark_values import NUMBER_KINDS, column_value_kind, is_floating, spark_type_name
from sparkscore.spark.identifiers import quote_identifier

EXACT_ROWS = 1_000_000
"""Up to here quantiles are exact: each task then keeps at most so many numbers, 32 MB."""
SKETCH_ACCURACY = 20_000
"""Beyond, a quantile's rank is off by at most one in so many rows."""


def median_rule(kind: str, kwargs: RuleKwargs, schema: StructType) -> CompiledRule:
    """The middle number, or the mean of the two.

    Raises:  UnfitValue.
    """
    require_number_bounds(kwargs)
    return _sketch_rule(kind, kwargs, schema, _median_result)


def quantile_rule(kind: str, kwargs: RuleKwargs, schema: StructType) -> CompiledRule:
    """Quantiles, each one of the column's numbers.

    Raises:  UnfitValue.
    """
    ranges = kwargs["quantile_ranges"]
    for low, high in ranges["value_ranges"]:
        require_number_bounds({"min_value": low, "max_value": high})
    return _sketch_rule(kind, kwargs, schema, _quantile_result, tuple(ranges["quantiles"]))


def _sketch_rule(
    kind: str,
    kwargs: RuleKwargs,
    schema: StructType,
    evaluate: Callable[..., RuleResult],
    shares: tuple[float, ...] | None = None,
) -> CompiledRule:
    name, row_condition = kwargs["column"], compile_row_condition(kwargs, schema)
    type_, total = schema[name].dataType, row_count_measure(row_condition)
    if column_value_kind(type_) not in NUMBER_KINDS:
        raise UnfitValue(f"a column of type {spark_type_name(type_)} where a number belongs")
    sketch = f"{kind} {name} {row_condition.fingerprint} {shares}"
    shuffle = RuleShuffle(
        (name,), row_condition, (), partial(_sketch_measures, name, type_, row_condition, total, sketch, shares)
    )
    return CompiledRule(partial(evaluate, kwargs, total, sketch), (total,), shuffle)


def _sketch_measures(
    name: str,
    type_: DataType,
    row_condition: RowCondition,
    total: RuleMeasure,
    sketch: str,
    shares: tuple[float, ...] | None,
    values: MeasuredValues,
) -> tuple[RuleMeasure, ...]:
    """Quantiles that are values of the column; exact where a sketch keeps them all. NULL and NaN have no rank."""
    column, count = F.col(quote_identifier(name)), values[total.name]
    ranked = (
        F.when(~F.isnan(column), row_condition.null_outside(column))
        if is_floating(type_)
        else row_condition.null_outside(column)
    )
    levels = shares or (0.5, 0.5 + 1 / (2 + 2 * count))  # the two middle ones: the same where the count is odd
    accuracy = 2 * count + 2 if count <= EXACT_ROWS else SKETCH_ACCURACY
    return (RuleMeasure(sketch, lambda: F.percentile_approx(ranked, [float(share) for share in levels], accuracy)),)


def _median_result(kwargs: RuleKwargs, total: RuleMeasure, sketch: str, values: MeasuredValues) -> RuleResult:
    found = values[sketch]
    median = None if found is None else float(sum(map(to_exact_decimal, found)) / len(found))
    result = observed_value_result(is_number_within_bounds(median, kwargs), median)
    return RuleResult(result.success, {**result.result, **_approximation_details(values[total.name])})


def _quantile_result(kwargs: RuleKwargs, total: RuleMeasure, sketch: str, values: MeasuredValues) -> RuleResult:
    ranges = kwargs["quantile_ranges"]
    found = [None] * len(ranges["quantiles"]) if values[sketch] is None else [float(value) for value in values[sketch]]
    within = [
        is_number_within_bounds(value, {"min_value": low, "max_value": high})
        for value, (low, high) in zip(found, ranges["value_ranges"], strict=True)
    ]
    details = _approximation_details(values[total.name]).get("details", {})
    observed = {"observed_value": {"quantiles": ranges["quantiles"], "values": found}}
    return RuleResult(all(within), {**observed, "details": {"success_details": within, **details}})


def _approximation_details(count: int) -> Mapping[str, Any]:
    return {"details": {"approximate": True, "rank_error": 1 / SKETCH_ACCURACY}} if count > EXACT_ROWS else {}
