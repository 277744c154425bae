"""Verdicts in words: what was observed and what was expected, with counts and aggregates, never a row's values."""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date
from numbers import Integral
from typing import Any

from sparkscore.gate.compiled import where as conditions
from sparkscore.gate.suite import Expectation

_ISO = re.compile(r"\d{4}-\d\d-\d\d([T ][\d:.+Z-]+)?")
_BOUNDS = ("min_value", "max_value", "strict_min", "strict_max")
_TOLD_APART = ("column", "column_A", "column_B", "column_list", "mostly", "row_condition", "value_set", *_BOUNDS)
_SETS = {"not_be_in_set": "none of", "contain_set": "all of", "equal_set": "exactly", "be_in_set": "one of"}
_SHOWN = 10
_EXACT = 1e15


def observed(expectation: Expectation, result: Any, *, hidden: bool = False) -> str:
    """`0.3 % of 85,000 rows outside (255)`, or the aggregate that was observed; only counts of what is `hidden`."""
    found = result.result
    if "element_count" in found:
        return _share(found)
    aggregate = _aggregate(expectation, found.get("observed_value"))
    if aggregate:
        if hidden:
            return "***"
        return f"about {aggregate}" if (found.get("details") or {}).get("approximate") else aggregate
    if found.keys() & {"unexpected_count", "missing_count"}:
        return f"{found.get('unexpected_count', 0):,} values too many, {found.get('missing_count', 0):,} missing"
    if found.get("observed_value", found) is None:
        return "no number: the column is empty or holds NaN"
    return "met" if result.success else "not met"


def expected(expectation: Expectation, *, hidden: bool = False) -> str:
    """`between 1 and 5,000`, `one of 1, 2, 3`, or the expectation's own words; no values of what is `hidden`."""
    if hidden:
        return expectation.type.removeprefix("expect_").replace("_", " ")
    words = _bounds(expectation.kwargs) or _set(expectation) or _own(expectation)
    mostly, condition = expectation.kwargs.get("mostly"), expectation.kwargs.get("row_condition")
    share = "" if mostly in (None, 1) else f", for at least {number(mostly * 100)} % of rows"
    return words + share + ("" if condition is None else f" where {conditions.words(condition)}")


def key(names: Sequence[str], values: Iterable[Any], sensitive: Collection[str]) -> str:
    """A row's key: `carrier=UA, flight=15`; `***` for what is sensitive."""
    return ", ".join(
        f"{name}={'***' if name in sensitive else value}" for name, value in zip(names, values, strict=True)
    )


def number(value: Any) -> str:
    """A number with separators, fractions with six digits; anything else as it is."""
    if not _is_number(value):
        return str(value)
    whole = isinstance(value, Integral) or (abs(value) < _EXACT and value == int(value))
    return f"{int(value):,}" if whole else f"{float(value):,.6g}"


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _aggregate(expectation: Expectation, value: object) -> str:
    """A number, a time, or what describes columns; empty for anything that could be a row's value."""
    if _is_number(value) or isinstance(value, date) or (isinstance(value, str) and _ISO.fullmatch(value)):
        return number(value)
    if isinstance(value, dict) and "other" in value:
        return f"{number(value['self'])} rows here, {number(value['other'])} there"
    if isinstance(value, dict) and "quantiles" in value:
        return _some(f"{number(q)}: {number(v)}" for q, v in zip(value["quantiles"], value["values"], strict=True))
    if "_type" in expectation.type or expectation.type.startswith("expect_table_columns"):
        return _some(map(str, value)) if isinstance(value, list) else str(value)
    return ""


def _share(found: Mapping[str, Any]) -> str:
    broken, nulls = found["unexpected_count"], found.get("missing_count", 0)
    judged = found["element_count"] - nulls
    share = (
        f"{100 * broken / judged:.3g} % of {judged:,} rows outside ({broken:,})" if broken else f"all {judged:,} rows"
    )
    return f"{share}; {nulls:,} NULL not judged" if nulls else share


def _bounds(kwargs: Mapping[str, Any]) -> str:
    low, high, above, below = (kwargs.get(name) for name in _BOUNDS)
    if None not in (low, high) and not above and not below:
        return f"between {number(low)} and {number(high)}"
    lower = [] if low is None else [f"{'above' if above else 'at least'} {number(low)}"]
    upper = [] if high is None else [f"{'below' if below else 'at most'} {number(high)}"]
    return " and ".join(lower + upper)


def _set(expectation: Expectation) -> str:
    word = next((word for ending, word in _SETS.items() if expectation.type.endswith(ending)), "")
    values = expectation.kwargs.get("value_set")
    return f"{word} {_some(map(number, values))}" if word and isinstance(values, list) else ""


def _own(expectation: Expectation) -> str:
    words = expectation.type.removeprefix("expect_").replace("_", " ")
    told = [f"{name} {number(value)}" for name, value in expectation.kwargs.items() if name not in _TOLD_APART]
    return f"{words}: {_some(told)}" if told else words


def _some(words: Iterable[str]) -> str:
    every = list(words)
    more = f" and {len(every) - _SHOWN} more" if len(every) > _SHOWN else ""
    return (", ".join(every[:_SHOWN]) or "nothing") + more
