"""Row conditions: Great Expectations' typed conditions as a Spark column. Never SQL text."""

import json
import operator
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import reduce
from typing import Any

from pyspark.sql import Column
from pyspark.sql import functions as F
from pyspark.sql.types import DataType, StructType

from sparkscore.predicates.exact_values import UnfitValue, to_exact_decimal
from sparkscore.predicates.spark_values import (
    NUMBER_KINDS,
    TIME_KINDS,
    column_value_kind,
    fit_set_values,
    spark_type_name,
    to_time_literal,
    to_typed_literal,
)
from sparkscore.spark.identifiers import quote_identifier

RuleKwargs = Mapping[str, Any]
"""The arguments of an expectation, by name."""

MAX_CONDITIONS = 100
"""Great Expectations' own limit."""

_SPARK_OPERATORS: Mapping[str, Callable[[Column, Column], Column]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_LIST_OPERATORS = ("IN", "NOT_IN")
_SPARK_JOINS: Mapping[str, Callable[[Column, Column], Column]] = {"and": Column.__and__, "or": Column.__or__}
_CONDITION_FIELDS: Mapping[str, frozenset[str]] = {
    "comparison": frozenset({"type", "column", "operator", "parameter"}),
    "nullity": frozenset({"type", "column", "is_null"}),
    "and": frozenset({"type", "conditions"}),
    "or": frozenset({"type", "conditions"}),
}


@dataclass(frozen=True, slots=True)
class RowCondition:
    """The rows that an expectation judges."""

    fingerprint: str = ""
    """Equal conditions have equal ones; empty: all rows."""
    predicate: Column | None = None
    condition: Any = None
    """As Great Expectations has it, of columns in `schema`."""
    schema: StructType | None = None

    def count_where(self, condition: Column) -> Column:
        """How many of the rows meet a condition."""
        predicate = condition if self.predicate is None else self.predicate & condition
        return F.count(F.when(predicate, 1))

    def count_rows(self) -> Column:
        """How many rows there are."""
        return F.count(F.lit(1)) if self.predicate is None else self.count_where(F.lit(True))

    def null_outside(self, value: Column) -> Column:
        """A value, NULL outside these rows."""
        return value if self.predicate is None else F.when(self.predicate, value)


ALL_ROWS = RowCondition()


def compile_row_condition(kwargs: Mapping[str, Any], schema: StructType) -> RowCondition:
    """The rows that an expectation's `row_condition` leaves.

    NULL as in SQL: a comparison with NULL leaves the row out. NaN as in Spark: greater than every number.

    Needs:   a condition that `find_condition_fault` lets pass, of columns in `schema`.
    Jobs:    none.
    Raises:  UnfitValue for a value that does not fit its column.
    """
    condition = kwargs.get("row_condition")
    if condition is None:
        return ALL_ROWS
    fingerprint = json.dumps(condition, sort_keys=True, default=str)
    return RowCondition(fingerprint, _row_condition_column(condition, schema), condition, schema)


def arguments_fingerprint(kwargs: RuleKwargs) -> str:
    """Equal arguments but for `mostly` have equal ones."""
    return json.dumps({name: kwargs[name] for name in sorted(kwargs) if name != "mostly"}, default=str)


def find_condition_fault(condition: object) -> str | None:
    """What is wrong with the form of a condition; None where it is right."""
    if isinstance(condition, str):
        return "SQL text: it would run in the session"
    try:
        leaves = list(_condition_leaves(condition))
    except UnfitValue as unfit:
        return str(unfit)
    return None if len(leaves) <= MAX_CONDITIONS else f"{len(leaves)} comparisons, {MAX_CONDITIONS} at most"


def condition_columns(condition: object) -> tuple[str, ...]:
    """The columns that a condition compares, each once."""
    if condition is None:
        return ()
    return tuple(dict.fromkeys(leaf["column"]["name"] for leaf in _condition_leaves(condition)))


def format_row_condition(condition: Any) -> str:
    """A condition for people: `month >= 10 and carrier is not NULL`."""
    if condition["type"] in _SPARK_JOINS:
        parts = [format_row_condition(part) for part in condition["conditions"]]
        return f" {condition['type']} ".join(f"({part})" if " and " in part else part for part in parts)
    name = condition["column"]["name"]
    if condition["type"] == "nullity":
        return f"{name} is {'' if condition['is_null'] else 'not '}NULL"
    found = condition["parameter"]
    value = ", ".join(map(str, found[:10])) + (" …" if len(found) > 10 else "") if isinstance(found, list) else found
    return f"{name} {condition['operator'].replace('_', ' ').lower()} {value}"


def _condition_leaves(condition: Any, within: tuple[str, ...] = ()) -> Iterator[Mapping[str, Any]]:
    """The comparisons of a condition.

    Raises:  UnfitValue for anything that is not of Great Expectations' form.
    """
    kind = str(condition.get("type")) if isinstance(condition, dict) else ""
    if kind not in _CONDITION_FIELDS:
        raise UnfitValue(f"a condition of type {kind}" if kind else "anything but a typed condition")
    if set(condition) != _CONDITION_FIELDS[kind]:
        raise UnfitValue(
            f"a {kind} of {', '.join(sorted(condition))}: {', '.join(sorted(_CONDITION_FIELDS[kind]))} belong there"
        )
    if kind in _SPARK_JOINS:
        if kind == "or" and within:
            raise UnfitValue(f"an or within an {within[-1]}")
        if not isinstance(condition["conditions"], list) or not condition["conditions"]:
            raise UnfitValue(f"an {kind} without conditions")
        for part in condition["conditions"]:
            yield from _condition_leaves(part, (*within, kind))
        return
    _check_condition_leaf(condition, kind)
    yield condition


def _check_condition_leaf(condition: Mapping[str, Any], kind: str) -> None:
    column = condition["column"]
    if not isinstance(column, dict) or not isinstance(column.get("name"), str):
        raise UnfitValue("a condition without the name of a column")
    if kind == "nullity":
        if not isinstance(condition["is_null"], bool):
            raise UnfitValue("is_null is neither true nor false")
        return
    values = condition["parameter"]
    if condition["operator"] in _LIST_OPERATORS:
        if not isinstance(values, list) or not values or not all(_is_condition_scalar(value) for value in values):
            raise UnfitValue(f"{condition['operator']} without a list of at least one value")
    elif condition["operator"] not in _SPARK_OPERATORS or not _is_condition_scalar(values):
        raise UnfitValue(f"the comparison {condition['operator']}, or what is compared, is unknown")


def _is_condition_scalar(value: object) -> bool:
    return isinstance(value, bool | int | float | str)


def _row_condition_column(condition: Mapping[str, Any], schema: StructType) -> Column:
    if condition["type"] in _SPARK_JOINS:
        return reduce(
            _SPARK_JOINS[condition["type"]], [_row_condition_column(part, schema) for part in condition["conditions"]]
        )
    name = condition["column"]["name"]
    column, type_ = F.col(quote_identifier(name)), schema[name].dataType
    if condition["type"] == "nullity":
        return column.isNull() if condition["is_null"] else column.isNotNull()
    try:
        return _comparison_column(column, type_, condition["operator"], condition["parameter"])
    except UnfitValue as unfit:
        raise UnfitValue(f"row_condition compares {name} with {unfit}") from None


def _comparison_column(column: Column, type_: DataType, comparison: str, value: Any) -> Column:
    if comparison in _LIST_OPERATORS:
        values = [to_typed_literal(fitted, type_) for fitted in fit_set_values(value, type_)]
        listed = column.isin(*values) if values else F.lit(False)
        return listed if comparison == "IN" else column.isNotNull() & ~listed
    return _SPARK_OPERATORS[comparison](column, _parameter_literal(value, type_))


def _parameter_literal(value: Any, type_: DataType) -> Column:
    kind = column_value_kind(type_)
    if kind in TIME_KINDS:
        return to_time_literal(value, type_)
    if kind in NUMBER_KINDS:
        fitted = fit_set_values([value], type_)
        return to_typed_literal(fitted[0], type_) if fitted else F.lit(float(to_exact_decimal(value)))
    if kind == "other":
        raise UnfitValue(f"a value, and is of type {spark_type_name(type_)}")
    return to_typed_literal(fit_set_values([value], type_)[0], type_)
