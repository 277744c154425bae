"""What a row has to be like, for pyarrow: only where that is sure to be what Spark computes. Runs on the driver.

An expectation becomes functions of `gate.compiled.arrow_masks`, which can be pickled.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql.types import (
    BinaryType,
    DataType,
    LongType,
    StructType,
)

from sparkscore.gate.compiled.arrow_literals import (
    NoArrowForm,
    arrow_comparison_type,
    arrow_limits,
    arrow_time,
    arrow_value_set,
    has_binary_collation,
    integer_arrow_limits,
    require_one_arrow_type,
)
from sparkscore.gate.compiled.arrow_masks import (
    RowMaskFunction,
    all_different_mask,
    comparison_mask,
    equal_mask,
    greater_mask,
    in_set_mask,
    inverted_mask,
    joined_mask,
    judged_rows_mask,
    length_within_limits_mask,
    null_mask,
    number_mask,
    pattern_mask,
    valid_mask,
    within_limits_mask,
)
from sparkscore.gate.compiled.column_conditions import LIKE_ESCAPE
from sparkscore.gate.compiled.multi_column_conditions import ignored_rows_rule
from sparkscore.gate.compiled.row_condition import RuleKwargs
from sparkscore.gate.compiled.text_patterns import translate_java_regex, translate_like_pattern
from sparkscore.predicates.exact_values import to_exact_decimal
from sparkscore.predicates.spark_values import column_value_kind, fit_set_values, integer_range

ArrowForm = Callable[[RuleKwargs, StructType], RowMaskFunction]


def arrow_expectation_condition(kind: str, kwargs: RuleKwargs, schema: StructType) -> RowMaskFunction:
    """What the expectation asks of a row, as `conditions.expectation_condition` does in Spark.

    Times without a zone are UTC's: so is the session of a run.

    Needs:   arguments that `conditions.expectation_condition` takes.
    Raises:  NoArrowForm.
    """
    form = _ARROW_FORMS.get(kind)
    if form is None:
        raise NoArrowForm
    return form(kwargs, schema)


def arrow_row_condition(condition: Any, schema: StructType) -> RowMaskFunction:
    """Whether the condition selects a row, as `row_condition.compile_row_condition` does in Spark; NULL: it does not.

    Raises:  NoArrowForm.
    """
    if condition["type"] in ("and", "or"):
        return partial(
            joined_mask, [arrow_row_condition(part, schema) for part in condition["conditions"]], condition["type"]
        )
    name = condition["column"]["name"]
    if condition["type"] == "nullity":
        return partial(null_mask, name) if condition["is_null"] else partial(valid_mask, name)
    return _comparison_arrow_form(name, schema[name].dataType, condition["operator"], condition["parameter"])


def _column_name_and_type(kwargs: RuleKwargs, schema: StructType) -> tuple[str, DataType]:
    name = kwargs["column"]
    return name, schema[name].dataType


def _not_null_arrow_form(kwargs: RuleKwargs, schema: StructType) -> RowMaskFunction:
    name, type_ = _column_name_and_type(kwargs, schema)
    return partial(number_mask, name) if column_value_kind(type_) == "floating" else partial(valid_mask, name)


def _between_arrow_form(kwargs: RuleKwargs, schema: StructType) -> RowMaskFunction:
    name, type_ = _column_name_and_type(kwargs, schema)
    return partial(within_limits_mask, name, list(arrow_limits(kwargs, type_)))


def _lengths_between_arrow_form(kwargs: RuleKwargs, schema: StructType) -> RowMaskFunction:
    name, type_ = _column_name_and_type(kwargs, schema)
    limits = list(integer_arrow_limits(kwargs, *integer_range(LongType())))
    return partial(length_within_limits_mask, name, "binary" if isinstance(type_, BinaryType) else "text", limits)


def _lengths_equal_arrow_form(kwargs: RuleKwargs, schema: StructType) -> RowMaskFunction:
    value = kwargs["value"]
    return _lengths_between_arrow_form({**kwargs, "min_value": value, "max_value": value}, schema)


def _in_set_arrow_form(kwargs: RuleKwargs, schema: StructType) -> RowMaskFunction:
    name, type_ = _column_name_and_type(kwargs, schema)
    return partial(in_set_mask, name, arrow_value_set(kwargs["value_set"], type_))


def _regex_arrow_form(kwargs: RuleKwargs, schema: StructType) -> RowMaskFunction:
    regexes = kwargs.get("regex_list", [kwargs.get("regex")])
    return _pattern_arrow_form(kwargs, schema, [translate_java_regex(regex or "") for regex in regexes])


def _like_arrow_form(kwargs: RuleKwargs, schema: StructType) -> RowMaskFunction:
    escape = kwargs.get("escape") or LIKE_ESCAPE
    patterns = kwargs.get("like_pattern_list", [kwargs.get("like_pattern")])
    return _pattern_arrow_form(kwargs, schema, [translate_like_pattern(pattern, escape) for pattern in patterns])


def _pattern_arrow_form(kwargs: RuleKwargs, schema: StructType, patterns: Sequence[str]) -> RowMaskFunction:
    name, type_ = _column_name_and_type(kwargs, schema)
    if not patterns or not has_binary_collation(type_):
        raise NoArrowForm
    for pattern in patterns:
        _require_re2_pattern(pattern)
    masks = [partial(pattern_mask, name, pattern) for pattern in patterns]
    return masks[0] if len(masks) == 1 else partial(joined_mask, masks, "and" if _asks_all(kwargs) else "or")


def _require_re2_pattern(pattern: str) -> None:
    try:
        pc.match_substring_regex(pa.array([""]), pattern)
    except pa.ArrowInvalid:  # too large for RE2
        raise NoArrowForm from None


def _asks_all(kwargs: RuleKwargs) -> bool:
    return kwargs.get("match_on") == "all"


def _inverted_arrow_form(form: ArrowForm, kwargs: RuleKwargs, schema: StructType) -> RowMaskFunction:
    return partial(inverted_mask, form(kwargs, schema))


def _greater_arrow_form(kwargs: RuleKwargs, schema: StructType) -> RowMaskFunction:
    names = (kwargs["column_A"], kwargs["column_B"])
    require_one_arrow_type(names, schema)
    return _apply_ignored_rows(kwargs, partial(greater_mask, *names, bool(kwargs.get("or_equal"))))


def _equal_arrow_form(kwargs: RuleKwargs, schema: StructType) -> RowMaskFunction:
    names = (kwargs["column_A"], kwargs["column_B"])
    require_one_arrow_type(names, schema)
    return _apply_ignored_rows(kwargs, partial(equal_mask, *names))


def _unique_within_arrow_form(kwargs: RuleKwargs, schema: StructType) -> RowMaskFunction:
    names = tuple(kwargs["column_list"])
    require_one_arrow_type(names, schema)
    return _apply_ignored_rows(kwargs, partial(all_different_mask, names))


def _comparison_arrow_form(name: str, type_: DataType, comparison: str, value: Any) -> RowMaskFunction:
    if comparison == "IN":
        return partial(in_set_mask, name, arrow_value_set(value, type_))
    if comparison == "NOT_IN":
        return partial(inverted_mask, partial(in_set_mask, name, arrow_value_set(value, type_)))
    kind = column_value_kind(type_)
    if kind in ("date", "timestamp"):
        return partial(comparison_mask, name, comparison, arrow_time(value, type_))
    if kind == "text" and not has_binary_collation(type_):
        raise NoArrowForm
    fitted = fit_set_values([value], type_)
    if fitted:
        return partial(comparison_mask, name, comparison, pa.scalar(fitted[0], arrow_comparison_type(type_)))
    if kind == "decimal":
        raise NoArrowForm  # Spark compares doubles then
    number = float(to_exact_decimal(value))
    if math.isnan(number):
        raise NoArrowForm
    return partial(comparison_mask, name, comparison, pa.scalar(number, pa.float64()))


def _apply_ignored_rows(kwargs: RuleKwargs, predicate: RowMaskFunction) -> RowMaskFunction:
    rule = ignored_rows_rule(kwargs)
    return predicate if rule is None else partial(judged_rows_mask, *rule, predicate)


_ARROW_FORMS: Mapping[str, ArrowForm] = {
    "expect_column_values_to_not_be_null": _not_null_arrow_form,
    "expect_column_values_to_be_null": partial(_inverted_arrow_form, _not_null_arrow_form),
    "expect_column_values_to_be_between": _between_arrow_form,
    "expect_column_values_to_be_in_set": _in_set_arrow_form,
    "expect_column_values_to_not_be_in_set": partial(_inverted_arrow_form, _in_set_arrow_form),
    "expect_column_values_to_match_regex": _regex_arrow_form,
    "expect_column_values_to_match_regex_list": _regex_arrow_form,
    "expect_column_values_to_not_match_regex": partial(_inverted_arrow_form, _regex_arrow_form),
    "expect_column_values_to_not_match_regex_list": partial(_inverted_arrow_form, _regex_arrow_form),
    "expect_column_values_to_match_like_pattern": _like_arrow_form,
    "expect_column_values_to_match_like_pattern_list": _like_arrow_form,
    "expect_column_values_to_not_match_like_pattern": partial(_inverted_arrow_form, _like_arrow_form),
    "expect_column_values_to_not_match_like_pattern_list": partial(_inverted_arrow_form, _like_arrow_form),
    "expect_column_value_lengths_to_be_between": _lengths_between_arrow_form,
    "expect_column_value_lengths_to_equal": _lengths_equal_arrow_form,
    "expect_column_pair_values_a_to_be_greater_than_b": _greater_arrow_form,
    "expect_column_pair_values_to_be_equal": _equal_arrow_form,
    "expect_select_column_values_to_be_unique_within_record": _unique_within_arrow_form,
}
