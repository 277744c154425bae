"""The columns of `records.derived_columns` as SQL. `stage.column_arrays` says the same in Arrow.

Names and texts of configs and models are quoted; numbers are literals of type double.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pyarrow as pa
from pyspark.sql import DataFrame

from sparkscore.records import (
    ApplyThreshold,
    AssignBin,
    CopyValue,
    DerivedColumn,
    GreatestLabel,
    GreatestValue,
    Interpolation,
    Label,
    LookUp,
    SelectElement,
    SelectField,
    Sigmoid,
    TopValues,
    order_in_levels,
)
from sparkscore.spark.identifiers import quote_identifier
from sparkscore.spark.sql_texts import double_literal, name_expression, text_literal, type_text
from sparkscore.spark.type_mapping import arrow_to_spark_type

_VALUE, _ITEM, _AT, _STEP, _PLACE = (f"_sparkscore_{name}" for name in ("value", "item", "at", "step", "place"))
"""Of lambdas: no column of a table has such a name."""


def append_derived_columns(frame: DataFrame, derived: Sequence[DerivedColumn]) -> DataFrame:
    """The frame with the columns that are computed from its own.

    Jobs:    none.
    """
    for level in order_in_levels(derived):
        frame = frame.selectExpr("*", *(name_expression(_column_text(one), one.name) for one in level))
    return frame


def _column_text(column: DerivedColumn) -> str:
    form = _FORMS[type(column.operation)]
    kind = type_text(arrow_to_spark_type(column.type))
    made = f"CAST({form(column.operation, quote_identifier(column.of), column)} AS {kind})"
    if pa.types.is_floating(column.type):
        made = f"nanvl({made}, CAST(NULL AS {kind}))"
    if column.least is not None or column.most is not None:
        made = _bind_value(made, lambda value: _clip_text(value, column, kind))
    return made if column.digits is None else f"round({made}, {column.digits})"


def _bind_value(value: str, use: Callable[[str], str], name: str = _VALUE) -> str:
    """What is made of a value that is computed once."""
    return f"get(transform(array({value}), {name} -> {use(name)}), 0)"


def _clip_text(value: str, column: DerivedColumn, kind: str) -> str:
    limits = ((column.least, "<"), (column.most, ">"))
    given = [(_number_literal(limit, kind), sign) for limit, sign in limits if limit is not None]
    return f"CASE {' '.join(f'WHEN {value} {sign} {limit} THEN {limit}' for limit, sign in given)} ELSE {value} END"


def _number_literal(number: float, kind: str) -> str:
    return f"CAST({double_literal(float(number))} AS {kind})"


def _list_text(value: str, kind: pa.DataType) -> str:
    """The values of a list; those of a struct are its fields, and those of a second class's probability are both."""
    if pa.types.is_list(kind):
        return value
    if pa.types.is_struct(kind):
        fields = ", ".join(f"{value}.{quote_identifier(field.name)}" for field in kind)
        return f"CASE WHEN {value} IS NOT NULL THEN array({fields}) END"
    one = f"CAST(1 AS {type_text(arrow_to_spark_type(kind))})"
    return f"CASE WHEN {value} IS NOT NULL THEN array({one} - {value}, {value}) END"


def _bind_list(value: str, column: DerivedColumn, use: Callable[[str], str]) -> str:
    """What is made of a list: of a column as it stands, of another value computed once."""
    if pa.types.is_list(column.of_type):
        return use(value)
    return _bind_value(_list_text(value, column.of_type), use, _PLACE)


def _greatest_text(values: str) -> str:
    """Where the greatest number of a list is first, from 0; -1 for an empty one, NULL where there is no number."""
    known = f"array_max(filter({values}, {_ITEM} -> NOT isnan({_ITEM})))"
    greatest = f"CASE WHEN isnan(array_max({values})) THEN {known} ELSE array_max({values}) END"
    return f"CAST(array_position({values}, {greatest}) AS INT) - 1"


def _labels_text(labels: Sequence[Label]) -> str:
    texts = ", ".join(text_literal(one) if isinstance(one, str) else f"CAST({one} AS BIGINT)" for one in labels)
    return f"array({texts})"


def _doubles_text(numbers: Sequence[float]) -> str:
    """An array of doubles, which Spark makes once."""
    return f"CAST(split('{' '.join(map(repr, numbers))}', ' ') AS ARRAY<DOUBLE>)"


def _texts_text(texts: Sequence[str | None]) -> str:
    return f"array({', '.join('CAST(NULL AS STRING)' if one is None else text_literal(one) for one in texts)})"


def _search_text(ascending: str, size: int, value: str) -> str:
    """How many of the ascending values are at most this one, by halves."""
    steps = ", ".join(str(1 << power) for power in reversed(range(size.bit_length())))
    fits = f"{_AT} + {_STEP} <= {size} AND get({ascending}, {_AT} + {_STEP} - 1) <= {value}"
    return f"aggregate(array({steps}), 0, ({_AT}, {_STEP}) -> CASE WHEN {fits} THEN {_AT} + {_STEP} ELSE {_AT} END)"


