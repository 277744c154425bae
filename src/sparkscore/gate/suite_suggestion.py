"""Suggests a suite from a profile of a table, for a person to edit, with a reason for each rule."""

import math
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import DataType

from sparkscore.predicates.spark_values import NUMBER_KINDS, column_value_kind
from sparkscore.spark.identifiers import quote_identifier

_MAX_SET_VALUES = 20
"""A column of text with as few values is a set of them."""
_MIN_KEY_SHARE = 0.9
"""Of the rows: a column with as many values may be a key. Spark's estimate of a distinct count is off by 5 %."""
_ROW_COUNT_MARGIN = 0.5
"""Of the number of rows, more or fewer."""


def suggest_suite(
    frame: DataFrame, *, name: str, version: int | None, sensitive: Collection[str] = ()
) -> dict[str, Any]:
    """A Great Expectations suite as JSON data, which the frame meets. Bounds are warnings until a person raises them.

    Of `sensitive` columns no value is shown: only rules about values being there, and being unique.

    Jobs:    one aggregation over all rows; one more for the values of columns that have few, and for keys.
    """
    kinds = {field.name: field.dataType for field in frame.schema}
    profile = _measure_suite_columns(frame, kinds)
    rows = profile["rows"]
    set_columns, key_columns = _choose_set_and_key_columns(profile, kinds, sensitive)
    details = _measure_sets_and_keys(frame, set_columns, key_columns)
    rules = [_suggest_row_count(rows)]
    for column, type_ in kinds.items():
        may_show_values = column not in sensitive
        rules += _suggest_not_null(column, profile, rows)
        if details.get(("distinct", column)) == rows and rows > 1:
            rules.append(
                _suggested_rule_entry(
                    "expect_column_values_to_be_unique", f"{rows:,} rows, as many values.", column=column
                )
            )
        if may_show_values and ("values", column) in details:
            rules += _suggest_value_set(column, details["values", column])
        elif may_show_values and column_value_kind(type_) in NUMBER_KINDS:
            rules += _suggest_bounds(column, profile, type_)
        elif may_show_values and column_value_kind(type_) == "text":
            rules += _suggest_text_length(column, profile)
    of = name if version is None else f"{name} at version {version}"
    notes = f"Suggested from {rows:,} rows of {of}. Edit it: keep the rules that must hold."
    return {"name": name.rsplit("/", 1)[-1], "notes": notes, "expectations": rules}


def _measure_suite_columns(frame: DataFrame, kinds: Mapping[str, DataType]) -> dict[Any, Any]:
    measures: dict[Any, Column] = {"rows": F.count(F.lit(1))}
    for name, type_ in kinds.items():
        column, kind = F.col(quote_identifier(name)), column_value_kind(type_)
        is_present = column.isNotNull() & ~F.isnan(column) if kind == "floating" else column.isNotNull()
        measures["present", name], measures["not null", name] = F.count(F.when(is_present, F.lit(1))), F.count(column)
        if kind == "other":
            continue
        measures["distinct", name] = F.approx_count_distinct(column)
        if kind in NUMBER_KINDS:
            measures["min", name], measures["max", name] = (
                F.min(F.when(is_present, column)),
                F.max(F.when(is_present, column)),
            )
        if kind == "text":
            measures["min", name], measures["max", name] = F.min(F.length(column)), F.max(F.length(column))
    found = frame.agg(*[measure.alias(f"m{index}") for index, measure in enumerate(measures.values())]).collect()[0]
    return dict(zip(measures, found, strict=True))


def _choose_set_and_key_columns(
    profile: Mapping[Any, Any], kinds: Mapping[str, DataType], sensitive: Collection[str]
) -> tuple[list[str], list[str]]:
    """The columns whose values are few, and those that may be keys."""
    rows = profile["rows"]
    set_columns = [
        name
        for name, type_ in kinds.items()
        if column_value_kind(type_) in ("text", "boolean")
        and name not in sensitive
        and 0 < profile["distinct", name] <= _MAX_SET_VALUES
    ]
    key_columns = [
        name
        for name, type_ in kinds.items()
        if column_value_kind(type_) in ("text", "integer")
        and profile["present", name] == rows
        and profile["distinct", name] >= _MIN_KEY_SHARE * rows
    ]
    return set_columns, key_columns


