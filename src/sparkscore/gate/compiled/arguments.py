"""The arguments of the expectations that are computed here, so that a suite is checked without Great Expectations.

Importing Great Expectations costs seconds. A test holds these tables against its own fields.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from sparkscore.gate.compiled.row_condition import find_condition_fault
from sparkscore.predicates.exact_values import UnfitValue, to_exact_decimal, to_time_text


@dataclass(frozen=True, slots=True)
class ArgumentSpec:
    """What an argument has to be."""

    expected: str
    is_valid: Callable[[Any], bool]
    required: bool = False


def _is_finite_number(value: object) -> bool:
    try:
        return not isinstance(value, bool) and to_exact_decimal(value).is_finite()
    except UnfitValue:
        return False


def _is_date_or_time(value: object) -> bool:
    try:
        return bool(to_time_text(value))
    except UnfitValue:
        return False


def _is_nonempty_text(value: object) -> bool:
    return isinstance(value, str) and value != ""


def _is_text_list(value: object, *, min_length: int = 1) -> bool:
    return isinstance(value, list) and len(value) >= min_length and all(_is_nonempty_text(text) for text in value)


def _is_integer_value(value: object) -> bool:
    return _is_finite_number(value) and to_exact_decimal(value) == to_exact_decimal(value).to_integral_value()


def _is_value_pair(value: object) -> bool:
    return isinstance(value, list | tuple) and len(value) == 2


def _is_quantile_ranges(value: object) -> bool:
    if not isinstance(value, dict) or set(value) != {"quantiles", "value_ranges"}:
        return False
    shares, ranges = value["quantiles"], value["value_ranges"]
    has_equal_lists = isinstance(shares, list) and isinstance(ranges, list) and len(shares) == len(ranges) > 0
    return (
        has_equal_lists
        and all(_is_finite_number(share) and 0 <= float(to_exact_decimal(share)) <= 1 for share in shares)
        and all(_is_value_pair(pair) and all(end is None or _is_finite_number(end) for end in pair) for pair in ranges)
    )


def _allow_none(is_valid: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: value is None or is_valid(value)


COLUMN_NAME = ArgumentSpec("a column's name", _is_nonempty_text, required=True)
FLAG = ArgumentSpec("true or false", lambda value: isinstance(value, bool))
OPTIONAL_FLAG = ArgumentSpec("true, false or null", _allow_none(lambda value: isinstance(value, bool)))
TYPED_CONDITION = ArgumentSpec(
    "a typed condition of Great Expectations, such as {type: comparison, column: {name: month}, operator: '>=',"
    " parameter: 10}",
    _allow_none(lambda value: find_condition_fault(value) is None),
)
ROW_SHARE = ArgumentSpec(
    "a share from 0 to 1", lambda value: _is_finite_number(value) and 0 <= float(to_exact_decimal(value)) <= 1
)
NUMBER_BOUND = ArgumentSpec("a number", _allow_none(_is_finite_number))
INTEGER_BOUND = ArgumentSpec("a whole number", _allow_none(_is_integer_value))
TIME_BOUND = ArgumentSpec(
    "a number, a date or a time", _allow_none(lambda value: _is_finite_number(value) or _is_date_or_time(value))
)
VALUE_LIST = ArgumentSpec("a list of values", lambda value: isinstance(value, list), required=True)
NONEMPTY_VALUE_LIST = ArgumentSpec(
    "a list of at least one value", lambda value: isinstance(value, list) and value != [], True
)
REGEX_TEXT = ArgumentSpec("a regular expression", lambda value: isinstance(value, str))
TEXT_VALUE = ArgumentSpec("text", lambda value: isinstance(value, str), required=True)
TEXT_LIST = ArgumentSpec("a list of at least one text", _is_text_list, required=True)
ONE_CHARACTER = ArgumentSpec("one character", _allow_none(lambda value: isinstance(value, str) and len(value) == 1))
PAIR_IGNORE = ArgumentSpec(
    "both_values_are_missing, either_value_is_missing or neither",
    lambda value: value in ("both_values_are_missing", "either_value_is_missing", "neither"),
)
LIST_IGNORE = ArgumentSpec(
    "all_values_are_missing, any_value_is_missing or never",
    lambda value: value in ("all_values_are_missing", "any_value_is_missing", "never"),
)
COLUMN_LIST = ArgumentSpec(
    "a list of at least two columns", lambda value: _is_text_list(value, min_length=2), required=True
)

_WHERE = {"row_condition": TYPED_CONDITION}
_STRICT = {"strict_min": FLAG, "strict_max": FLAG}
_MAP = {"column": COLUMN_NAME, "mostly": ROW_SHARE, **_WHERE}
_PAIR = {"column_A": COLUMN_NAME, "column_B": COLUMN_NAME, "mostly": ROW_SHARE, "ignore_row_if": PAIR_IGNORE, **_WHERE}
_MULTI = {"column_list": COLUMN_LIST, "mostly": ROW_SHARE, "ignore_row_if": LIST_IGNORE, **_WHERE}
_AGGREGATE = {"column": COLUMN_NAME, **_WHERE}
_BETWEEN = {"min_value": NUMBER_BOUND, "max_value": NUMBER_BOUND, **_STRICT}
_TIMES_BETWEEN = {"min_value": TIME_BOUND, "max_value": TIME_BOUND, **_STRICT}
_INTEGER_BETWEEN = {"min_value": INTEGER_BOUND, "max_value": INTEGER_BOUND, **_STRICT}
_ESCAPED = {"escape": ONE_CHARACTER}
_ANY_OR_ALL = {"match_on": ArgumentSpec("any or all", lambda value: value in ("any", "all"))}
_OPTIONAL_COLUMN_LIST = ArgumentSpec("a list of columns", _allow_none(lambda value: isinstance(value, list)))
_INTEGER_VALUE = ArgumentSpec("a whole number", _is_integer_value, required=True)

ARGUMENTS: Mapping[str, Mapping[str, ArgumentSpec]] = {
    "expect_column_values_to_not_be_null": _MAP,
    "expect_column_values_to_be_null": _MAP,
    "expect_column_values_to_be_unique": _MAP,
    "expect_column_values_to_be_between": {**_MAP, **_TIMES_BETWEEN},
    "expect_column_values_to_be_in_set": {**_MAP, "value_set": VALUE_LIST},
    "expect_column_values_to_not_be_in_set": {**_MAP, "value_set": VALUE_LIST},
    "expect_column_values_to_match_regex": {**_MAP, "regex": REGEX_TEXT},
    "expect_column_values_to_not_match_regex": {**_MAP, "regex": TEXT_VALUE},
    "expect_column_values_to_match_regex_list": {**_MAP, "regex_list": TEXT_LIST, **_ANY_OR_ALL},
    "expect_column_values_to_not_match_regex_list": {**_MAP, "regex_list": TEXT_LIST},
    "expect_column_values_to_match_like_pattern": {**_MAP, "like_pattern": TEXT_VALUE, **_ESCAPED},
    "expect_column_values_to_not_match_like_pattern": {**_MAP, "like_pattern": TEXT_VALUE, **_ESCAPED},
    "expect_column_values_to_match_like_pattern_list": {
        **_MAP,
        "like_pattern_list": TEXT_LIST,
        **_ANY_OR_ALL,
        **_ESCAPED,
    },
    "expect_column_values_to_not_match_like_pattern_list": {**_MAP, "like_pattern_list": TEXT_LIST, **_ESCAPED},
    "expect_column_value_lengths_to_be_between": {**_MAP, **_INTEGER_BETWEEN},
    "expect_column_value_lengths_to_equal": {**_MAP, "value": _INTEGER_VALUE},
    "expect_column_values_to_be_of_type": {**_MAP, "type_": TEXT_VALUE},
    "expect_column_values_to_be_in_type_list": {
        **_MAP,
        "type_list": ArgumentSpec("a list of types, or null", _allow_none(_is_text_list)),
    },
    "expect_column_type_to_be": {"column": COLUMN_NAME, "type_": TEXT_VALUE},
    "expect_column_pair_values_a_to_be_greater_than_b": {**_PAIR, "or_equal": OPTIONAL_FLAG},
    "expect_column_pair_values_to_be_equal": _PAIR,
    "expect_column_pair_values_to_be_in_set": {
        **_PAIR,
        "value_pairs_set": ArgumentSpec(
            "a list of pairs", lambda value: isinstance(value, list) and all(map(_is_value_pair, value)), required=True
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
    "expect_column_unique_value_count_to_be_between": {**_AGGREGATE, **_INTEGER_BETWEEN},
    "expect_column_distinct_values_to_be_in_set": {**_AGGREGATE, "value_set": NONEMPTY_VALUE_LIST},
    "expect_column_distinct_values_to_contain_set": {**_AGGREGATE, "value_set": VALUE_LIST},
    "expect_column_distinct_values_to_equal_set": {**_AGGREGATE, "value_set": VALUE_LIST},
    "expect_column_most_common_value_to_be_in_set": {**_AGGREGATE, "value_set": VALUE_LIST, "ties_okay": OPTIONAL_FLAG},
    "expect_column_quantile_values_to_be_between": {
        **_AGGREGATE,
        "quantile_ranges": ArgumentSpec("quantiles, and as many value_ranges", _is_quantile_ranges, required=True),
        "allow_relative_error": ArgumentSpec(
            "false: quantiles are exact where they can be", lambda value: value is False
        ),
    },
    "expect_column_to_exist": {
        "column": COLUMN_NAME,
        "column_index": ArgumentSpec(
            "a position, or null", _allow_none(lambda value: isinstance(value, int) and value is not True)
        ),
    },
    "expect_table_columns_to_match_ordered_list": {"column_list": _OPTIONAL_COLUMN_LIST},
    "expect_table_columns_to_match_set": {"column_set": _OPTIONAL_COLUMN_LIST, "exact_match": OPTIONAL_FLAG},
    "expect_table_column_count_to_equal": {"value": _INTEGER_VALUE},
    "expect_table_column_count_to_be_between": {"min_value": INTEGER_BOUND, "max_value": INTEGER_BOUND},
    "expect_table_row_count_to_equal": {"value": _INTEGER_VALUE, **_WHERE},
    "expect_table_row_count_to_be_between": {**_INTEGER_BETWEEN, **_WHERE},
    "expect_table_row_count_to_equal_other_table": {
        "other_table_name": ArgumentSpec("a table's name", _is_nonempty_text, required=True),
        **_WHERE,
    },
}
"""By the expectation's type."""

_TYPES_WITH_A_BOUND = frozenset({"expect_column_values_to_be_between", "expect_column_value_lengths_to_be_between"})


def find_wrong_arguments(kind: str, arguments: Mapping[str, Any]) -> list[str]:
    """What is wrong with the arguments of an expectation of `ARGUMENTS`, whose names are right."""
    known = ARGUMENTS[kind]
    found = [
        f"{name} field required" for name, argument in known.items() if argument.required and name not in arguments
    ]
    found += [
        f"{name} is not {known[name].expected}" for name, value in arguments.items() if not known[name].is_valid(value)
    ]
    if kind in _TYPES_WITH_A_BOUND and arguments.get("min_value") is None and arguments.get("max_value") is None:
        found.append("min_value and max_value cannot both be None")
    return found
