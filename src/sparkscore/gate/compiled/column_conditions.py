"""Conditions over one column of a row. Runs on the driver, where patterns are checked before a task meets them."""

from collections.abc import Sequence
from contextlib import suppress
from functools import reduce
from typing import Any

from pyspark.sql import Column, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import BinaryType, LongType, StructType

from sparkscore.gate.compiled.arrow_literals import NoArrowForm
from sparkscore.gate.compiled.bounds import is_within_bounds
from sparkscore.gate.compiled.row_condition import RuleKwargs
from sparkscore.gate.compiled.sets import is_in_value_set
from sparkscore.gate.compiled.text_patterns import translate_java_regex
from sparkscore.predicates.exact_values import UnfitValue
from sparkscore.predicates.spark_values import (
    NUMBER_KINDS,
    TIME_KINDS,
    column_value_kind,
    is_floating,
    spark_type_name,
)
from sparkscore.spark.identifiers import quote_identifier
from sparkscore.spark.java_patterns import find_pattern_fault


def column_and_type(kwargs: RuleKwargs, schema: StructType) -> tuple[Column, Any]:
    """The column that a rule is about, and its type."""
    return F.col(quote_identifier(kwargs["column"])), schema[kwargs["column"]].dataType


def not_null_condition(kwargs: RuleKwargs, schema: StructType) -> Column:
    """Neither NULL nor NaN: what the mean of a column is made of has to be there."""
    column, type_ = column_and_type(kwargs, schema)
    return column.isNotNull() & ~F.isnan(column) if is_floating(type_) else column.isNotNull()


def null_condition(kwargs: RuleKwargs, schema: StructType) -> Column:
    """NULL or NaN."""
    return ~not_null_condition(kwargs, schema)


def between_condition(kwargs: RuleKwargs, schema: StructType) -> Column:
    """Within `min_value` and `max_value`."""
    column, type_ = column_and_type(kwargs, schema)
    if column_value_kind(type_) not in NUMBER_KINDS | TIME_KINDS:
        raise UnfitValue(f"bounds cannot be computed on a column of type {spark_type_name(type_)}")
    return is_within_bounds(column, type_, kwargs)


def in_set_condition(kwargs: RuleKwargs, schema: StructType) -> Column:
    """A value of `value_set`."""
    column, type_ = column_and_type(kwargs, schema)
    return is_in_value_set(column, type_, kwargs["value_set"])


def not_in_set_condition(kwargs: RuleKwargs, schema: StructType) -> Column:
    """No value of `value_set`."""
    return ~in_set_condition(kwargs, schema)


def lengths_between_condition(kwargs: RuleKwargs, schema: StructType) -> Column:
    """A length within `min_value` and `max_value`."""
    return is_within_bounds(_length_column(kwargs, schema), LongType(), kwargs)


def lengths_equal_condition(kwargs: RuleKwargs, schema: StructType) -> Column:
    """The length `value`."""
    value = kwargs["value"]
    return is_within_bounds(_length_column(kwargs, schema), LongType(), {"min_value": value, "max_value": value})


def _length_column(kwargs: RuleKwargs, schema: StructType) -> Column:
    column, type_ = column_and_type(kwargs, schema)
    if column_value_kind(type_) != "text" and not isinstance(type_, BinaryType):
        raise UnfitValue(f"lengths of a column of type {spark_type_name(type_)}")
    return F.length(column)


LIKE_ESCAPE = "\\"
"""Spark's own for LIKE."""


def regex_condition(kwargs: RuleKwargs, schema: StructType) -> Column:
    """Text that matches `regex`, or any (or all) of `regex_list`."""
    column, _ = column_and_type(kwargs, schema)
    regexes = kwargs.get("regex_list", [kwargs.get("regex", "(?s).*")])
    # One by one, never joined by |: flags and numbers of groups are each pattern's own.
    matches = [column.rlike(_require_java_regex(regex)) for regex in regexes]
    return _join_pattern_matches(kwargs, schema, matches)


def not_regex_condition(kwargs: RuleKwargs, schema: StructType) -> Column:
    """Text that `regex_condition` does not match."""
    return ~regex_condition(kwargs, schema)


def like_condition(kwargs: RuleKwargs, schema: StructType) -> Column:
    """Text that matches `like_pattern`, or any (or all) of `like_pattern_list`."""
    column, _ = column_and_type(kwargs, schema)
    escape = kwargs.get("escape") or LIKE_ESCAPE
    like_patterns = kwargs.get("like_pattern_list", [kwargs.get("like_pattern")])
    matches = [F.like(column, F.lit(_require_like_pattern(like, escape)), F.lit(escape)) for like in like_patterns]
    return _join_pattern_matches(kwargs, schema, matches)


def not_like_condition(kwargs: RuleKwargs, schema: StructType) -> Column:
    """Text that `like_condition` does not match."""
    return ~like_condition(kwargs, schema)


def _join_pattern_matches(kwargs: RuleKwargs, schema: StructType, matches: Sequence[Column]) -> Column:
    _, type_ = column_and_type(kwargs, schema)
    if column_value_kind(type_) != "text":
        raise UnfitValue(f"a pattern cannot match a column of type {spark_type_name(type_)}")
    return reduce(Column.__and__ if kwargs.get("match_on") == "all" else Column.__or__, matches)


def _require_java_regex(pattern: str) -> str:
    """A regular expression that Java takes.

    Jobs:    none; over Connect one over one row.
    Raises:  UnfitValue.
    """
    with suppress(NoArrowForm):
        translate_java_regex(pattern)
        return pattern
    fault = find_pattern_fault(SparkSession.active(), pattern)
    if fault is not None:
        raise UnfitValue(f"no regular expression of Java: {fault} in {pattern:.200}")
    return pattern


def _require_like_pattern(pattern: str, escape: str) -> str:
    """A LIKE pattern in which the escape character stands before %, _ or itself.

    Raises:  UnfitValue.
    """
    index = 0
    while index < len(pattern):
        if pattern[index] == escape:
            if pattern[index + 1 : index + 2] not in ("%", "_", escape):
                raise UnfitValue(f"a LIKE pattern whose {escape} stands before something else than %, _ or {escape}")
            index += 1
        index += 1
    return pattern
