"""Computes the columns of `records.derived_columns` in Arrow. Runs on executors: pyarrow and numpy only.

`publish.column_expressions` says the same as SQL. Both do the same operations on doubles in the same order, so that
their results are equal to the bit.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

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
)
from sparkscore.stage.exact_numbers import java_exp, round_half_up
from sparkscore.stage.list_arrays import (
    Doubles,
    find_greatest_positions,
    flatten_values,
    order_descending,
    select_items,
    to_doubles,
)

_Columns = Mapping[str, pa.Array]


def add_derived_columns(columns: Mapping[str, pa.Array], derived: Sequence[DerivedColumn]) -> dict[str, pa.Array]:
    """The columns, and those that are computed from them.

    Needs:   each column that one reads, before it.
    """
    known = dict(columns)
    for column in derived:
        known[column.name] = _compute_column(column, known)
    return known


def _compute_column(column: DerivedColumn, known: _Columns) -> pa.Array:
    compute = _FORMS[type(column.operation)]
    found = compute(column.operation, known[column.of], column, known)
    found = _replace_nan(_limit_numbers(_replace_nan(found), column))
    return found if found.type == column.type else found.cast(column.type)


def _replace_nan(values: pa.Array) -> pa.Array:
    if not pa.types.is_floating(values.type):
        return values
    return pc.if_else(pc.is_nan(values), pa.scalar(None, values.type), values)


def _limit_numbers(values: pa.Array, column: DerivedColumn) -> pa.Array:
    if column.least is None and column.most is None and column.digits is None:
        return values
    values = values.cast(column.type)
    for limit, is_beyond in ((column.least, pc.less), (column.most, pc.greater)):
        if limit is not None:
            bound = pa.scalar(limit).cast(column.type)
            values = pc.if_else(pc.fill_null(is_beyond(values, bound), False), bound, values)
    return values if column.digits is None else _map_numbers(values, lambda x: round_half_up(x, column.digits or 0))


def _map_numbers(values: pa.Array, function: Callable[[Doubles], Doubles]) -> pa.Array:
    """The function of each number; NULL for NULL and NaN."""
    numbers, known = to_doubles(values)
    result = np.zeros(len(numbers))
    result[known] = function(numbers[known])
    return pa.array(result, mask=~known)


def _copy_value(_: CopyValue, value: pa.Array, column: DerivedColumn, known: _Columns) -> pa.Array:
    return value


def _select_field(operation: SelectField, value: pa.Array, column: DerivedColumn, known: _Columns) -> pa.Array:
    for name in operation.path:
        value = pc.struct_field(value, [value.type.get_field_index(name)])
    return value


def _select_element(operation: SelectElement, value: pa.Array, column: DerivedColumn, known: _Columns) -> pa.Array:
    items, counts = flatten_values(value)
    return select_items(items, counts, np.full(len(counts), operation.position))


def _greatest_value(_: GreatestValue, value: pa.Array, column: DerivedColumn, known: _Columns) -> pa.Array:
    return select_items(*find_greatest_positions(value))


def _greatest_label(operation: GreatestLabel, value: pa.Array, column: DerivedColumn, known: _Columns) -> pa.Array:
    _, _, positions = find_greatest_positions(value)
    return _take_labels(operation.labels, positions)


def _take_labels(labels: Sequence[Label], positions: npt.NDArray[np.int64]) -> pa.Array:
    is_there = (positions >= 0) & (positions < len(labels))
    return pa.array(labels).take(pa.array(positions, mask=~is_there))


def _top_values(operation: TopValues, value: pa.Array, column: DerivedColumn, known: _Columns) -> pa.Array:
    items, counts = flatten_values(value)
    rows, order = order_descending(items, counts)
    rank = np.arange(len(rows)) - np.searchsorted(rows, rows)
    rows, order = rows[rank < operation.count], order[rank < operation.count]
    starts = np.cumsum(counts) - counts
    labels = _take_labels(operation.labels, order - starts[rows])
    item = column.type.value_type
    parts = [labels.cast(item.field(0).type), items.take(pa.array(order)).cast(item.field(1).type)]
    offsets = np.concatenate(([0], np.cumsum(np.bincount(rows, minlength=len(counts))))).astype(np.int32)
    structs = pa.StructArray.from_arrays(parts, fields=list(item))
    return pa.ListArray.from_arrays(pa.array(offsets), structs, type=column.type, mask=value.is_null())


def _interpolate(operation: Interpolation, value: pa.Array, column: DerivedColumn, known: _Columns) -> pa.Array:
    x, y, slopes = (np.array(part) for part in (operation.x, operation.y, operation.slopes))

    def read_curve(numbers: Doubles) -> Doubles:
        held = np.minimum(np.maximum(numbers, x[0]), x[-1])
        at = np.searchsorted(x, held, side="right") - 1
        return np.asarray(y[at] + (held - x[at]) * slopes[at])

    return _map_numbers(value, read_curve)


def _squash(operation: Sigmoid, value: pa.Array, column: DerivedColumn, known: _Columns) -> pa.Array:
    with np.errstate(over="ignore"):
        return _map_numbers(value, lambda x: 1.0 / (1.0 + java_exp(operation.slope * x + operation.intercept)))


def _assign_bin(operation: AssignBin, value: pa.Array, column: DerivedColumn, known: _Columns) -> pa.Array:
    numbers, is_number = to_doubles(value)
    at = np.searchsorted(np.array(operation.edges), numbers, side="right")
    return _take_labels(operation.labels, np.where(is_number, at, -1))


def _apply_threshold(operation: ApplyThreshold, value: pa.Array, column: DerivedColumn, known: _Columns) -> pa.Array:
    numbers, is_number = to_doubles(value)
    limits = np.full(len(numbers), operation.default)
    if operation.by is not None:
        found = pc.index_in(_to_text(known[operation.by]), pa.array(operation.keys)).fill_null(-1).to_numpy()
        limits = np.where(found >= 0, np.array(operation.limits)[found], limits)
    return pa.array((numbers >= limits).astype(np.int32), mask=~is_number)


def _look_up(operation: LookUp, value: pa.Array, column: DerivedColumn, known: _Columns) -> pa.Array:
    texts = [_to_text(known[name]) for name in operation.columns]
    if len(texts) > 1:
        lengths = [pc.utf8_length(text).cast(pa.string()) for text in texts]
        parts = [part for pair in zip(lengths, texts, strict=True) for part in pair]
        tagged = [pc.binary_join_element_wise(*parts[at : at + 2], ":") for at in range(0, len(parts), 2)]
        texts = [pc.binary_join_element_wise(*tagged, "")]
    found = pc.index_in(texts[0], pa.array(operation.keys, pa.string()))
    values = pa.array([*operation.values, operation.default], pa.string())
    return values.take(found.fill_null(len(operation.values))).cast(column.type)


def _to_text(values: pa.Array) -> pa.Array:
    return values.cast(pa.string())


_FORMS: Mapping[type, Callable[[Any, pa.Array, DerivedColumn, _Columns], pa.Array]] = {
    CopyValue: _copy_value,
    SelectField: _select_field,
    SelectElement: _select_element,
    GreatestValue: _greatest_value,
    GreatestLabel: _greatest_label,
    TopValues: _top_values,
    Interpolation: _interpolate,
    Sigmoid: _squash,
    AssignBin: _assign_bin,
    ApplyThreshold: _apply_threshold,
    LookUp: _look_up,
}
