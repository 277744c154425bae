"""Typed filters: conditions on columns become one Spark column. Values are data, never SQL text."""

from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from functools import reduce
from typing import Any

import pyarrow as pa
from pyspark.sql import Column
from pyspark.sql import functions as F

from sparkscore.errors import ConfigError
from sparkscore.predicates.arrow_filter import ArrowCondition
from sparkscore.predicates.exact_values import UnfitValue
from sparkscore.predicates.spark_values import to_typed_literal
from sparkscore.predicates.value_fitting import fit_filter_value
from sparkscore.predicates.yaml_values import advise_form, has_other_meaning
from sparkscore.records import Condition
from sparkscore.redaction.secret_patterns import shorten_redacted
from sparkscore.spark.identifiers import quote_identifier
from sparkscore.spark.type_mapping import arrow_to_spark_type, describe_source_type

_SPARK_FILTER_OPERATORS: Mapping[str, Callable[[Column, list[Column]], Column]] = {
    "=": lambda column, values: column == values[0],
    "!=": lambda column, values: column != values[0],
    "<": lambda column, values: column < values[0],
    "<=": lambda column, values: column <= values[0],
    ">": lambda column, values: column > values[0],
    ">=": lambda column, values: column >= values[0],
    "in": lambda column, values: column.isin(*values),
    "not in": lambda column, values: ~column.isin(*values),
    "is null": lambda column, _: column.isNull(),
    "is not null": lambda column, _: column.isNotNull(),
}


def to_spark_filter(conditions: Sequence[Condition], schema: pa.Schema) -> Column:
    """The column that is true for the rows that meet all conditions; true everywhere without conditions.

    NULL as in SQL: a comparison with NULL is not true, so `!=` and `not in` skip rows where the column is NULL.
    NaN as in Spark: greater than every number.

    Needs:   the columns of the conditions in `schema`.
    Jobs:    none.
    Raises:  ConfigError naming the column, what was found and what its type takes; for a value of which YAML has made
             something else, what to write instead.
    """
    for condition in conditions:
        _refuse_unknown_type(condition, schema.field(condition.column))
        _refuse_changed_values(condition, schema.field(condition.column).type)
    return reduce(
        Column.__and__,
        [_to_spark_comparison(condition, schema.field(condition.column).type) for condition in conditions],
        F.lit(True),
    )


def _refuse_unknown_type(condition: Condition, field: pa.Field) -> None:
    """Refuse to compare a column of a type that Arrow does not have, such as variant."""
    if pa.types.is_null(field.type) and _condition_values(condition):
        raise ConfigError(
            f"the filter {condition.column} {condition.op}, and the column is of type {describe_source_type(field)}",
            "a column of numbers, text, booleans, dates or timestamps",
            "use is null or is not null, or cast the column in the source",
        )


def to_arrow_conditions(conditions: Sequence[Condition], schema: pa.Schema) -> tuple[ArrowCondition, ...]:
    """The same conditions for `predicates.arrow_filter`.

    Needs:   conditions that `to_spark_filter` takes.
    Jobs:    none.
    """
    return tuple(
        ArrowCondition(condition.column, condition.op, _arrow_values(condition, schema.field(condition.column).type))
        for condition in conditions
    )


def _arrow_values(condition: Condition, kind: pa.DataType) -> pa.Array:
    values = [
        _arrow_value(_fit_condition_value(condition, value, kind), kind) for value in _condition_values(condition)
    ]
    return pa.array(values, kind)


def _arrow_value(fitted_value: Any, kind: pa.DataType) -> object:
    if pa.types.is_timestamp(kind):
        return datetime.fromisoformat(fitted_value)
    return date.fromisoformat(fitted_value) if pa.types.is_date(kind) else fitted_value


def _to_spark_comparison(condition: Condition, kind: pa.DataType) -> Column:
    column, has_zero = F.col(quote_identifier(condition.column)), _has_zero_value(condition, kind)
    if has_zero and condition.op == "in":
        others = tuple(value for value in condition.value if value != 0)
        return _is_zero(column, kind) | (
            _to_spark_comparison(Condition(condition.column, "in", others), kind) if others else F.lit(False)
        )
    if has_zero and condition.op == "not in":
        return ~_to_spark_comparison(Condition(condition.column, "in", condition.value), kind)
    if has_zero and condition.op == "=":
        return _is_zero(column, kind)
    if has_zero and condition.op == ">=":
        return column >= to_typed_literal(-0.0, arrow_to_spark_type(kind))
    literals = [
        to_typed_literal(_fit_condition_value(condition, value, kind), arrow_to_spark_type(kind))
        for value in _condition_values(condition)
    ]
    return _SPARK_FILTER_OPERATORS[condition.op](column, literals)


def _has_zero_value(condition: Condition, kind: pa.DataType) -> bool:
    """Whether a floating column is compared with zero: Delta skips files as if -0.0 were less than 0.0."""
    return pa.types.is_floating(kind) and any(
        _fit_condition_value(condition, value, kind) == 0 for value in _condition_values(condition)
    )


def _is_zero(column: Column, kind: pa.DataType) -> Column:
    type_ = arrow_to_spark_type(kind)
    return column.between(to_typed_literal(-0.0, type_), to_typed_literal(0.0, type_))


def _condition_values(condition: Condition) -> Sequence[object]:
    if condition.op in ("is null", "is not null"):
        return ()
    return tuple(condition.value) if condition.op in ("in", "not in") else (condition.value,)


def _fit_condition_value(condition: Condition, value: object, kind: pa.DataType) -> object:
    try:
        return fit_filter_value(value, kind)
    except UnfitValue as unfit:
        raise _refused_value_error(condition, value, kind, None, str(unfit)) from unfit


def _refuse_changed_values(condition: Condition, kind: pa.DataType) -> None:
    """Refuse values that do not fit, and those that YAML reads differently from people."""
    values = _condition_values(condition)
    for value, text in zip(values, condition.yaml_texts or (None,) * len(values), strict=True):
        try:
            fit_filter_value(value, kind)
        except UnfitValue as unfit:
            raise _refused_value_error(condition, value, kind, text, str(unfit)) from unfit
        if text is not None and has_other_meaning(text, value, kind):
            raise _refused_value_error(condition, value, kind, text, "a value that can be read in one way only")


def _refused_value_error(
    condition: Condition, value: object, kind: pa.DataType, text: str | None, expected: str
) -> ConfigError:
    subject = f"the filter {condition.column} {condition.op}"
    if condition.sensitive:
        read, do = (
            "" if text is None else ", as YAML has read it",
            "change the value in source.where, or put it in quotes",
        )
        return ConfigError(
            f"{subject} *** ({type(value).__name__}{read})", f"{expected}: the column's type is {kind}", do
        )
    read = "" if text is None or text == str(value) else f": YAML reads {text or 'nothing'} as that"
    return ConfigError(
        f"{subject} {shorten_redacted(repr(value), 200)} ({type(value).__name__}){read:.300}",
        f"{expected}: the column's type is {kind}",
        advise_form(text, value, kind),
    )