def _measure_sets_and_keys(frame: DataFrame, few: Sequence[str], keys: Sequence[str]) -> dict[Any, Any]:
    measures: dict[Any, Column] = {("values", name): F.collect_set(quote_identifier(name)) for name in few}
    measures |= {("distinct", name): F.count_distinct(F.col(quote_identifier(name))) for name in keys}
    if not measures:
        return {}
    found = frame.agg(*[measure.alias(f"m{index}") for index, measure in enumerate(measures.values())]).collect()[0]
    return dict(zip(measures, found, strict=True))


def _suggested_rule_entry(kind: str, reason: str, *, severity: str = "critical", **kwargs: Any) -> dict[str, Any]:
    return {"type": kind, "kwargs": kwargs, "severity": severity, "notes": reason}


def _suggest_row_count(rows: int) -> dict[str, Any]:
    low, high = math.floor(rows * (1 - _ROW_COUNT_MARGIN)), math.ceil(rows * (1 + _ROW_COUNT_MARGIN))
    reason = f"{rows:,} rows now; half as many more or fewer mean that a load was cut short, or ran twice."
    return _suggested_rule_entry("expect_table_row_count_to_be_between", reason, min_value=low, max_value=high)


def _suggest_not_null(column: str, profile: Mapping[Any, Any], rows: int) -> list[dict[str, Any]]:
    present = profile["present", column]
    kind = "expect_column_values_to_not_be_null"
    if present == rows:
        return [_suggested_rule_entry(kind, f"No NULL among {rows:,} rows.", column=column)] if rows else []
    if not present:
        return [
            _suggested_rule_entry(
                "expect_column_values_to_be_null", "No value in any row.", severity="warning", column=column
            )
        ]
    share = math.floor(present / rows * 100) / 100
    if share == 0:
        return []
    reason = f"{1 - present / rows:.2%} of {rows:,} rows are NULL or NaN."
    return [_suggested_rule_entry(kind, reason, severity="warning", column=column, mostly=share)]


def _suggest_value_set(column: str, values: Sequence[Any]) -> list[dict[str, Any]]:
    reason = f"These {len(values)} values and no other. A new value is a warning: you decide whether it is allowed."
    kind = "expect_column_values_to_be_in_set"
    return [_suggested_rule_entry(kind, reason, severity="warning", column=column, value_set=sorted(values))]


def _suggest_bounds(column: str, profile: Mapping[Any, Any], type_: DataType) -> list[dict[str, Any]]:
    low, high = profile["min", column], profile["max", column]
    if low is None or not (math.isfinite(low) and math.isfinite(high)):
        return []
    number = int if column_value_kind(type_) == "integer" else float
    reason = f"From {low:,} to {high:,} now, rounded outwards. Tighten it to what is possible."
    bounds: dict[str, Any] = {
        "min_value": number(_round_outwards(low, up=False)),
        "max_value": number(_round_outwards(high, up=True)),
    }
    present, not_null = profile["present", column], profile["not null", column]
    if present < not_null:  # NaN is within no bounds
        bounds["mostly"] = math.floor(present / not_null * 100) / 100
    return [
        _suggested_rule_entry("expect_column_values_to_be_between", reason, severity="warning", column=column, **bounds)
    ]


def _round_outwards(value: Any, *, up: bool) -> float:
    """To one digit, away from the values that were seen; what is at least 0 stays so."""
    if value == 0:
        return 0
    unit = 10 ** math.floor(math.log10(abs(value)))
    rounded = (math.ceil if up else math.floor)(value / unit) * unit
    return rounded if abs(unit) < 1 else int(rounded)


def _suggest_text_length(column: str, profile: Mapping[Any, Any]) -> list[dict[str, Any]]:
    low, high = profile["min", column], profile["max", column]
    if low is None or low != high:
        return []
    reason = f"Every value has {low} characters."
    return [
        _suggested_rule_entry(
            "expect_column_value_lengths_to_equal", reason, severity="warning", column=column, value=low
        )
    ]
