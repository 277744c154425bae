"""What a row has to be like: the condition of an expectation as one Spark column, true, false, or NULL: not judged."""

from collections.abc import Callable, Mapping, Sequence
from functools import reduce
from itertools import combinations
from typing import Any

from pyspark.sql import Column
from pyspark.sql import functions as F
from pyspark.sql.types import BinaryType, LongType, StructType

from sparkscore.gate.compiled import patterns
from sparkscore.gate.compiled.bounds import within
from sparkscore.gate.compiled.sets import among
from sparkscore.gate.compiled.values import (
    NUMBERS,
    TIMES,
    Unfit,
    fitted,
    is_floating,
    kind_of,
    literal,
    named,
)
from sparkscore.store.names import quoted

Kwargs = Mapping[str, Any]


def condition(kind: str, kwargs: Kwargs, schema: StructType) -> Column:
    """What the expectation asks of a row. `row_condition` and `mostly` are not part of it.

    Needs:   an expectation of `CONDITIONS`; its columns in `schema`.
    Jobs:    none.
    Raises:  Unfit for arguments that do not fit the columns.
    """
    return CONDITIONS[kind](kwargs, schema)


def left_out(kwargs: Kwargs) -> tuple[tuple[str, ...], bool] | None:
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


def ignored(kwargs: Kwargs) -> Column | None:
    """The rows of `left_out`; None: no row."""
    rule = left_out(kwargs)
    if rule is None:
        return None
    names, all_missing = rule
    joined = Column.__and__ if all_missing else Column.__or__
    return reduce(joined, [F.col(quoted(name)).isNull() for name in names])


def _of_column(kwargs: Kwargs, schema: StructType) -> tuple[Column, Any]:
    return F.col(quoted(kwargs["column"])), schema[kwargs["column"]].dataType


def _not_null(kwargs: Kwargs, schema: StructType) -> Column:
    """NaN is no value either: what the mean of a column is made of has to be there."""
    column, type_ = _of_column(kwargs, schema)
    return column.isNotNull() & ~F.isnan(column) if is_floating(type_) else column.isNotNull()


def _null(kwargs: Kwargs, schema: StructType) -> Column:
    return ~_not_null(kwargs, schema)


def _between(kwargs: Kwargs, schema: StructType) -> Column:
    column, type_ = _of_column(kwargs, schema)
    if kind_of(type_) not in NUMBERS | TIMES:
        raise Unfit(f"bounds cannot be computed on a column of type {named(type_)}")
    return within(column, type_, kwargs)


def _in_set(kwargs: Kwargs, schema: StructType) -> Column:
    column, type_ = _of_column(kwargs, schema)
    return among(column, type_, kwargs["value_set"])


def _not_in_set(kwargs: Kwargs, schema: StructType) -> Column:
    return ~_in_set(kwargs, schema)


def _lengths_between(kwargs: Kwargs, schema: StructType) -> Column:
    return within(_length(kwargs, schema), LongType(), kwargs)


def _lengths_equal(kwargs: Kwargs, schema: StructType) -> Column:
    value = kwargs["value"]
    return within(_length(kwargs, schema), LongType(), {"min_value": value, "max_value": value})


def _length(kwargs: Kwargs, schema: StructType) -> Column:
    column, type_ = _of_column(kwargs, schema)
    if kind_of(type_) != "text" and not isinstance(type_, BinaryType):
        raise Unfit(f"lengths of a column of type {named(type_)}")
    return F.length(column)


def _matched(kwargs: Kwargs, schema: StructType, patterns_met: Sequence[Column], *, every: bool = False) -> Column:
    _, type_ = _of_column(kwargs, schema)
    if kind_of(type_) != "text":
        raise Unfit(f"a pattern cannot match a column of type {named(type_)}")
    return reduce(Column.__and__ if every else Column.__or__, patterns_met)


def _regex(kwargs: Kwargs, schema: StructType) -> Column:
    column, _ = _of_column(kwargs, schema)
    found = kwargs.get("regex_list", [kwargs.get("regex", "(?s).*")])
    # One by one, never joined by |: flags and numbers of groups are each pattern's own.
    met = [column.rlike(patterns.regex(one)) for one in found]
    return _matched(kwargs, schema, met, every=kwargs.get("match_on") == "all")


def _no_regex(kwargs: Kwargs, schema: StructType) -> Column:
    return ~_regex(kwargs, schema)


