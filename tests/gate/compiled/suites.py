"""Random frames, and random expectations over them, one of every kind that Great Expectations can compute on Spark."""

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Any

from hypothesis import strategies as st

from sparkscore.gate.suites import Expectation

SCHEMA = "i bigint, j int, d double, e double, s string, t date, m decimal(10,2), b boolean"
NUMBERS, TIMES, FLOATING = ("i", "j", "d", "m"), ("t",), ("d", "e")
PLAIN = ("i", "j", "d", "s", "t", "m", "b")

_DAYS = st.integers(1, 4).map(lambda day: date(2013, 1, day))
_VALUES: Mapping[str, st.SearchStrategy[Any]] = {
    "i": st.sampled_from([-2, 0, 1, 2, 3, 2**53 + 1]),
    "j": st.integers(-2, 3),
    "d": st.sampled_from([-2.0, -0.0, 0.0, 0.5, 1.0, 2.5, float("inf"), float("nan")]),
    "e": st.sampled_from([-2.0, 0.0, 0.5, 1.0, float("nan")]),
    "s": st.sampled_from(["", "a", "ab", "abc", "B", "a.c", "é"]),
    "t": _DAYS,
    "m": st.sampled_from(["-1.50", "0.00", "0.10", "1.00", "2.50"]).map(Decimal),
    "b": st.booleans(),
}
ROWS = st.lists(st.tuples(*[st.none() | _VALUES[name] for name in _VALUES]), max_size=9)

_MOSTLY = st.sampled_from([0, 0.25, 0.5, 0.75, 1])
_FLAGS = st.booleans()
_BOUNDS = st.none() | st.sampled_from([-2, -1.5, 0, 0.5, 1, 2.5, 3])
_DATE_BOUNDS = st.none() | _DAYS.map(lambda day: day.isoformat())
_SETS: Mapping[str, st.SearchStrategy[list[Any]]] = {
    **dict.fromkeys("ijdm", st.lists(st.sampled_from([-2, 0, 1, 2.5, 3, 99]), min_size=1, unique=True)),
    "s": st.lists(st.sampled_from(["", "a", "ab", "zz"]), min_size=1, unique=True),
    "t": st.lists(_DAYS.map(lambda day: day.isoformat()), min_size=1, unique=True),
    "b": st.lists(st.booleans(), min_size=1, unique=True),
}
_PATTERNS = st.sampled_from(["^a", "b", "c$", "a.c", "[A-Z]", "^$"])
_NUMBER = {"type": "comparison", "column": {"name": "j"}, "operator": ">=", "parameter": 0}
_TEXT = {"type": "comparison", "column": {"name": "s"}, "operator": "IN", "parameter": ["a", "ab"]}
_NULL = {"type": "nullity", "column": {"name": "t"}, "is_null": False}
_WHERE = st.sampled_from(
    [
        None,
        None,
        _NUMBER,
        _TEXT,
        _NULL,
        {"type": "and", "conditions": [_NUMBER, _NULL]},
        {"type": "or", "conditions": [_TEXT, {**_NUMBER, "operator": "!="}]},
        {**_NUMBER, "column": {"name": "d"}, "operator": "<"},
        {**_TEXT, "operator": "NOT_IN"},
    ]
)


@st.composite
def suites(draw: st.DrawFn) -> list[Expectation]:
    """One expectation of every kind, with arguments drawn from small sets of values that meet and miss the rows."""
    some = draw(st.permutations(list(_KWARGS_DRAWS)))
    return [Expectation(f"expect_{kind}", _add_row_condition(draw, kind, _KWARGS_DRAWS[kind](draw))) for kind in some]


def _add_row_condition(draw: st.DrawFn, kind: str, kwargs: dict[str, Any]) -> dict[str, Any]:
    condition = None if kind in WITHOUT_ROWS else draw(_WHERE)
    return kwargs if condition is None else {**kwargs, "row_condition": condition}


def _draw_bounds(draw: st.DrawFn, bounds: st.SearchStrategy[Any] = _BOUNDS, *, some: bool = False) -> dict[str, Any]:
    low, high = draw(bounds), draw(bounds)
    if some and low is None and high is None:
        low = draw(bounds.filter(lambda bound: bound is not None))
    strict = {"strict_min": draw(_FLAGS), "strict_max": draw(_FLAGS)}
    if low is not None and high is not None:
        low, high = sorted((low, high))
        strict = strict if low < high else {}
    return {"min_value": low, "max_value": high, **strict}


