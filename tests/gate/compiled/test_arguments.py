"""Our table of arguments against Great Expectations' own fields, and against what it takes and refuses."""

from typing import Any

import pytest

from sparkscore.gate.compiled.arguments import ARGUMENTS, find_wrong_arguments
from sparkscore.gate.compiled.plan import COMPILED_TYPES

OUTSIDE = {"id", "meta", "notes", "description", "rendered_content", "severity", "library_metadata"}
NOT_FOR_A_GATE = {"result_format", "catch_exceptions", "condition_parser", "batch_id", "windows"}
RIGHT: dict[str, Any] = {
    "column": "a",
    "column_A": "a",
    "column_B": "b",
    "column_list": ["a", "b"],
    "column_set": ["a"],
    "column_index": 1,
    "mostly": 0.5,
    "min_value": 1,
    "max_value": 2,
    "strict_min": True,
    "strict_max": False,
    "value": 3,
    "value_set": [1],
    "value_pairs_set": [[1, 2]],
    "regex": "a",
    "regex_list": ["a"],
    "match_on": "all",
    "like_pattern": "a%",
    "like_pattern_list": ["a%"],
    "escape": "!",
    "type_": "LongType",
    "type_list": ["LongType"],
    "or_equal": True,
    "exact_match": False,
    "ties_okay": True,
    "quantile_ranges": {"quantiles": [0.5], "value_ranges": [[None, 1]]},
    "allow_relative_error": False,
    "other_table_name": "t",
    "row_condition": {"type": "nullity", "column": {"name": "a"}, "is_null": True},
}
WRONG: dict[str, Any] = {
    "mostly": 1.5,
    "column": "",
    "column_A": 5,
    "column_B": None,
    "column_list": "a",
    "min_value": "abc",
    "max_value": [1],
    "value": "many",
    "value_set": "abc",
    "value_pairs_set": [[1]],
    "regex_list": [],
    "like_pattern_list": [],
    "escape": "!!",
    "match_on": "some",
    "type_list": 5,
    "quantile_ranges": {"quantiles": [0.5], "value_ranges": []},
    "row_condition": {"type": "nullity", "column": {"name": "a"}},
    "column_index": "x",
    "ignore_row_if": "sometimes",
}

TAKEN_THERE = {
    ("expect_column_quantile_values_to_be_between", "quantile_ranges"),  # as the name of a suite parameter
    ("expect_select_column_values_to_be_unique_within_record", "ignore_row_if"),  # until it is computed
}
"""What is refused here, and not there."""


def gx_implementation(kind: str) -> Any:
    """Great Expectations' own class."""
    from great_expectations.expectations.registry import get_expectation_impl

    return get_expectation_impl(kind)


def valid_kwargs(kind: str) -> dict[str, Any]:
    """Arguments that fit, all that there are."""
    ignored = "both_values_are_missing" if "pair" in kind else "never"
    return {name: {**RIGHT, "ignore_row_if": ignored}[name] for name in ARGUMENTS[kind]}


def test_the_table_names_every_compiled_expectation() -> None:
    assert set(ARGUMENTS) == COMPILED_TYPES


@pytest.mark.parametrize("kind", sorted(ARGUMENTS))
def test_arguments_are_those_of_great_expectations(kind: str) -> None:
    fields = gx_implementation(kind).__fields__
    assert set(ARGUMENTS[kind]) == set(fields) - OUTSIDE - NOT_FOR_A_GATE
    required = {name for name, field in fields.items() if field.required}
    assert {name for name, about in ARGUMENTS[kind].items() if about.required} == required


@pytest.mark.parametrize("kind", sorted(ARGUMENTS))
def test_what_fits_and_what_does_not_is_as_great_expectations_has_it(kind: str) -> None:
    fits = valid_kwargs(kind)
    assert find_wrong_arguments(kind, fits) == []
    gx_implementation(kind)(**fits)
    for name in fits.keys() & WRONG.keys():
        unfit = {**fits, name: WRONG[name]}
        assert find_wrong_arguments(kind, unfit), name
        if (kind, name) in TAKEN_THERE:
            continue
        with pytest.raises((ValueError, TypeError, KeyError)):
            gx_implementation(kind)(**unfit)
