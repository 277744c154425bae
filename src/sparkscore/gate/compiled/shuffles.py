"""Rules that need equal values side by side: uniqueness, distinct values, the most common one, median and quantiles."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial, reduce
from typing import Any

from pyspark.sql import Column
from pyspark.sql import functions as F
from pyspark.sql.types import ArrayType, DataType, MapType, StructType, VariantType

from sparkscore.gate.compiled.bounds import number_within, require_numbers
from sparkscore.gate.compiled.measures import (
    Found,
    Measure,
    Rule,
    Shuffle,
    Values,
    held,
    map_found,
    nulls,
    observed,
    rows,
    value,
)
from sparkscore.gate.compiled.quantiles import median_rule, quantile_rule
from sparkscore.gate.compiled.sets import among
from sparkscore.gate.compiled.values import Unfit, fitted, named
from sparkscore.gate.compiled.where import Where, where

Kwargs = Mapping[str, Any]


def _unique(_: str, kwargs: Kwargs, schema: StructType) -> Rule:
    name, only = kwargs["column"], where(kwargs, schema)
    _require_groups([name], schema)
    total, gaps = rows(only), nulls(name, only)
    twice = _counted_rows(only, value(0).isNotNull() & (held(only) > 1), f"repeated {name}")
    verdict = partial(_broken, total, gaps, twice, mostly=kwargs.get("mostly", 1))
    return Rule(verdict, (total, gaps), Shuffle((name,), only, (twice,)))


def _compound(_: str, kwargs: Kwargs, schema: StructType) -> Rule:
    names, only = tuple(kwargs["column_list"]), where(kwargs, schema)
    _require_groups(names, schema)
    total, how = rows(only), kwargs.get("ignore_row_if", "all_values_are_missing")
    empty = [value(place).isNull() for place in range(len(names))]
    joined = {"never": F.lit(False), "any_value_is_missing": reduce(Column.__or__, empty)}
    left_out = joined.get(how, reduce(Column.__and__, empty))
    gaps = _counted_rows(only, left_out, f"ignored {names} {how}")
    twice = _counted_rows(only, ~left_out & (held(only) > 1), f"repeated {names} {how}")
    verdict = partial(_broken, total, gaps, twice, mostly=kwargs.get("mostly", 1))
    return Rule(verdict, (total,), Shuffle(names, only, (gaps, twice)))


def _broken(total: Measure, gaps: Measure, twice: Measure, values: Values, *, mostly: float) -> Found:
    elements = values[total.name]
    nonnull = elements - values[gaps.name]
    return map_found(elements=elements, nonnull=nonnull, broken=values[twice.name], mostly=mostly)


def _distinct(kind: str, kwargs: Kwargs, schema: StructType) -> Rule:
    """How many distinct values there are, or their proportion of the values."""
    require_numbers(kwargs)
    name, only = kwargs["column"], where(kwargs, schema)
    _require_groups([name], schema)
    total, gaps = rows(only), nulls(name, only)
    there = _counted_values(only, F.lit(True), f"distinct {name}")
    verdict = _proportion if kind == "expect_column_proportion_of_unique_values_to_be_between" else _number
    return Rule(partial(verdict, total, gaps, there, kwargs), (total, gaps), Shuffle((name,), only, (there,)))


def _number(_: Measure, __: Measure, there: Measure, kwargs: Kwargs, values: Values) -> Found:
    return observed(number_within(values[there.name], kwargs), values[there.name])


def _proportion(total: Measure, gaps: Measure, there: Measure, kwargs: Kwargs, values: Values) -> Found:
    nonnull = values[total.name] - values[gaps.name]
    share = values[there.name] / nonnull if nonnull else 0
    return observed(number_within(share, kwargs), share)


def _distinct_set(kind: str, kwargs: Kwargs, schema: StructType) -> Rule:
    name, only = kwargs["column"], where(kwargs, schema)
    _require_groups([name], schema)
    type_, wanted = schema[name].dataType, kwargs["value_set"]
    listed = among(value(0), type_, wanted)
    inside = _counted_values(only, listed, f"distinct inside {name} {wanted}")
    outside = _counted_values(only, ~listed, f"distinct outside {name} {wanted}")
    verdict = partial(_compared, kind, inside, outside, _size(wanted, type_))
    return Rule(verdict, (), Shuffle((name,), only, (inside, outside)))


def _size(wanted: Sequence[object], type_: DataType) -> int:
    """How many different values are listed, those that no row can hold among them."""
    foreign = {repr(one) for one in wanted if one is not None and not fitted([one], type_)}
    return len(fitted(wanted, type_)) + len(foreign)


def _compared(kind: str, inside: Measure, outside: Measure, wanted: int, values: Values) -> Found:
    """Counts alone: the values themselves are of rows."""
    counts = {"unexpected_count": values[outside.name], "missing_count": wanted - values[inside.name]}
    judged = {name: counts[name] for name in _JUDGED[kind]}
    return Found(not any(judged.values()), {"observed_value": None, **judged})


_JUDGED: Mapping[str, tuple[str, ...]] = {
    "expect_column_distinct_values_to_be_in_set": ("unexpected_count",),
    "expect_column_distinct_values_to_contain_set": ("missing_count",),
    "expect_column_distinct_values_to_equal_set": ("unexpected_count", "missing_count"),
}


def _most_common(_: str, kwargs: Kwargs, schema: StructType) -> Rule:
    name, only = kwargs["column"], where(kwargs, schema)
    _require_groups([name], schema)
    times = F.when(value(0).isNotNull() & (held(only) > 0), held(only))
    listed = among(value(0), schema[name].dataType, kwargs["value_set"])
    place = f"{name} {only.mark}"
    top = Measure(f"most common {place}", lambda: F.max(times))
    inside = Measure(f"most common inside {place} {kwargs['value_set']}", lambda: F.max(F.when(listed, times)))
    # The first and the last of the most common values, in their own order: one value where they are the same.
    first = F.min(F.when(times.isNotNull(), F.struct((-times).alias("times"), value(0).alias("value"))))
    last = F.max(F.when(times.isNotNull(), F.struct(times.alias("times"), value(0).alias("value"))))
    alone = Measure(f"most common alone {place}", lambda: first["value"] == last["value"])
    verdict = partial(_top, top, inside, alone, ties=bool(kwargs.get("ties_okay")))
    return Rule(verdict, (), Shuffle((name,), only, (top, inside, alone)))


def _top(top: Measure, inside: Measure, alone: Measure, values: Values, *, ties: bool) -> Found:
    """The value itself is a row's: it is not told."""
    listed = values[top.name] is not None and values[inside.name] == values[top.name]
    return Found(listed and (ties or values[alone.name] is True), {"observed_value": None})


