"""The twin of a rule's measure in Arrow: what tasks aggregate, and the value that Spark's aggregate has then.

Only where that is sure to be the same value; sums, means and deviations of doubles are exact here and rounded once,
where Spark rounds at each addition, in an order that differs from run to run. Runs on the driver.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from pyspark.sql.types import DataType, DecimalType, StructType

from sparkscore.gate.aggregates.row_aggregates import (
    AggregateScope,
    DecimalSum,
    Extremes,
    NumberSum,
    RowAggregate,
    RowCount,
)
from sparkscore.gate.compiled.aggregate_values import (
    decimal_mean_value,
    decimal_sum_value,
    double_mean_value,
    double_sum_value,
    extreme_value,
    is_extreme_time_within,
    sample_deviation_value,
)
from sparkscore.gate.compiled.arrow_forms import arrow_expectation_condition, arrow_row_condition
from sparkscore.gate.compiled.arrow_literals import arrow_time
from sparkscore.gate.compiled.arrow_masks import (
    RowMaskFunction,
    ignored_rows_mask,
    inverted_mask,
    joined_mask,
    never_mask,
    null_mask,
    number_mask,
)
from sparkscore.gate.compiled.bounds import BOUNDS
from sparkscore.gate.compiled.multi_column_conditions import ignored_rows_rule
from sparkscore.gate.compiled.row_condition import RowCondition, RuleKwargs, condition_columns


@dataclass(frozen=True, slots=True)
class ArrowMeasure:
    """What tasks aggregate, and the measure's value by the part of all rows.

    `value` raises NotMeasured where the part does not say it.
    """

    aggregate: RowAggregate
    value: Callable[[Any], Any]


def row_count_twin(row_condition: RowCondition) -> ArrowMeasure:
    """How many rows there are.

    Raises:  NoArrowForm, as all of these functions.
    """
    return _count_twin("rows", (), row_condition, None)


def null_count_twin(column: str, row_condition: RowCondition) -> ArrowMeasure:
    """How many rows hold NULL."""
    return _count_twin(f"nulls {column}", (column,), row_condition, partial(null_mask, column))


def missing_count_twin(column: str, row_condition: RowCondition) -> ArrowMeasure:
    """How many rows hold NULL or NaN, in a column of floating numbers."""
    mask = partial(inverted_mask, partial(number_mask, column))
    return _count_twin(f"missing {column}", (column,), row_condition, mask)


def broken_count_twin(
    label: str, kind: str, kwargs: RuleKwargs, schema: StructType, row_condition: RowCondition
) -> ArrowMeasure:
    """How many rows are known not to meet an expectation."""
    mask = partial(inverted_mask, arrow_expectation_condition(kind, kwargs, schema))
    return _count_twin(label, _judged_columns(kwargs), row_condition, mask)


def ignored_count_twin(label: str, kwargs: RuleKwargs, row_condition: RowCondition) -> ArrowMeasure:
    """How many rows a rule over several columns leaves out."""
    rule = ignored_rows_rule(kwargs)
    mask = never_mask if rule is None else partial(ignored_rows_mask, *rule)
    return _count_twin(label, _judged_columns(kwargs), row_condition, mask)


def mean_twin(column: str, type_: DataType, row_condition: RowCondition) -> ArrowMeasure:
    """The mean; None without values."""
    return _sum_twin(column, type_, row_condition, decimal_mean_value, double_mean_value)


def sum_twin(column: str, type_: DataType, row_condition: RowCondition) -> ArrowMeasure:
    """The sum; None without values."""
    return _sum_twin(column, type_, row_condition, decimal_sum_value, double_sum_value)


def deviation_twin(column: str, type_: DataType, row_condition: RowCondition) -> ArrowMeasure:
    """The standard deviation of a sample; None of less than two values."""
    del type_  # of all numbers as doubles, as in Spark
    scope = arrow_scope(f"squares {column}", (column,), row_condition)
    return ArrowMeasure(NumberSum(scope, squares=True), sample_deviation_value)


def extreme_twin(column: str, type_: DataType, row_condition: RowCondition, *, greatest: bool) -> ArrowMeasure:
    """The least or the greatest value; a time as Spark's text in UTC. NaN is the greatest number."""
    aggregate = Extremes(arrow_scope(f"extremes {column}", (column,), row_condition))
    return ArrowMeasure(aggregate, partial(extreme_value, type_, greatest))


def extreme_time_within_twin(
    column: str, type_: DataType, row_condition: RowCondition, kwargs: RuleKwargs, *, greatest: bool
) -> ArrowMeasure:
    """Whether the least or the greatest time is within bounds; None without values."""
    limits = {name: _to_ordered_time(kwargs[name], type_) for name in BOUNDS if kwargs.get(name) is not None}
    strict = bool(kwargs.get("strict_min")), bool(kwargs.get("strict_max"))
    aggregate = Extremes(arrow_scope(f"extremes {column}", (column,), row_condition))
    return ArrowMeasure(aggregate, partial(is_extreme_time_within, greatest, limits, strict))


def arrow_scope(label: str, columns: tuple[str, ...], row_condition: RowCondition) -> AggregateScope:
    """The rows of a row condition, for an aggregate of columns."""
    condition, schema = row_condition.condition, row_condition.schema
    if condition is None or schema is None:
        return AggregateScope(f"{label} ", columns)
    names = tuple(dict.fromkeys((*columns, *condition_columns(condition))))
    return AggregateScope(f"{label} {row_condition.fingerprint}", names, arrow_row_condition(condition, schema))


def _count_twin(
    label: str, columns: tuple[str, ...], row_condition: RowCondition, mask: RowMaskFunction | None
) -> ArrowMeasure:
    scope = arrow_scope(label, columns, row_condition)
    masks = [one for one in (scope.row_condition, mask) if one is not None]
    joined = partial(joined_mask, masks, "and") if len(masks) > 1 else masks[0] if masks else None
    return ArrowMeasure(RowCount(scope, joined), int)


def _judged_columns(kwargs: RuleKwargs) -> tuple[str, ...]:
    if "column" in kwargs:
        return (kwargs["column"],)
    return tuple(kwargs.get("column_list", ())) or (kwargs["column_A"], kwargs["column_B"])


def _sum_twin(
    column: str,
    type_: DataType,
    row_condition: RowCondition,
    of_decimals: Callable[[DecimalType, Any], Any],
    of_doubles: Callable[[Any], Any],
) -> ArrowMeasure:
    if isinstance(type_, DecimalType):
        scope = arrow_scope(f"decimals {column}", (column,), row_condition)
        return ArrowMeasure(DecimalSum(scope), partial(of_decimals, type_))
    return ArrowMeasure(NumberSum(arrow_scope(f"numbers {column}", (column,), row_condition)), of_doubles)


def _to_ordered_time(bound: Any, type_: DataType) -> int:
    """A bound as days or microseconds."""
    time = arrow_time(bound, type_)
    return int(time.value)
