"""The arguments of the expectations that are computed here, so that a suite is checked without Great Expectations.

Importing Great Expectations costs seconds. A test holds these tables against its own fields.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from sparkscore.gate.compiled.values import Unfit, exact, time_text
from sparkscore.gate.compiled.where import refused


@dataclass(frozen=True, slots=True)
class Argument:
    """What an argument has to be."""

    what: str
    holds: Callable[[Any], bool]
    required: bool = False


def _number(value: object) -> bool:
    try:
        return not isinstance(value, bool) and exact(value).is_finite()
    except Unfit:
        return False


def _time(value: object) -> bool:
    try:
        return bool(time_text(value))
    except Unfit:
        return False


def _text(value: object) -> bool:
    return isinstance(value, str) and value != ""


def _texts(value: object, *, least: int = 1) -> bool:
    return isinstance(value, list) and len(value) >= least and all(_text(one) for one in value)


def _whole(value: object) -> bool:
    return _number(value) and exact(value) == exact(value).to_integral_value()


def _pair(value: object) -> bool:
    return isinstance(value, list | tuple) and len(value) == 2


def _ranges(value: object) -> bool:
    if not isinstance(value, dict) or set(value) != {"quantiles", "value_ranges"}:
        return False
    shares, ranges = value["quantiles"], value["value_ranges"]
    listed = isinstance(shares, list) and isinstance(ranges, list) and len(shares) == len(ranges) > 0
    return (
        listed
        and all(_number(share) and 0 <= float(exact(share)) <= 1 for share in shares)
        and all(_pair(one) and all(end is None or _number(end) for end in one) for one in ranges)
    )


def _maybe(holds: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: value is None or holds(value)


NAME = Argument("a column's name", _text, required=True)
FLAG = Argument("true or false", lambda value: isinstance(value, bool))
MAYBE_FLAG = Argument("true, false or null", _maybe(lambda value: isinstance(value, bool)))
CONDITION = Argument(
    "a typed condition of Great Expectations, such as {type: comparison, column: {name: month}, operator: '>=',"
    " parameter: 10}",
    _maybe(lambda value: refused(value) is None),
)
SHARE = Argument("a share from 0 to 1", lambda value: _number(value) and 0 <= float(exact(value)) <= 1)
BOUND = Argument("a number", _maybe(_number))
WHOLE_BOUND = Argument("a whole number", _maybe(_whole))
TIME_BOUND = Argument("a number, a date or a time", _maybe(lambda value: _number(value) or _time(value)))
VALUES = Argument("a list of values", lambda value: isinstance(value, list), required=True)
SOME_VALUES = Argument("a list of at least one value", lambda value: isinstance(value, list) and value != [], True)
REGEX = Argument("a regular expression", lambda value: isinstance(value, str))
TEXT = Argument("text", lambda value: isinstance(value, str), required=True)
TEXTS = Argument("a list of at least one text", _texts, required=True)
ONE_CHARACTER = Argument("one character", _maybe(lambda value: isinstance(value, str) and len(value) == 1))
PAIR_IGNORE = Argument(
    "both_values_are_missing, either_value_is_missing or neither",
    lambda value: value in ("both_values_are_missing", "either_value_is_missing", "neither"),
)
LIST_IGNORE = Argument(
    "all_values_are_missing, any_value_is_missing or never",
    lambda value: value in ("all_values_are_missing", "any_value_is_missing", "never"),
)
COLUMNS = Argument("a list of at least two columns", lambda value: _texts(value, least=2), required=True)

_WHERE = {"row_condition": CONDITION}
_STRICT = {"strict_min": FLAG, "strict_max": FLAG}
_MAP = {"column": NAME, "mostly": SHARE, **_WHERE}
_PAIR = {"column_A": NAME, "column_B": NAME, "mostly": SHARE, "ignore_row_if": PAIR_IGNORE, **_WHERE}
_MULTI = {"column_list": COLUMNS, "mostly": SHARE, "ignore_row_if": LIST_IGNORE, **_WHERE}
_AGGREGATE = {"column": NAME, **_WHERE}
_BETWEEN = {"min_value": BOUND, "max_value": BOUND, **_STRICT}
_TIMES_BETWEEN = {"min_value": TIME_BOUND, "max_value": TIME_BOUND, **_STRICT}
_WHOLE_BETWEEN = {"min_value": WHOLE_BOUND, "max_value": WHOLE_BOUND, **_STRICT}
_ESCAPED = {"escape": ONE_CHARACTER}
_ANY_OR_ALL = {"match_on": Argument("any or all", lambda value: value in ("any", "all"))}
_COLUMN_NAMES = Argument("a list of columns", _maybe(lambda value: isinstance(value, list)))
_WHOLE = Argument("a whole number", _whole, required=True)

ARGUMENTS: Mapping[str, Mapping[str, Argument]] = {
    "expect_column_values_to_not_be_null": _MAP,
    "expect_column_values_to_be_null": _MAP,
    "expect_column_values_to_be_unique": _MAP,
    "expect_column_values_to_be_between": {**_MAP, **_TIMES_BETWEEN},
    "expect_column_values_to_be_in_set": {**_MAP, "value_set": VALUES},
    "expect_column_values_to_not_be_in_set": {**_MAP, "value_set": VALUES},
    "expect_column_values_to_match_regex": {**_MAP, "regex": REGEX},
    "expect_column_values_to_not_match_regex": {**_MAP, "regex": TEXT},
    "expect_column_values_to_match_regex_list": {**_MAP, "regex_list": TEXTS, **_ANY_OR_ALL},
    "expect_column_values_to_not_match_regex_list": {**_MAP, "regex_list": TEXTS},
    "expect_column_values_to_match_like_pattern": {**_MAP, "like_pattern": TEXT, **_ESCAPED},
    "expect_column_values_to_not_match_like_pattern": {**_MAP, "like_pattern": TEXT, **_ESCAPED},
    "expect_column_values_to_match_like_pattern_list": {**_MAP, "like_pattern_list": TEXTS, **_ANY_OR_ALL, **_ESCAPED},
    "expect_column_values_to_not_match_like_pattern_list": {**_MAP, "like_pattern_list": TEXTS, **_ESCAPED},
    "expect_column_value_lengths_to_be_between": {**_MAP, **_WHOLE_BETWEEN},
    "expect_column_value_lengths_to_equal": {**_MAP, "value": _WHOLE},
    "expect_column_values_to_be_of_type": {**_MAP, "type_": TEXT},
    "expect_column_values_to_be_in_type_list": {
        **_MAP,
        "type_list": Argument("a list of types, or null", _maybe(_texts)),
    },
    "expect_column_type_to_be": {"column": NAME, "type_": TEXT},
    "expect_column_pair_values_a_to_be_greater_than_b": {**_PAIR, "or_equal": MAYBE_FLAG},
    "expect_column_pair_values_to_be_equal": _PAIR,
    "expect_column_pair_values_to_be_in_set": {
        **_PAIR,
        "value_pairs_set": Argument(
            "a list of pairs", lambda value: isinstance(value, list) and all(map(_pair, value)), required=True
        ),
    },
    "expect_select_column_values_to_be_unique_within_record": _MULTI,
    "expect_compound_columns_to_be_unique": _MULTI,
    "expect_column_mean_to_be_between": {**_AGGREGATE, **_BETWEEN},
    "expect_column_stdev_to_be_between": {**_AGGREGATE, **_BETWEEN},
    "expect_column_sum_to_be_between": {**_AGGREGATE, **_BETWEEN},
    "expect_column_median_to_be_between": {**_AGGREGATE, **_BETWEEN},
    "expect_column_min_to_be_between": {**_AGGREGATE, **_TIMES_BETWEEN},
    "expect_column_max_to_be_between": {**_AGGREGATE, **_TIMES_BETWEEN},
    "expect_column_proportion_of_non_null_values_to_be_between": {**_AGGREGATE, **_BETWEEN},
    "expect_column_proportion_of_unique_values_to_be_between": {**_AGGREGATE, **_BETWEEN},
    "expect_column_unique_value_count_to_be_between": {**_AGGREGATE, **_WHOLE_BETWEEN},
    "expect_column_distinct_values_to_be_in_set": {**_AGGREGATE, "value_set": SOME_VALUES},
    "expect_column_distinct_values_to_contain_set": {**_AGGREGATE, "value_set": VALUES},
    "expect_column_distinct_values_to_equal_set": {**_AGGREGATE, "value_set": VALUES},
    "expect_column_most_common_value_to_be_in_set": {**_AGGREGATE, "value_set": VALUES, "ties_okay": MAYBE_FLAG},
    "expect_column_quantile_values_to_be_between": {
        **_AGGREGATE,
        "quantile_ranges": Argument("quantiles, and as many value_ranges", _ranges, required=True),
        "allow_relative_error": Argument("false: quantiles are exact where they can be", lambda value: value is False),
    },
    "expect_column_to_exist": {
        "column": NAME,
        "column_index": Argument(
            "a place, or null", _maybe(lambda value: isinstance(value, int) and value is not True)
        ),
    },
    "expect_table_columns_to_match_ordered_list": {"column_list": _COLUMN_NAMES},
    "expect_table_columns_to_match_set": {"column_set": _COLUMN_NAMES, "exact_match": MAYBE_FLAG},
    "expect_table_column_count_to_equal": {"value": _WHOLE},
    "expect_table_column_count_to_be_between": {"min_value": WHOLE_BOUND, "max_value": WHOLE_BOUND},
    "expect_table_row_count_to_equal": {"value": _WHOLE, **_WHERE},
    "expect_table_row_count_to_be_between": {**_WHOLE_BETWEEN, **_WHERE},
    "expect_table_row_count_to_equal_other_table": {
        "other_table_name": Argument("a table's name", _text, required=True),
        **_WHERE,
    },
}
"""By the expectation's type."""

_NEED_A_BOUND = frozenset({"expect_column_values_to_be_between", "expect_column_value_lengths_to_be_between"})


def wrong(kind: str, arguments: Mapping[str, Any]) -> list[str]:
    """What is wrong with the arguments of an expectation of `ARGUMENTS`, whose names are right."""
    known = ARGUMENTS[kind]
    found = [f"{name} field required" for name, about in known.items() if about.required and name not in arguments]
    found += [f"{name} is not {known[name].what}" for name, value in arguments.items() if not known[name].holds(value)]
    if kind in _NEED_A_BOUND and arguments.get("min_value") is None and arguments.get("max_value") is None:
        found.append("min_value and max_value cannot both be None")
    return found