def _find_text(keys: Sequence[str], key: str, found: str, otherwise: str) -> str:
    """`found`, with the place of the key in `_PLACE`; or else what stands for a key that is not there."""
    texts = _texts_text(keys)
    search = f"{_search_text(texts, len(keys), key)} - 1"
    choice = f"CASE WHEN get({texts}, {_PLACE}) = {key} THEN {found} ELSE {otherwise} END"
    return _bind_value(search, lambda _: choice, _PLACE)


def _copy_text(_: CopyValue, value: str, column: DerivedColumn) -> str:
    return value


def _field_text(operation: SelectField, value: str, column: DerivedColumn) -> str:
    return ".".join((value, *map(quote_identifier, operation.path)))


def _element_text(operation: SelectElement, value: str, column: DerivedColumn) -> str:
    return f"get({_list_text(value, column.of_type)}, {operation.position})"


def _greatest_value_text(_: GreatestValue, value: str, column: DerivedColumn) -> str:
    return _bind_list(value, column, lambda bound: f"get({bound}, {_greatest_text(bound)})")


def _greatest_label_text(operation: GreatestLabel, value: str, column: DerivedColumn) -> str:
    labels = _labels_text(operation.labels)
    return _bind_list(value, column, lambda bound: f"get({labels}, {_greatest_text(bound)})")


def _top_text(operation: TopValues, value: str, column: DerivedColumn) -> str:
    # sorted by what is negative: of equal values the first place comes first
    pairs = f"transform({_list_text(value, column.of_type)}, ({_ITEM}, {_AT}) -> struct(-{_ITEM} AS n, {_AT} AS at))"
    known = f"filter({pairs}, {_ITEM} -> {_ITEM}.n IS NOT NULL AND NOT isnan({_ITEM}.n))"
    first = f"slice(sort_array({known}), 1, {operation.count})"
    label, number = f"get({_labels_text(operation.labels)}, {_ITEM}.at)", f"-{_ITEM}.n"
    return f"transform({first}, {_ITEM} -> struct({label} AS label, {number} AS value))"


def _interpolation_text(operation: Interpolation, value: str, column: DerivedColumn) -> str:
    x, y, slopes = (_doubles_text(part) for part in (operation.x, operation.y, operation.slopes))
    first, last = double_literal(operation.x[0]), double_literal(operation.x[-1])
    held = f"least(greatest(CAST({value} AS DOUBLE), {first}), {last})"
    count = f"{_search_text(x, len(operation.x), held)} - 1"
    line = f"get({y}, {_PLACE}) + ({held} - get({x}, {_PLACE})) * get({slopes}, {_PLACE})"
    return f"CASE WHEN NOT isnan({value}) AND {value} IS NOT NULL THEN {_bind_value(count, lambda _: line, _PLACE)} END"


def _sigmoid_text(operation: Sigmoid, value: str, column: DerivedColumn) -> str:
    power = f"{double_literal(operation.slope)} * CAST({value} AS DOUBLE) + {double_literal(operation.intercept)}"
    return f"{double_literal(1.0)} / ({double_literal(1.0)} + exp({power}))"


def _bin_text(operation: AssignBin, value: str, column: DerivedColumn) -> str:
    count = _search_text(_doubles_text(operation.edges), len(operation.edges), f"CAST({value} AS DOUBLE)")
    label = f"get({_labels_text(operation.labels)}, {count})"
    return f"CASE WHEN NOT isnan({value}) AND {value} IS NOT NULL THEN {label} END"


def _threshold_text(operation: ApplyThreshold, value: str, column: DerivedColumn) -> str:
    limit = double_literal(operation.default)
    if operation.by is not None:
        segment = f"CAST({quote_identifier(operation.by)} AS STRING)"
        limit = _find_text(operation.keys, segment, f"get({_doubles_text(operation.limits)}, {_PLACE})", limit)
    return f"CASE WHEN NOT isnan({value}) THEN CAST(CAST({value} AS DOUBLE) >= {limit} AS INT) END"


def _lookup_text(operation: LookUp, value: str, column: DerivedColumn) -> str:
    parts = [f"CAST({quote_identifier(name)} AS STRING)" for name in operation.columns]
    if len(parts) > 1:
        tagged = ", ".join(f"CAST(length({one}) AS STRING), ':', {one}" for one in parts)
        parts = [f"concat({tagged})"]
    default = _texts_text([operation.default]).removeprefix("array(").removesuffix(")")
    if not operation.keys:
        return default
    return _find_text(operation.keys, parts[0], f"get({_texts_text(operation.values)}, {_PLACE})", default)


_FORMS: Mapping[type, Callable[[Any, str, DerivedColumn], str]] = {
    CopyValue: _copy_text,
    SelectField: _field_text,
    SelectElement: _element_text,
    GreatestValue: _greatest_value_text,
    GreatestLabel: _greatest_label_text,
    TopValues: _top_text,
    Interpolation: _interpolation_text,
    Sigmoid: _sigmoid_text,
    AssignBin: _bin_text,
    ApplyThreshold: _threshold_text,
    LookUp: _lookup_text,
}