def _counted_rows(only: Where, condition: Column, what: str) -> Measure:
    return Measure(f"{what} {only.mark}", lambda: F.coalesce(F.sum(F.when(condition, held(only))), F.lit(0)))


def _counted_values(only: Where, condition: Column, what: str) -> Measure:
    def counted() -> Column:
        there = value(0).isNotNull() & (held(only) > 0)
        return F.count(F.when(there & condition, 1))

    return Measure(f"{what} {only.mark}", counted)


def _require_groups(names: Sequence[str], schema: StructType) -> None:
    for name in names:
        if not _orderable(schema[name].dataType):
            raise Unfit(f"a column of type {named(schema[name].dataType)}, whose values cannot be brought together")


def _orderable(type_: DataType) -> bool:
    """Whether Spark can bring equal values together."""
    if isinstance(type_, ArrayType):
        return _orderable(type_.elementType)
    if isinstance(type_, StructType):
        return all(_orderable(field.dataType) for field in type_)
    return not isinstance(type_, MapType | VariantType)


SHUFFLES: Mapping[str, Callable[[str, Kwargs, StructType], Rule]] = {
    "expect_column_values_to_be_unique": _unique,
    "expect_compound_columns_to_be_unique": _compound,
    "expect_column_unique_value_count_to_be_between": _distinct,
    "expect_column_proportion_of_unique_values_to_be_between": _distinct,
    "expect_column_distinct_values_to_be_in_set": _distinct_set,
    "expect_column_distinct_values_to_contain_set": _distinct_set,
    "expect_column_distinct_values_to_equal_set": _distinct_set,
    "expect_column_most_common_value_to_be_in_set": _most_common,
    "expect_column_median_to_be_between": median_rule,
    "expect_column_quantile_values_to_be_between": quantile_rule,
}
"""By the expectation's type. One more job for each column, or list of columns, whatever the number of its rules."""
