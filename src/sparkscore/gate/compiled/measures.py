"""What is measured for an expectation, and what becomes of it. Equal measures have equal names and are taken once."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pyspark.sql import Column
from pyspark.sql import functions as F
from pyspark.sql.types import StructType

from sparkscore.gate.compiled.values import is_floating
from sparkscore.gate.compiled.where import ALL_ROWS, Where
from sparkscore.store.names import quoted

Values = Mapping[str, Any]
"""What was measured, by the measures' names."""


@dataclass(frozen=True, slots=True)
class Measure:
    """One aggregate. Its column is made when it is taken: once, however many rules share it."""

    name: str
    column: Callable[[], Column]


@dataclass(frozen=True, slots=True)
class Found:
    """What an expectation found: the two parts of Great Expectations' own result that say it."""

    success: bool
    result: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Shuffle:
    """What an expectation needs of its columns' values, which a shuffle brings together."""

    columns: tuple[str, ...]
    where: Where = ALL_ROWS
    tallies: tuple[Measure, ...] = ()
    """Aggregates over one row per value: `value(0)` and the following, and how many rows hold it, `held(where)`."""
    sketches: Callable[[Values], tuple[Measure, ...]] | None = None
    """Aggregates over the rows, which depend on how many there are."""


@dataclass(frozen=True, slots=True)
class Rule:
    """An expectation that is ready to be computed."""

    verdict: Callable[[Values], Found]
    measures: tuple[Measure, ...] = ()
    shuffle: Shuffle | None = None


def rows(where: Where) -> Measure:
    """How many rows there are."""
    return Measure(f"rows{where.mark}", where.rows)


def nulls(column: str, where: Where) -> Measure:
    """How many rows hold NULL."""
    return Measure(f"nulls {column} {where.mark}", lambda: where.counted(F.col(quoted(column)).isNull()))


def missing(column: str, schema: StructType, where: Where) -> Measure:
    """How many rows hold NULL or NaN."""
    if not is_floating(schema[column].dataType):
        return nulls(column, where)

    def counted() -> Column:
        value = F.col(quoted(column))
        return where.counted(value.isNull() | F.isnan(value))

    return Measure(f"missing {column} {where.mark}", counted)


def value(place: int) -> Column:
    """One of the columns whose values a shuffle has brought together."""
    return F.col(f"value{place}")


def held(where: Where) -> Column:
    """How many of the rows hold the value; 0 where only other rows do."""
    return F.col(quoted(rows(where).name))


def map_found(*, elements: int, nonnull: int | None, broken: int, mostly: float = 1) -> Found:
    """The result of a rule over rows, as Great Expectations words it in the format BASIC, without examples.

    `nonnull`: how many rows were judged; None where NULL is what is judged.
    """
    judged = elements if nonnull is None else nonnull
    found: dict[str, Any] = {
        "element_count": elements,
        "unexpected_count": broken,
        "unexpected_percent": _percent(broken, judged),
        "partial_unexpected_list": [],
    }
    if nonnull is not None:
        found |= {
            "missing_count": elements - nonnull,
            "missing_percent": _percent(elements - nonnull, elements),
            "unexpected_percent_total": _percent(broken, elements),
            "unexpected_percent_nonmissing": found["unexpected_percent"],
        }
    return Found(judged == 0 or (judged - broken) / judged >= mostly, found)


def observed(success: bool, value: Any) -> Found:
    """The result of a rule over one number; NaN is no number."""
    return Found(success, {"observed_value": None if isinstance(value, float) and math.isnan(value) else value})


def _percent(part: int, whole: int) -> float | None:
    return part / whole * 100 if whole else None
