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

from sparkscore.gate.compiled.values import (
    NUMBERS,
    TIMES,
    Unfit,
    exact,
    fitted,
    kind_of,
    literal,
    named,
    time_literal,
)
from sparkscore.store.names import quoted

MOST_CONDITIONS = 100
"""Great Expectations' own limit."""

_OPERATORS: Mapping[str, Callable[[Column, Column], Column]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_LISTS = ("IN", "NOT_IN")
_JOINED: Mapping[str, Callable[[Column, Column], Column]] = {"and": Column.__and__, "or": Column.__or__}
_SHAPES: Mapping[str, frozenset[str]] = {
    "comparison": frozenset({"type", "column", "operator", "parameter"}),
    "nullity": frozenset({"type", "column", "is_null"}),
    "and": frozenset({"type", "conditions"}),
    "or": frozenset({"type", "conditions"}),
}


@dataclass(frozen=True, slots=True)
class Where:
    """The rows that an expectation is about."""

    mark: str = ""
    """Equal conditions have equal marks; empty: all rows."""
    met: Column | None = None

    def counted(self, condition: Column) -> Column:
        """How many of the rows meet a condition."""
        met = condition if self.met is None else self.met & condition
        return F.count(F.when(met, 1))

    def rows(self) -> Column:
        """How many rows there are."""
        return F.count(F.lit(1)) if self.met is None else self.counted(F.lit(True))

    def only(self, value: Column) -> Column:
        """A value, NULL outside these rows."""
        return value if self.met is None else F.when(self.met, value)


ALL_ROWS = Where()


def where(kwargs: Mapping[str, Any], schema: StructType) -> Where:
    """The rows that an expectation's `row_condition` leaves.

    NULL as in SQL: a comparison with NULL leaves the row out. NaN as in Spark: greater than every number.

    Needs:   a condition that `refused` lets pass, of columns in `schema`.
    Jobs:    none.
    Raises:  Unfit for a value that does not fit its column.
    """
    condition = kwargs.get("row_condition")
    if condition is None:
        return ALL_ROWS
    return Where(json.dumps(condition, sort_keys=True, default=str), _met(condition, schema))


def refused(condition: object) -> str | None:
    """What is wrong with the form of a condition; None where it is right."""
    if isinstance(condition, str):
        return "SQL text: it would run in the session"
    try:
        leaves = list(_leaves(condition))
    except Unfit as unfit:
        return str(unfit)
    return None if len(leaves) <= MOST_CONDITIONS else f"{len(leaves)} comparisons, {MOST_CONDITIONS} at most"


def columns_of(condition: object) -> tuple[str, ...]:
    """The columns that a condition compares, each once."""
    if condition is None:
        return ()
    return tuple(dict.fromkeys(leaf["column"]["name"] for leaf in _leaves(condition)))


def words(condition: Any) -> str:
    """A condition for people: `month >= 10 and carrier is not NULL`."""
    if condition["type"] in _JOINED:
        parts = [words(part) for part in condition["conditions"]]
        return f" {condition['type']} ".join(f"({part})" if " and " in part else part for part in parts)
    name = condition["column"]["name"]
    if condition["type"] == "nullity":
        return f"{name} is {'' if condition['is_null'] else 'not '}NULL"
    found = condition["parameter"]
    shown = ", ".join(map(str, found[:10])) + (" …" if len(found) > 10 else "") if isinstance(found, list) else found
    return f"{name} {condition['operator'].replace('_', ' ').lower()} {shown}"


def _leaves(condition: Any, within: tuple[str, ...] = ()) -> Iterator[Mapping[str, Any]]:
    """The comparisons of a condition.

    Raises:  Unfit for anything that is not of Great Expectations' form.
    """
    kind = str(condition.get("type")) if isinstance(condition, dict) else ""
    if kind not in _SHAPES:
        raise Unfit(f"a condition of type {kind}" if kind else "something else than a typed condition")
    if set(condition) != _SHAPES[kind]:
        raise Unfit(f"a {kind} of {', '.join(sorted(condition))}: {', '.join(sorted(_SHAPES[kind]))} belong there")
    if kind in _JOINED:
        if kind == "or" and within:
            raise Unfit(f"an or within an {within[-1]}")
        if not isinstance(condition["conditions"], list) or not condition["conditions"]:
            raise Unfit(f"an {kind} without conditions")
        for part in condition["conditions"]:
            yield from _leaves(part, (*within, kind))
        return
    _check_leaf(condition, kind)
    yield condition


def _check_leaf(condition: Mapping[str, Any], kind: str) -> None:
    column = condition["column"]
    if not isinstance(column, dict) or not isinstance(column.get("name"), str):
        raise Unfit("a condition without the name of a column")
    if kind == "nullity":
        if not isinstance(condition["is_null"], bool):
            raise Unfit("is_null is neither true nor false")
        return
    values = condition["parameter"]
    if condition["operator"] in _LISTS:
        if not isinstance(values, list) or not values or not all(_plain(value) for value in values):
            raise Unfit(f"{condition['operator']} without a list of at least one value")
    elif condition["operator"] not in _OPERATORS or not _plain(values):
        raise Unfit(f"the comparison {condition['operator']}, or what is compared, is unknown")


def _plain(value: object) -> bool:
    return isinstance(value, bool | int | float | str)


def _met(condition: Mapping[str, Any], schema: StructType) -> Column:
    if condition["type"] in _JOINED:
        return reduce(_JOINED[condition["type"]], [_met(part, schema) for part in condition["conditions"]])
    name = condition["column"]["name"]
    column, type_ = F.col(quoted(name)), schema[name].dataType
    if condition["type"] == "nullity":
        return column.isNull() if condition["is_null"] else column.isNotNull()
    try:
        return _compared(column, type_, condition["operator"], condition["parameter"])
    except Unfit as unfit:
        raise Unfit(f"row_condition compares {name} with {unfit}") from None


def _compared(column: Column, type_: DataType, comparison: str, value: Any) -> Column:
    if comparison in _LISTS:
        values = [literal(one, type_) for one in fitted(value, type_)]
        listed = column.isin(*values) if values else F.lit(False)
        return listed if comparison == "IN" else column.isNotNull() & ~listed
    return _OPERATORS[comparison](column, _parameter(value, type_))


def _parameter(value: Any, type_: DataType) -> Column:
    kind = kind_of(type_)
    if kind in TIMES:
        return time_literal(value, type_)
    if kind in NUMBERS:
        held = fitted([value], type_)
        return literal(held[0], type_) if held else F.lit(float(exact(value)))
    if kind == "other":
        raise Unfit(f"a value, and is of type {named(type_)}")
    return literal(fitted([value], type_)[0], type_)