def _draw_column(draw: st.DrawFn, names: tuple[str, ...]) -> dict[str, Any]:
    return {"column": draw(st.sampled_from(names))}


def _draw_map_kwargs(draw: st.DrawFn, names: tuple[str, ...], **more: st.SearchStrategy[Any]) -> dict[str, Any]:
    drawn = {name: draw(strategy) for name, strategy in more.items()}
    return {**_draw_column(draw, names), "mostly": draw(_MOSTLY), **drawn}


def _draw_values_between(draw: st.DrawFn) -> dict[str, Any]:
    found = _draw_map_kwargs(draw, (*NUMBERS, *TIMES))
    return {**found, **_draw_bounds(draw, _DATE_BOUNDS if found["column"] in TIMES else _BOUNDS, some=True)}


def _draw_value_set(draw: st.DrawFn, *, mostly: bool = False) -> dict[str, Any]:
    found = _draw_map_kwargs(draw, PLAIN) if mostly else _draw_column(draw, PLAIN)
    return {**found, "value_set": draw(_SETS[found["column"]])}


def _draw_aggregate(draw: st.DrawFn, names: tuple[str, ...] = NUMBERS) -> dict[str, Any]:
    found = _draw_column(draw, names)
    return {**found, **_draw_bounds(draw, _DATE_BOUNDS if found["column"] in TIMES else _BOUNDS)}


def _draw_pair(draw: st.DrawFn, **more: st.SearchStrategy[Any]) -> dict[str, Any]:
    first, second = draw(st.sampled_from([("i", "j"), ("d", "e"), ("j", "d")]))
    ignore = draw(st.sampled_from(["both_values_are_missing", "either_value_is_missing", "neither"]))
    drawn = {name: draw(strategy) for name, strategy in more.items()}
    return {"column_A": first, "column_B": second, "ignore_row_if": ignore, "mostly": draw(_MOSTLY), **drawn}


def _draw_column_list(draw: st.DrawFn) -> dict[str, Any]:
    names = draw(st.sampled_from([["i", "j"], ["d", "e"], ["i", "j", "d"]]))
    ignore = draw(st.sampled_from(["all_values_are_missing", "any_value_is_missing", "never"]))
    return {"column_list": names, "ignore_row_if": ignore, "mostly": draw(_MOSTLY)}


_TYPES = st.sampled_from(["LongType", "IntegerType", "StringType", "DoubleType", "DateType", "DecimalType"])
_OTHER_TYPES = st.sampled_from(["BIGINT", "int64", "INTEGER", "float64", "object", "str", "VARCHAR(16)", "NUMERIC"])
_REGEX = st.lists(_PATTERNS, min_size=1, max_size=2)
_PAIRS = st.lists(st.tuples(*[st.none() | st.sampled_from([0, 1, 2])] * 2).map(list), min_size=1, max_size=4)
_INTEGERS = st.none() | st.integers(0, 3)
_ORDERED = st.permutations(["i", "j", "d", "e", "s", "t", "m", "b"])

