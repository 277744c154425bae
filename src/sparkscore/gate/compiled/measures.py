"""What is measured for an expectation, and what becomes of it. Equal measures have equal names and are taken once."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from pyspark.sql import Column
from pyspark.sql import functions as F
from pyspark.sql.types import StructType

from sparkscore.gate.compiled.arrow_measures import (
    ArrowMeasure,
    missing_count_twin,
    null_count_twin,
    row_count_twin,
)
from sparkscore.gate.compiled.row_condition import ALL_ROWS, RowCondition
from sparkscore.predicates.spark_values import is_floating
from sparkscore.spark.identifiers import quote_identifier

MeasuredValues = Mapping[str, Any]
"""What was measured, by the measures' names."""


@dataclass(frozen=True, slots=True)
class RuleMeasure:
    """One aggregate. Its column is made when it is taken: once, however many rules share it."""

    name: str
    column: Callable[[], Column]
    twin: Callable[[], ArrowMeasure] | None = None
    """The same in Arrow, made when it is asked for: raises NoArrowForm where that is not sure to be the same."""


@dataclass(frozen=True, slots=True)
class RuleResult:
    """What an expectation found: the two parts of Great Expectations' own result that say it."""

    success: bool
    result: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class RuleShuffle:
    """What an expectation needs of its columns' values, which a shuffle brings together."""

    columns: tuple[str, ...]
    row_condition: RowCondition = ALL_ROWS
    value_measures: tuple[RuleMeasure, ...] = ()
    """Aggregates over one row per value: `shuffled_value(0)` and the following, and its `value_row_count`."""
    sketches: Callable[[MeasuredValues], tuple[RuleMeasure, ...]] | None = None
    """Aggregates over the rows, which depend on how many there are."""


@dataclass(frozen=True, slots=True)
class CompiledRule:
    """An expectation that is ready to be computed."""

    evaluate: Callable[[MeasuredValues], RuleResult]
    measures: tuple[RuleMeasure, ...] = ()
    shuffle: RuleShuffle | None = None


def row_count_measure(row_condition: RowCondition) -> RuleMeasure:
    """How many rows there are."""
    return RuleMeasure(
        f"rows{row_condition.fingerprint}", row_condition.count_rows, partial(row_count_twin, row_condition)
    )


def null_count_measure(column: str, row_condition: RowCondition) -> RuleMeasure:
    """How many rows hold NULL."""
    return RuleMeasure(
        f"nulls {column} {row_condition.fingerprint}",
        lambda: row_condition.count_where(F.col(quote_identifier(column)).isNull()),
        partial(null_count_twin, column, row_condition),
    )


def missing_count_measure(column: str, schema: StructType, row_condition: RowCondition) -> RuleMeasure:
    """How many rows hold NULL or NaN."""
    if not is_floating(schema[column].dataType):
        return null_count_measure(column, row_condition)

    def count_missing() -> Column:
        value = F.col(quote_identifier(column))
        return row_condition.count_where(value.isNull() | F.isnan(value))

    return RuleMeasure(
        f"missing {column} {row_condition.fingerprint}",
        count_missing,
        partial(missing_count_twin, column, row_condition),
    )


def shuffled_value(index: int) -> Column:
    """One of the columns whose values a shuffle has brought together."""
    return F.col(f"value{index}")


def value_row_count(row_condition: RowCondition) -> Column:
    """How many of the rows hold the value; 0 where only other rows do."""
    return F.col(quote_identifier(row_count_measure(row_condition).name))


def map_rule_result(*, elements: int, nonnull: int | None, broken: int, mostly: float = 1) -> RuleResult:
    """The result of a rule over rows, as Great Expectations words it in the format BASIC, without examples.

    `nonnull`: how many rows were judged; None where NULL is what is judged.
    """
    judged = elements if nonnull is None else nonnull
    found: dict[str, Any] = {
        "element_count": elements,
        "unexpected_count": broken,
        "unexpected_percent": _percent_or_none(broken, judged),
        "partial_unexpected_list": [],
    }
    if nonnull is not None:
        found |= {
            "missing_count": elements - nonnull,
            "missing_percent": _percent_or_none(elements - nonnull, elements),
            "unexpected_percent_total": _percent_or_none(broken, elements),
            "unexpected_percent_nonmissing": found["unexpected_percent"],
        }
    return RuleResult(judged == 0 or (judged - broken) / judged >= mostly, found)


def observed_value_result(success: bool, value: Any) -> RuleResult:
    """The result of a rule over one number; NaN is no number."""
    return RuleResult(success, {"observed_value": None if isinstance(value, float) and math.isnan(value) else value})


def _percent_or_none(part: int, total: int) -> float | None:
    return part / total * 100 if total else None
