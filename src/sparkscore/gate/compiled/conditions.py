"""What a row has to be like: the condition of an expectation as one Spark column, true, false, or NULL: not judged."""

from collections.abc import Callable, Mapping, Sequence
from functools import reduce
from itertools import combinations
from typing import Any

from pyspark.sql import Column
from pyspark.sql import functions as F
from pyspark.sql.types import BinaryType, LongType, StructType

from sparkscore.gate.compiled import patterns
from sparkscore.gate.compiled.bounds import is_within_bounds
from sparkscore.gate.compiled.sets import is_in_value_set
from sparkscore.gate.compiled.values import (
    NUMBER_KINDS,
    TIME_KINDS,
    UnfitArgument,
    column_value_kind,
    fit_set_values,
    is_floating,
    spark_type_name,
    to_typed_literal,
)
from sparkscore.spark.identifiers import quote_identifier

RuleKwargs = Mapping[str, Any]


def expectation_condition(kind: str, kwargs: RuleKwargs, schema: StructType) -> Column:
    """What the expectation asks of a row. `row_condition` and `mostly` are not part of it.

    Needs:   an expectation of `CONDITIONS`; its columns in `schema`.
    Jobs:    none.
    Raises:  Unfit for arguments that do not fit the columns.
    """
    return CONDITIONS[kind](kwargs, schema)


def ignored_rows_rule(kwargs: RuleKwargs) -> tuple[tuple[str, ...], bool] | None:
    """Which rows a rule over several columns leaves out, by `ignore_row_if`; None: no row.

    The columns, and whether a row is left out where all of them are NULL; else where any is.

    Needs:   `column_A` and `column_B`, or `column_list`.
    """
    pair = "column_A" in kwargs
    names = (kwargs["column_A"], kwargs["column_B"]) if pair else tuple(kwargs["column_list"])
    how = kwargs.get("ignore_row_if", "both_values_are_missing" if pair else "all_values_are_missing")
    return (
        None if how in ("neither", "never") else (names, how in ("both_values_are_missing", "all_values_are_missing"))
    )


def ignored_rows(kwargs: RuleKwargs) -> Column | None:
    """The rows of `ignored_rows_rule`; None: no row."""
    rule = ignored_rows_rule(kwargs)
    if rule is None:
        return None
    names, all_missing = rule
    joined = Column.__and__ if all_missing else Column.__or__
    return reduce(joined, [F.col(quote_identifier(name)).isNull() for name in names])


def _column_and_type(kwargs: RuleKwargs, schema: StructType) -> tuple[Column, Any]:
    return F.col(quote_identifier(kwargs["column"])), schema[kwargs["column"]].dataType


def _not_null_condition(kwargs: RuleKwargs, schema: StructType) -> Column:
    """NaN is no value either: what the mean of a column is made of has to be there."""
    column, type_ = _column_and_type(kwargs, schema)
    return column.isNotNull() & ~F.isnan(column) if is_floating(type_) else column.isNotNull()


def _null_condition(kwargs: RuleKwargs, schema: StructType) -> Column:
    return ~_not_null_condition(kwargs, schema)


def _between_condition(kwargs: RuleKwargs, schema: StructType) -> Column:
    column, type_ = _column_and_type(kwargs, schema)
    if column_value_kind(type_) not in NUMBER_KINDS | TIME_KINDS:
        raise UnfitArgument(f"bounds cannot be computed on a column of type {spark_type_name(type_)}")
    return is_within_bounds(column, type_, kwargs)


def _in_set_condition(kwargs: RuleKwargs, schema: StructType) -> Column:
    column, type_ = _column_and_type(kwargs, schema)
    return is_in_value_set(column, type_, kwargs["value_set"])


def _not_in_set_condition(kwargs: RuleKwargs, schema: StructType) -> Column:
    return ~_in_set_condition(kwargs, schema)


def _lengths_between_condition(kwargs: RuleKwargs, schema: StructType) -> Column:
    return is_within_bounds(_length_column(kwargs, schema), LongType(), kwargs)


def _lengths_equal_condition(kwargs: RuleKwargs, schema: StructType) -> Column:
    value = kwargs["value"]
    return is_within_bounds(_length_column(kwargs, schema), LongType(), {"min_value": value, "max_value": value})


def _length_column(kwargs: RuleKwargs, schema: StructType) -> Column:
    column, type_ = _column_and_type(kwargs, schema)
    if column_value_kind(type_) != "text" and not isinstance(type_, BinaryType):
        raise UnfitArgument(f"lengths of a column of type {spark_type_name(type_)}")
    return F.length(column)


def _join_pattern_matches(
    kwargs: RuleKwargs, schema: StructType, patterns_met: Sequence[Column], *, every: bool = False
) -> Column:
    _, type_ = _column_and_type(kwargs, schema)
    if column_value_kind(type_) != "text":
        raise UnfitArgument(f"a pattern cannot match a column of type {spark_type_name(type_)}")
    return reduce(Column.__and__ if every else Column.__or__, patterns_met)


def _regex_condition(kwargs: RuleKwargs, schema: StructType) -> Column:
    column, _ = _column_and_type(kwargs, schema)
    found = kwargs.get("regex_list", [kwargs.get("regex", "(?s).*")])
    # One by one, never joined by |: flags and numbers of groups are each pattern's own.
    met = [column.rlike(patterns.require_java_regex(one)) for one in found]
    return _join_pattern_matches(kwargs, schema, met, every=kwargs.get("match_on") == "all")