_KWARGS_DRAWS: Mapping[str, Any] = {
    "column_values_to_not_be_null": lambda draw: _draw_map_kwargs(draw, PLAIN),
    "column_values_to_be_null": lambda draw: _draw_map_kwargs(draw, PLAIN),
    "column_values_to_be_unique": lambda draw: _draw_map_kwargs(draw, PLAIN),
    "column_values_to_be_between": _draw_values_between,
    "column_values_to_be_in_set": lambda draw: _draw_value_set(draw, mostly=True),
    "column_values_to_not_be_in_set": lambda draw: _draw_value_set(draw, mostly=True),
    "column_values_to_match_regex": lambda draw: _draw_map_kwargs(draw, ("s",), regex=_PATTERNS),
    "column_values_to_not_match_regex": lambda draw: _draw_map_kwargs(draw, ("s",), regex=_PATTERNS),
    "column_values_to_match_regex_list": lambda draw: _draw_map_kwargs(
        draw, ("s",), regex_list=_REGEX, match_on=st.sampled_from(["any", "all"])
    ),
    "column_values_to_not_match_regex_list": lambda draw: _draw_map_kwargs(draw, ("s",), regex_list=_REGEX),
    "column_value_lengths_to_be_between": lambda draw: {
        **_draw_map_kwargs(draw, ("s",)),
        **_draw_bounds(draw, _INTEGERS, some=True),
    },
    "column_value_lengths_to_equal": lambda draw: _draw_map_kwargs(draw, ("s",), value=st.integers(0, 3)),
    "column_values_to_be_of_type": lambda draw: {**_draw_column(draw, PLAIN), "type_": draw(_TYPES)},
    "column_values_to_be_in_type_list": lambda draw: {
        **_draw_column(draw, PLAIN),
        "type_list": [*draw(st.lists(_TYPES, min_size=1)), *draw(st.lists(_OTHER_TYPES, max_size=3))],
    },
    "column_type_to_be": lambda draw: {**_draw_column(draw, PLAIN), "type_": draw(_TYPES)},
    "column_pair_values_a_to_be_greater_than_b": lambda draw: _draw_pair(draw, or_equal=_FLAGS),
    "column_pair_values_to_be_equal": _draw_pair,
    "column_pair_values_to_be_in_set": lambda draw: _draw_pair(draw, value_pairs_set=_PAIRS),
    "select_column_values_to_be_unique_within_record": _draw_column_list,
    "compound_columns_to_be_unique": _draw_column_list,
    "column_mean_to_be_between": _draw_aggregate,
    "column_stdev_to_be_between": _draw_aggregate,
    "column_sum_to_be_between": _draw_aggregate,
    "column_median_to_be_between": _draw_aggregate,
    "column_min_to_be_between": lambda draw: _draw_aggregate(draw, (*NUMBERS, *TIMES)),
    "column_max_to_be_between": lambda draw: _draw_aggregate(draw, (*NUMBERS, *TIMES)),
    "column_proportion_of_non_null_values_to_be_between": lambda draw: _draw_aggregate(draw, ("i", "d", "s")),
    "column_proportion_of_unique_values_to_be_between": lambda draw: _draw_aggregate(draw, ("i", "d", "s")),
    "column_unique_value_count_to_be_between": lambda draw: {
        **_draw_column(draw, PLAIN),
        **_draw_bounds(draw, _INTEGERS),
    },
    "column_distinct_values_to_be_in_set": _draw_value_set,
    "column_distinct_values_to_contain_set": _draw_value_set,
    "column_distinct_values_to_equal_set": _draw_value_set,
    "column_most_common_value_to_be_in_set": lambda draw: {**_draw_value_set(draw), "ties_okay": draw(_FLAGS)},
    "column_to_exist": lambda draw: {"column": draw(st.sampled_from(["i", "zz"])), "column_index": draw(_INTEGERS)},
    "table_columns_to_match_ordered_list": lambda draw: {"column_list": draw(_ORDERED)[: draw(st.integers(6, 8))]},
    "table_columns_to_match_set": lambda draw: {
        "column_set": [*draw(_ORDERED)[: draw(st.integers(6, 8))], *draw(st.sampled_from([[], ["zz"]]))],
        "exact_match": draw(_FLAGS),
    },
    "table_column_count_to_equal": lambda draw: {"value": draw(st.integers(7, 9))},
    "table_column_count_to_be_between": lambda draw: {"min_value": draw(st.integers(7, 9)), "max_value": 9},
    "table_row_count_to_equal": lambda draw: {"value": draw(st.integers(0, 9))},
    "table_row_count_to_be_between": lambda draw: _draw_bounds(draw, _INTEGERS),
}
WITHOUT_ROWS = frozenset(
    {
        "column_to_exist",
        "column_type_to_be",
        "column_values_to_be_of_type",
        "column_values_to_be_in_type_list",
        "table_columns_to_match_ordered_list",
        "table_columns_to_match_set",
        "table_column_count_to_equal",
        "table_column_count_to_be_between",
        "column_pair_values_to_be_in_set",
    }
)
"""Rules about the schema, and one whose `row_condition` Great Expectations drops without a word."""
KINDS = frozenset(f"expect_{kind}" for kind in _KWARGS_DRAWS)