def _like(kwargs: Kwargs, schema: StructType) -> Column:
    column, _ = _of_column(kwargs, schema)
    escape = kwargs.get("escape") or patterns.ESCAPE
    found = kwargs.get("like_pattern_list", [kwargs.get("like_pattern")])
    met = [F.like(column, F.lit(patterns.like(one, escape)), F.lit(escape)) for one in found]
    return _matched(kwargs, schema, met, every=kwargs.get("match_on") == "all")


def _not_like(kwargs: Kwargs, schema: StructType) -> Column:
    return ~_like(kwargs, schema)


def _greater(kwargs: Kwargs, schema: StructType) -> Column:
    first, second = _comparable_pair(kwargs, schema)
    met = (first >= second) if kwargs.get("or_equal") else first > second
    if kwargs.get("or_equal"):
        met = met | first.eqNullSafe(second)
    numbers = [F.col(quoted(kwargs[name])) for name in _PAIR if is_floating(schema[kwargs[name]].dataType)]
    return _judged(kwargs, reduce(Column.__and__, [~F.isnan(number) for number in numbers], met))


def _equal(kwargs: Kwargs, schema: StructType) -> Column:
    first, second = _comparable_pair(kwargs, schema)
    return _judged(kwargs, first.eqNullSafe(second))


def _pair_in_set(kwargs: Kwargs, schema: StructType) -> Column:
    types = [schema[kwargs[name]].dataType for name in _PAIR]
    pairs = [
        [[None] if value is None else fitted([value], type_) for value, type_ in zip(pair, types, strict=True)]
        for pair in kwargs["value_pairs_set"]
    ]
    # As structs NULL equals NULL, which is what a pair with a NULL in the set means.
    listed = [
        F.struct(*[literal(value, type_).alias(name) for (value,), type_, name in zip(pair, types, "AB", strict=True)])
        for pair in pairs
        if all(pair)
    ]
    found = F.struct(*[F.col(quoted(kwargs[name])).alias(short) for name, short in zip(_PAIR, "AB", strict=True)])
    return _judged(kwargs, found.isin(*listed) if listed else F.lit(False))


def _unique_within(kwargs: Kwargs, schema: StructType) -> Column:
    names = kwargs["column_list"]
    _require_one_sort(names, schema)
    same = [F.col(quoted(one)).eqNullSafe(F.col(quoted(other))) for one, other in combinations(names, 2)]
    return _judged(kwargs, ~reduce(Column.__or__, same))


_PAIR = ("column_A", "column_B")


def _comparable_pair(kwargs: Kwargs, schema: StructType) -> tuple[Column, Column]:
    names = [kwargs[name] for name in _PAIR]
    _require_one_sort(names, schema)
    first, second = (F.col(quoted(name)) for name in names)
    return first, second


def _require_one_sort(names: Sequence[str], schema: StructType) -> None:
    types = [schema[name].dataType for name in names]
    kinds = {kind_of(type_) for type_ in types}
    one = kinds <= NUMBERS or kinds <= TIMES or kinds in ({"text"}, {"truth"})
    if not one and len(set(types)) > 1:
        raise Unfit(f"columns of types {', '.join(map(named, types))}, which cannot be compared")


def _judged(kwargs: Kwargs, met: Column) -> Column:
    left_out = ignored(kwargs)
    return met if left_out is None else F.when(~left_out, met)


CONDITIONS: Mapping[str, Callable[[Kwargs, StructType], Column]] = {
    "expect_column_values_to_not_be_null": _not_null,
    "expect_column_values_to_be_null": _null,
    "expect_column_values_to_be_between": _between,
    "expect_column_values_to_be_in_set": _in_set,
    "expect_column_values_to_not_be_in_set": _not_in_set,
    "expect_column_values_to_match_regex": _regex,
    "expect_column_values_to_match_regex_list": _regex,
    "expect_column_values_to_not_match_regex": _no_regex,
    "expect_column_values_to_not_match_regex_list": _no_regex,
    "expect_column_values_to_match_like_pattern": _like,
    "expect_column_values_to_match_like_pattern_list": _like,
    "expect_column_values_to_not_match_like_pattern": _not_like,
    "expect_column_values_to_not_match_like_pattern_list": _not_like,
    "expect_column_value_lengths_to_be_between": _lengths_between,
    "expect_column_value_lengths_to_equal": _lengths_equal,
    "expect_column_pair_values_a_to_be_greater_than_b": _greater,
    "expect_column_pair_values_to_be_equal": _equal,
    "expect_column_pair_values_to_be_in_set": _pair_in_set,
    "expect_select_column_values_to_be_unique_within_record": _unique_within,
}
"""By the expectation's type. The rules over rows."""
