"""Conditions over several columns of a row, and the rows that they ignore."""

from collections.abc import Sequence
from functools import reduce
from itertools import combinations

from pyspark.sql import Column
from pyspark.sql import functions as F
from pyspark.sql.types import StructType

from sparkscore.gate.compiled.row_condition import RuleKwargs
from sparkscore.predicates.exact_values import UnfitValue
from sparkscore.predicates.spark_values import (
    NUMBER_KINDS,
    TIME_KINDS,
    column_value_kind,
    fit_set_values,
    is_floating,
    spark_type_name,
    to_typed_literal,
)
from sparkscore.spark.identifiers import quote_identifier


def ignored_rows_rule(kwargs: RuleKwargs) -> tuple[tuple[str, ...], bool] | None:
    """Which rows a rule over several columns leaves out, by `ignore_row_if`; None: no row.

    The columns, and whether a row is left out where all of them are NULL; else where any is.

    Needs:   `column_A` and `column_B`, or `column_list`.
    """
    pair = "column_A" in kwargs
    names = (kwargs["column_A"], kwargs["column_B"]) if pair else tuple(kwargs["column_list"])
    ignore = kwargs.get("ignore_row_if", "both_values_are_missing" if pair else "all_values_are_missing")
    return (
        None
        if ignore in ("neither", "never")
        else (names, ignore in ("both_values_are_missing", "all_values_are_missing"))
    )


def ignored_rows(kwargs: RuleKwargs) -> Column | None:
    """The rows of `ignored_rows_rule`; None: no row."""
    rule = ignored_rows_rule(kwargs)
    if rule is None:
        return None
    names, all_missing = rule
    join = Column.__and__ if all_missing else Column.__or__
    return reduce(join, [F.col(quote_identifier(name)).isNull() for name in names])


_PAIR_COLUMNS = ("column_A", "column_B")


def greater_condition(kwargs: RuleKwargs, schema: StructType) -> Column:
    """The first column greater than the second, or equal with `or_equal`."""
    first, second = _comparable_pair(kwargs, schema)
    greater = (first >= second) | first.eqNullSafe(second) if kwargs.get("or_equal") else first > second
    numbers = [
        F.col(quote_identifier(kwargs[name])) for name in _PAIR_COLUMNS if is_floating(schema[kwargs[name]].dataType)
    ]
    return _null_where_ignored(kwargs, reduce(Column.__and__, [~F.isnan(number) for number in numbers], greater))


def equal_condition(kwargs: RuleKwargs, schema: StructType) -> Column:
    """Two equal values; NULL equals NULL."""
    first, second = _comparable_pair(kwargs, schema)
    return _null_where_ignored(kwargs, first.eqNullSafe(second))


def pair_in_set_condition(kwargs: RuleKwargs, schema: StructType) -> Column:
    """A pair of `value_pairs_set`."""
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


def unique_within_condition(kwargs: RuleKwargs, schema: StructType) -> Column:
    """No two of the columns with equal values."""
    names = kwargs["column_list"]
    _require_comparable_types(names, schema)
    same = [
        F.col(quote_identifier(first)).eqNullSafe(F.col(quote_identifier(second)))
        for first, second in combinations(names, 2)
    ]
    return _null_where_ignored(kwargs, ~reduce(Column.__or__, same))


def _comparable_pair(kwargs: RuleKwargs, schema: StructType) -> tuple[Column, Column]:
    names = [kwargs[name] for name in _PAIR_COLUMNS]
    _require_comparable_types(names, schema)
    first, second = (F.col(quote_identifier(name)) for name in names)
    return first, second


def _require_comparable_types(names: Sequence[str], schema: StructType) -> None:
    types = [schema[name].dataType for name in names]
    kinds = {column_value_kind(type_) for type_ in types}
    is_one_kind = kinds <= NUMBER_KINDS or kinds <= TIME_KINDS or kinds in ({"text"}, {"boolean"})
    if not is_one_kind and len(set(types)) > 1:
        raise UnfitValue(f"columns of types {', '.join(map(spark_type_name, types))}, which cannot be compared")


def _null_where_ignored(kwargs: RuleKwargs, predicate: Column) -> Column:
    ignored = ignored_rows(kwargs)
    return predicate if ignored is None else F.when(~ignored, predicate)