def _not_regex_condition(kwargs: RuleKwargs, schema: StructType) -> Column:
    return ~_regex_condition(kwargs, schema)


def _like_condition(kwargs: RuleKwargs, schema: StructType) -> Column:
    column, _ = _column_and_type(kwargs, schema)
    escape = kwargs.get("escape") or patterns.LIKE_ESCAPE
    found = kwargs.get("like_pattern_list", [kwargs.get("like_pattern")])
    met = [F.like(column, F.lit(patterns.require_like_pattern(one, escape)), F.lit(escape)) for one in found]
    return _join_pattern_matches(kwargs, schema, met, every=kwargs.get("match_on") == "all")


def _not_like_condition(kwargs: RuleKwargs, schema: StructType) -> Column:
    return ~_like_condition(kwargs, schema)


def _greater_condition(kwargs: RuleKwargs, schema: StructType) -> Column:
    first, second = _comparable_pair(kwargs, schema)
    met = (first >= second) if kwargs.get("or_equal") else first > second
    if kwargs.get("or_equal"):
        met = met | first.eqNullSafe(second)
    numbers = [
        F.col(quote_identifier(kwargs[name])) for name in _PAIR_COLUMNS if is_floating(schema[kwargs[name]].dataType)
    ]
    return _null_where_ignored(kwargs, reduce(Column.__and__, [~F.isnan(number) for number in numbers], met))


def _equal_condition(kwargs: RuleKwargs, schema: StructType) -> Column:
    first, second = _comparable_pair(kwargs, schema)
    return _null_where_ignored(kwargs, first.eqNullSafe(second))


def _pair_in_set_condition(kwargs: RuleKwargs, schema: StructType) -> Column:
    types = [schema[kwargs[name]].dataType for name in _PAIR_COLUMNS]
    pairs = [
        [[None] if value is None else fit_set_values([value], type_) for value, type_ in zip(pair, types, strict=True)]
        for pair in kwargs["value_pairs_set"]
    ]
    # As structs NULL equals NULL, which is what a pair with a NULL in the set means.
    listed = [
        F.struct(
            *[
                to_typed_literal(value, type_).alias(name)
                for (value,), type_, name in zip(pair, types, "AB", strict=True)
            ]
        )
        for pair in pairs
        if all(pair)
    ]
    found = F.struct(
        *[F.col(quote_identifier(kwargs[name])).alias(short) for name, short in zip(_PAIR_COLUMNS, "AB", strict=True)]
    )
    return _null_where_ignored(kwargs, found.isin(*listed) if listed else F.lit(False))


def _unique_within_condition(kwargs: RuleKwargs, schema: StructType) -> Column:
    names = kwargs["column_list"]
    _require_comparable_types(names, schema)
    same = [
        F.col(quote_identifier(one)).eqNullSafe(F.col(quote_identifier(other))) for one, other in combinations(names, 2)
    ]
    return _null_where_ignored(kwargs, ~reduce(Column.__or__, same))


_PAIR_COLUMNS = ("column_A", "column_B")


def _comparable_pair(kwargs: RuleKwargs, schema: StructType) -> tuple[Column, Column]:
    names = [kwargs[name] for name in _PAIR_COLUMNS]
    _require_comparable_types(names, schema)
    first, second = (F.col(quote_identifier(name)) for name in names)
    return first, second


def _require_comparable_types(names: Sequence[str], schema: StructType) -> None:
    types = [schema[name].dataType for name in names]
    kinds = {column_value_kind(type_) for type_ in types}
    one = kinds <= NUMBER_KINDS or kinds <= TIME_KINDS or kinds in ({"text"}, {"truth"})
    if not one and len(set(types)) > 1:
        raise UnfitArgument(f"columns of types {', '.join(map(spark_type_name, types))}, which cannot be compared")


def _null_where_ignored(kwargs: RuleKwargs, met: Column) -> Column:
    left_out = ignored_rows(kwargs)
    return met if left_out is None else F.when(~left_out, met)


CONDITIONS: Mapping[str, Callable[[RuleKwargs, StructType], Column]] = {
    "expect_column_values_to_not_be_null": _not_null_condition,
    "expect_column_values_to_be_null": _null_condition,
    "expect_column_values_to_be_between": _between_condition,
    "expect_column_values_to_be_in_set": _in_set_condition,
    "expect_column_values_to_not_be_in_set": _not_in_set_condition,
    "expect_column_values_to_match_regex": _regex_condition,
    "expect_column_values_to_match_regex_list": _regex_condition,
    "expect_column_values_to_not_match_regex": _not_regex_condition,
    "expect_column_values_to_not_match_regex_list": _not_regex_condition,
    "expect_column_values_to_match_like_pattern": _like_condition,
    "expect_column_values_to_match_like_pattern_list": _like_condition,
    "expect_column_values_to_not_match_like_pattern": _not_like_condition,
    "expect_column_values_to_not_match_like_pattern_list": _not_like_condition,
    "expect_column_value_lengths_to_be_between": _lengths_between_condition,
    "expect_column_value_lengths_to_equal": _lengths_equal_condition,
    "expect_column_pair_values_a_to_be_greater_than_b": _greater_condition,
    "expect_column_pair_values_to_be_equal": _equal_condition,
    "expect_column_pair_values_to_be_in_set": _pair_in_set_condition,
    "expect_select_column_values_to_be_unique_within_record": _unique_within_condition,
}
"""By the expectation's type. The rules over rows."""
