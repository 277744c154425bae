"""What a row has to be like: the condition of an expectation as one Spark column, true, false, or NULL: not judged."""

from collections.abc import Callable, Mapping

from pyspark.sql import Column
from pyspark.sql.types import StructType

from sparkscore.gate.compiled.column_conditions import (
    between_condition,
    in_set_condition,
    lengths_between_condition,
    lengths_equal_condition,
    like_condition,
    not_in_set_condition,
    not_like_condition,
    not_null_condition,
    not_regex_condition,
    null_condition,
    regex_condition,
)
from sparkscore.gate.compiled.multi_column_conditions import (
    equal_condition,
    greater_condition,
    pair_in_set_condition,
    unique_within_condition,
)
from sparkscore.gate.compiled.row_condition import RuleKwargs


def expectation_condition(kind: str, kwargs: RuleKwargs, schema: StructType) -> Column:
    """What the expectation asks of a row. `row_condition` and `mostly` are not part of it.

    Needs:   an expectation of `CONDITIONS`; its columns in `schema`.
    Jobs:    none.
    Raises:  UnfitValue for arguments that do not fit the columns.
    """
    return CONDITIONS[kind](kwargs, schema)


CONDITIONS: Mapping[str, Callable[[RuleKwargs, StructType], Column]] = {
    "expect_column_values_to_not_be_null": not_null_condition,
    "expect_column_values_to_be_null": null_condition,
    "expect_column_values_to_be_between": between_condition,
    "expect_column_values_to_be_in_set": in_set_condition,
    "expect_column_values_to_not_be_in_set": not_in_set_condition,
    "expect_column_values_to_match_regex": regex_condition,
    "expect_column_values_to_match_regex_list": regex_condition,
    "expect_column_values_to_not_match_regex": not_regex_condition,
    "expect_column_values_to_not_match_regex_list": not_regex_condition,
    "expect_column_values_to_match_like_pattern": like_condition,
    "expect_column_values_to_match_like_pattern_list": like_condition,
    "expect_column_values_to_not_match_like_pattern": not_like_condition,
    "expect_column_values_to_not_match_like_pattern_list": not_like_condition,
    "expect_column_value_lengths_to_be_between": lengths_between_condition,
    "expect_column_value_lengths_to_equal": lengths_equal_condition,
    "expect_column_pair_values_a_to_be_greater_than_b": greater_condition,
    "expect_column_pair_values_to_be_equal": equal_condition,
    "expect_column_pair_values_to_be_in_set": pair_in_set_condition,
    "expect_select_column_values_to_be_unique_within_record": unique_within_condition,
}
"""By the expectation's type. The rules over rows."""
