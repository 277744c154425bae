"""Rules that one pass over the rows answers: conditions on rows, aggregates of columns, numbers of rows."""

import json
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from pyspark.sql import Column
from pyspark.sql import functions as F
from pyspark.sql.types import DataType, DecimalType, StructType

from sparkscore.gate.compiled.bounds import number_within, require_numbers, within
from sparkscore.gate.compiled.conditions import CONDITIONS, condition, ignored
from sparkscore.gate.compiled.measures import Found, Measure, Rule, Values, map_found, missing, nulls, observed, rows
from sparkscore.gate.compiled.values import NUMBERS, TIMES, Unfit, kind_of, named
from sparkscore.gate.compiled.where import Where, where
from sparkscore.store.names import quoted

Kwargs = Mapping[str, Any]

_NULLITY = {"expect_column_values_to_not_be_null": False, "expect_column_values_to_be_null": True}
"""Rules that judge NULL and NaN, and what they want."""


def row_rule(kind: str, kwargs: Kwargs, schema: StructType) -> Rule:
    """A rule over rows: how many there are, are not judged, and break it.

    Raises:  Unfit.
    """
    among, mostly = where(kwargs, schema), kwargs.get("mostly", 1)
    total, met = rows(among), condition(kind, kwargs, schema)
    if kind in _NULLITY:
        gaps = missing(kwargs["column"], schema, among)
        return Rule(partial(_nullity, total, gaps, wanted=_NULLITY[kind], mostly=mostly), (total, gaps))
    left_out = nulls(kwargs["column"], among) if "column" in kwargs else _left_out(kwargs, among)
    broken = Measure(f"broken {kind} {_mark(kwargs)}", lambda: among.counted(~met))
    return Rule(partial(_judged, total, left_out, broken, mostly=mostly), (total, left_out, broken))


def _nullity(total: Measure, gaps: Measure, values: Values, *, wanted: bool, mostly: float) -> Found:
    elements, found = values[total.name], values[gaps.name]
    return map_found(elements=elements, nonnull=None, broken=elements - found if wanted else found, mostly=mostly)


def _judged(total: Measure, left_out: Measure, broken: Measure, values: Values, *, mostly: float) -> Found:
    elements = values[total.name]
    nonnull = elements - values[left_out.name]
    return map_found(elements=elements, nonnull=nonnull, broken=values[broken.name], mostly=mostly)


def _left_out(kwargs: Kwargs, among: Where) -> Measure:
    names = [kwargs.get(name) for name in ("column_A", "column_B", "column_list", "ignore_row_if")]

    def counted() -> Column:
        left_out = ignored(kwargs)
        return among.counted(F.lit(False) if left_out is None else left_out)

    return Measure(f"ignored {names} {among.mark}", counted)


def _mark(kwargs: Kwargs) -> str:
    """Equal arguments but for `mostly` have equal marks."""
    return json.dumps({name: kwargs[name] for name in sorted(kwargs) if name != "mostly"}, default=str)


def aggregate_rule(kind: str, kwargs: Kwargs, schema: StructType) -> Rule:
    """A rule over one aggregate of a column. A number is judged on the driver, a time by Spark, which knows its zone.

    Raises:  Unfit.
    """
    aggregate, kinds = _AGGREGATES[kind]
    type_, among = schema[kwargs["column"]].dataType, where(kwargs, schema)
    if kind_of(type_) not in kinds:
        raise Unfit(
            f"a column of type {named(type_)} where {' or '.join(_WORDS[one] for one in sorted(kinds))} belongs"
        )

    def taken() -> Column:
        return aggregate(among.only(F.col(quoted(kwargs["column"]))), type_)

    name = f"{kind} {kwargs['column']} {among.mark}"
    if kind_of(type_) not in TIMES:
        require_numbers(kwargs)
        return Rule(partial(_number, name, kwargs), (Measure(name, taken),))
    met = within(taken(), type_, kwargs)
    told = Measure(f"{kind} met {_mark(kwargs)}", lambda: met)
    return Rule(partial(_time, name, told.name), (Measure(name, lambda: taken().cast("string")), told))


def _number(name: str, kwargs: Kwargs, values: Values) -> Found:
    number = values[name]
    shown = number if number is None or isinstance(number, int) else float(number)
    return observed(number_within(number, kwargs), shown)


def _time(name: str, met: str, values: Values) -> Found:
    time = values[name]
    return observed(values[met] is True, None if time is None else time.replace(" ", "T"))


def _sum(column: Column, type_: DataType) -> Column:
    """Of whole numbers as a double, as Great Expectations does: a sum of bigints can leave their range."""
    return F.sum(column if isinstance(type_, DecimalType) else column.cast("double"))


_AGGREGATES: Mapping[str, tuple[Callable[[Column, DataType], Column], frozenset[Any]]] = {
    "expect_column_mean_to_be_between": (lambda column, _: F.avg(column), NUMBERS),
    "expect_column_stdev_to_be_between": (lambda column, _: F.stddev_samp(column), NUMBERS),
    "expect_column_sum_to_be_between": (_sum, NUMBERS),
    "expect_column_min_to_be_between": (lambda column, _: F.min(column), NUMBERS | TIMES),
    "expect_column_max_to_be_between": (lambda column, _: F.max(column), NUMBERS | TIMES),
}
_WORDS = {"whole": "a number", "decimal": "a decimal", "floating": "a double", "date": "a date", "moment": "a time"}


def share_rule(_: str, kwargs: Kwargs, schema: StructType) -> Rule:
    """The proportion of rows that hold a value.

    Raises:  Unfit.
    """
    require_numbers(kwargs)
    among = where(kwargs, schema)
    total, gaps = rows(among), missing(kwargs["column"], schema, among)
    return Rule(partial(_share, total, gaps, kwargs), (total, gaps))


def _share(total: Measure, gaps: Measure, kwargs: Kwargs, values: Values) -> Found:
    elements = values[total.name]
    share = (elements - values[gaps.name]) / elements if elements else 0
    return observed(number_within(share, kwargs), share)


def count_rule(_: str, kwargs: Kwargs, schema: StructType) -> Rule:
    """The number of rows.

    Raises:  Unfit.
    """
    asked = {"min_value": kwargs["value"], "max_value": kwargs["value"]} if "value" in kwargs else kwargs
    require_numbers(asked)
    total = rows(where(kwargs, schema))
    return Rule(partial(_counted, total, asked), (total,))


def _counted(total: Measure, kwargs: Kwargs, values: Values) -> Found:
    return observed(number_within(values[total.name], kwargs), values[total.name])


SCALARS: Mapping[str, Callable[[str, Kwargs, StructType], Rule]] = {
    **dict.fromkeys(CONDITIONS, row_rule),
    **dict.fromkeys(_AGGREGATES, aggregate_rule),
    "expect_column_proportion_of_non_null_values_to_be_between": share_rule,
    "expect_table_row_count_to_be_between": count_rule,
    "expect_table_row_count_to_equal": count_rule,
}
"""By the expectation's type. One job for all of a suite's."""
