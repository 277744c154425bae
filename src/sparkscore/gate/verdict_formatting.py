"""Verdicts as text: what was observed and what was expected, with counts and aggregates, never a row's values."""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date
from numbers import Integral
from typing import Any

from sparkscore.gate.compiled.row_condition import format_row_condition
from sparkscore.gate.suites import Expectation

_ISO_TIME_PATTERN = re.compile(r"\d{4}-\d\d-\d\d([T ][\d:.+Z-]+)?")
_BOUND_ARGUMENTS = ("min_value", "max_value", "strict_min", "strict_max")
_SEPARATELY_FORMATTED = (
    "column",
    "column_A",
    "column_B",
    "column_list",
    "mostly",
    "row_condition",
    "value_set",
    *_BOUND_ARGUMENTS,
)
_SET_WORDINGS = {"not_be_in_set": "none of", "contain_set": "all of", "equal_set": "exactly", "be_in_set": "one of"}
_MAX_VALUES_SHOWN = 10
_EXACT_INTEGER_LIMIT = 1e15


def format_observed(expectation: Expectation, result: Any, *, hidden: bool = False) -> str:
    """`0.3 % of 85,000 rows outside (255)`, or the aggregate that was observed; only counts of what is `hidden`."""
    found = result.result
    if "element_count" in found:
        return _format_unexpected_share(found)
    aggregate = _format_aggregate(expectation, found.get("observed_value"))
    if aggregate:
        if hidden:
            return "***"
        return f"about {aggregate}" if (found.get("details") or {}).get("approximate") else aggregate
    if found.keys() & {"unexpected_count", "missing_count"}:
        return f"{found.get('unexpected_count', 0):,} values too many, {found.get('missing_count', 0):,} missing"
    if found.get("observed_value", found) is None:
        return "no number: the column is empty or holds NaN"
    return "met" if result.success else "not met"


def format_expected(expectation: Expectation, *, hidden: bool = False) -> str:
    """`between 1 and 5,000`, `one of 1, 2, 3`, or the expectation's own words; no values of what is `hidden`."""
    if hidden:
        return expectation.type.removeprefix("expect_").replace("_", " ")
    rule_text = (
        _format_rule_bounds(expectation.kwargs)
        or _format_value_set(expectation)
        or _format_expectation_type(expectation)
    )
    mostly, condition = expectation.kwargs.get("mostly"), expectation.kwargs.get("row_condition")
    share = "" if mostly in (None, 1) else f", for at least {format_verdict_number(mostly * 100)} % of rows"
    return rule_text + share + ("" if condition is None else f" where {format_row_condition(condition)}")


def format_row_key(names: Sequence[str], values: Iterable[Any], sensitive: Collection[str]) -> str:
    """A row's key: `carrier=UA, flight=15`; `***` for what is sensitive."""
    return ", ".join(
        f"{name}={'***' if name in sensitive else value}" for name, value in zip(names, values, strict=True)
    )


def format_verdict_number(value: Any) -> str:
    """A number with separators, fractions with six digits; anything else as it is."""
    if not _is_verdict_number(value):
        return str(value)
    is_integral = isinstance(value, Integral) or (abs(value) < _EXACT_INTEGER_LIMIT and value == int(value))
    return f"{int(value):,}" if is_integral else f"{float(value):,.6g}"


def _is_verdict_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _format_aggregate(expectation: Expectation, value: object) -> str:
    """A number, a time, or what describes columns; empty for anything that could be a row's value."""
    if (
        _is_verdict_number(value)
        or isinstance(value, date)
        or (isinstance(value, str) and _ISO_TIME_PATTERN.fullmatch(value))
    ):
        return format_verdict_number(value)
    if isinstance(value, dict) and "other" in value:
        return f"{format_verdict_number(value['self'])} rows here, {format_verdict_number(value['other'])} there"
    if isinstance(value, dict) and "quantiles" in value:
        return _format_first_values(
            f"{format_verdict_number(q)}: {format_verdict_number(v)}"
            for q, v in zip(value["quantiles"], value["values"], strict=True)
        )
    if "_type" in expectation.type or expectation.type.startswith("expect_table_columns"):
        return _format_first_values(map(str, value)) if isinstance(value, list) else str(value)
    return ""


def _format_unexpected_share(found: Mapping[str, Any]) -> str:
    broken, nulls = found["unexpected_count"], found.get("missing_count", 0)
    judged = found["element_count"] - nulls
    share = (
        f"{100 * broken / judged:.3g} % of {judged:,} rows outside ({broken:,})" if broken else f"all {judged:,} rows"
    )
    return f"{share}; {nulls:,} NULL not judged" if nulls else share


def _format_rule_bounds(kwargs: Mapping[str, Any]) -> str:
    low, high, above, below = (kwargs.get(name) for name in _BOUND_ARGUMENTS)
    if None not in (low, high) and not above and not below:
        return f"between {format_verdict_number(low)} and {format_verdict_number(high)}"
    lower = [] if low is None else [f"{'above' if above else 'at least'} {format_verdict_number(low)}"]
    upper = [] if high is None else [f"{'below' if below else 'at most'} {format_verdict_number(high)}"]
    return " and ".join(lower + upper)


def _format_value_set(expectation: Expectation) -> str:
    word = next((word for ending, word in _SET_WORDINGS.items() if expectation.type.endswith(ending)), "")
    values = expectation.kwargs.get("value_set")
    return (
        f"{word} {_format_first_values(map(format_verdict_number, values))}"
        if word and isinstance(values, list)
        else ""
    )


def _format_expectation_type(expectation: Expectation) -> str:
    words = expectation.type.removeprefix("expect_").replace("_", " ")
    arguments = [
        f"{name} {format_verdict_number(value)}"
        for name, value in expectation.kwargs.items()
        if name not in _SEPARATELY_FORMATTED
    ]
    return f"{words}: {_format_first_values(arguments)}" if arguments else words


def _format_first_values(values: Iterable[str]) -> str:
    texts = list(values)
    more = f" and {len(texts) - _MAX_VALUES_SHOWN} more" if len(texts) > _MAX_VALUES_SHOWN else ""
    return (", ".join(texts[:_MAX_VALUES_SHOWN]) or "nothing") + more
