"""Median and quantiles: exact where a sketch keeps every number, else marked as approximate."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from pyspark.sql import functions as F
from pyspark.sql.types import DataType, StructType

from sparkscore.gate.compiled.bounds import number_within, require_numbers
from sparkscore.gate.compiled.measures import Found, Measure, Rule, Shuffle, Values, observed, rows
from sparkscore.gate.compiled.values import NUMBERS, Unfit, exact, is_floating, kind_of, named
from sparkscore.gate.compiled.where import Where, where
from sparkscore.store.names import quoted

Kwargs = Mapping[str, Any]

EXACT_ROWS = 1_000_000
"""Up to here quantiles are exact: each task then keeps at most so many numbers, 32 MB."""
ACCURACY = 20_000
"""Beyond, a quantile's rank is off by at most one in so many rows."""


def median_rule(kind: str, kwargs: Kwargs, schema: StructType) -> Rule:
    """The middle number, or the mean of the two.

    Raises:  Unfit.
    """
    require_numbers(kwargs)
    return _sketched(kind, kwargs, schema, _middle)


def quantile_rule(kind: str, kwargs: Kwargs, schema: StructType) -> Rule:
    """Quantiles, each one of the column's numbers.

    Raises:  Unfit.
    """
    ranges = kwargs["quantile_ranges"]
    for low, high in ranges["value_ranges"]:
        require_numbers({"min_value": low, "max_value": high})
    return _sketched(kind, kwargs, schema, _ranged, tuple(ranges["quantiles"]))


def _sketched(
    kind: str,
    kwargs: Kwargs,
    schema: StructType,
    verdict: Callable[..., Found],
    shares: tuple[float, ...] | None = None,
) -> Rule:
    name, only = kwargs["column"], where(kwargs, schema)
    type_, total = schema[name].dataType, rows(only)
    if kind_of(type_) not in NUMBERS:
        raise Unfit(f"a column of type {named(type_)} where a number belongs")
    sketch = f"{kind} {name} {only.mark} {shares}"
    shuffle = Shuffle((name,), only, (), partial(_sketch, name, type_, only, total, sketch, shares))
    return Rule(partial(verdict, kwargs, total, sketch), (total,), shuffle)


def _sketch(
    name: str,
    type_: DataType,
    only: Where,
    total: Measure,
    sketch: str,
    shares: tuple[float, ...] | None,
    values: Values,
) -> tuple[Measure, ...]:
    """Quantiles that are values of the column; exact where a sketch keeps them all. NULL and NaN have no rank."""
    column, count = F.col(quoted(name)), values[total.name]
    ranked = F.when(~F.isnan(column), only.only(column)) if is_floating(type_) else only.only(column)
    asked = shares or (0.5, 0.5 + 1 / (2 + 2 * count))  # the two middle ones: the same where the count is odd
    accuracy = 2 * count + 2 if count <= EXACT_ROWS else ACCURACY
    return (Measure(sketch, lambda: F.percentile_approx(ranked, [float(share) for share in asked], accuracy)),)


def _middle(kwargs: Kwargs, total: Measure, sketch: str, values: Values) -> Found:
    found = values[sketch]
    median = None if found is None else float(sum(map(exact, found)) / len(found))
    met = observed(number_within(median, kwargs), median)
    return Found(met.success, {**met.result, **_details(values[total.name])})


def _ranged(kwargs: Kwargs, total: Measure, sketch: str, values: Values) -> Found:
    ranges = kwargs["quantile_ranges"]
    found = [None] * len(ranges["quantiles"]) if values[sketch] is None else [float(one) for one in values[sketch]]
    met = [
        number_within(one, {"min_value": low, "max_value": high})
        for one, (low, high) in zip(found, ranges["value_ranges"], strict=True)
    ]
    details = _details(values[total.name]).get("details", {})
    told = {"observed_value": {"quantiles": ranges["quantiles"], "values": found}}
    return Found(all(met), {**told, "details": {"success_details": met, **details}})


def _details(count: int) -> Mapping[str, Any]:
    return {"details": {"approximate": True, "rank_error": 1 / ACCURACY}} if count > EXACT_ROWS else {}
