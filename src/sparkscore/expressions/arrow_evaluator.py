"""Expressions on Arrow batches, with the same values as Spark's evaluator. Executors use it: pyarrow and numpy only."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from sparkscore.expressions.arrow_casts import cast_values, find_local_times, limit_days
from sparkscore.expressions.arrow_lookup import look_up_values
from sparkscore.expressions.typed_expressions import TypedExpression

_ArrowOperation = Callable[[TypedExpression, pa.RecordBatch], pa.Array]
_Binary = Callable[[Any, Any], Any]


@dataclass(frozen=True, slots=True)
class ArrowDerivation:
    """Computes columns of batches of source rows. Pickled into every task."""

    expressions: Mapping[str, TypedExpression]
    """By the name of the column that each gives."""

    def __call__(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """The batch with the computed columns after its own.

        Runs on: executor.
        """
        computed = [evaluate_arrow(one, batch) for one in self.expressions.values()]
        return pa.record_batch([*batch.columns, *computed], [*batch.schema.names, *self.expressions])


def evaluate_arrow(expression: TypedExpression, batch: pa.RecordBatch) -> pa.Array:
    """The expression's value for each row, of its type.

    Needs:   the columns that it reads, of the types that it was inferred over.
    Runs on: driver | executor.
    """
    return _OPERATIONS[expression.op](expression, batch)


def _read_column(expression: TypedExpression, batch: pa.RecordBatch) -> pa.Array:
    return batch.column(expression.value)


def _repeat_constant(expression: TypedExpression, batch: pa.RecordBatch) -> pa.Array:
    return pa.repeat(_to_scalar(expression), batch.num_rows)


def _to_scalar(expression: TypedExpression) -> pa.Scalar:
    return pa.scalar(expression.value, expression.kind)


def _evaluate_operands(expression: TypedExpression, batch: pa.RecordBatch) -> list[Any]:
    """The parts; constants as scalars, where another part gives an array."""
    if all(one.op == "constant" for one in expression.parts):
        return [evaluate_arrow(one, batch) for one in expression.parts]
    return [_to_scalar(one) if one.op == "constant" else evaluate_arrow(one, batch) for one in expression.parts]


def _cast_part(expression: TypedExpression, batch: pa.RecordBatch) -> pa.Array:
    return cast_values(evaluate_arrow(expression.parts[0], batch), expression.kind)


def _coalesce_parts(expression: TypedExpression, batch: pa.RecordBatch) -> pa.Array:
    return pc.coalesce(*_evaluate_operands(expression, batch))


def _concatenate_parts(expression: TypedExpression, batch: pa.RecordBatch) -> pa.Array:
    return pc.binary_join_element_wise(*_evaluate_operands(expression, batch), pa.scalar("", pa.string()))


def _compute_numbers(expression: TypedExpression, batch: pa.RecordBatch) -> pa.Array:
    left, right = _evaluate_operands(expression, batch)
    unchecked, checked, exact = _ARITHMETIC[expression.op]
    if not pa.types.is_integer(expression.kind):
        return pc.cast(unchecked(left, right), expression.kind)
    try:
        return checked(left, right)
    except pa.ArrowInvalid:  # one of the results is beyond 64 bits: rare, and found one by one
        return _compute_exactly(left, right, exact, batch.num_rows)


def _compute_exactly(left: Any, right: Any, exact: _Binary, rows: int) -> pa.Array:
    pairs = zip(*(_to_python_values(one, rows) for one in (left, right)), strict=True)
    results = (None if one is None or other is None else exact(one, other) for one, other in pairs)
    return pa.array([None if one is None or not -(1 << 63) <= one < 1 << 63 else one for one in results], pa.int64())


def _to_python_values(operand: Any, rows: int) -> list[Any]:
    values: list[Any] = [operand.as_py()] * rows if isinstance(operand, pa.Scalar) else operand.to_pylist()
    return values


def _divide_numbers(expression: TypedExpression, batch: pa.RecordBatch) -> pa.Array:
    left, right = _evaluate_operands(expression, batch)
    return pc.if_else(pc.equal(right, 0.0), pa.scalar(None, expression.kind), pc.divide(left, right))


def _take_date_part(expression: TypedExpression, batch: pa.RecordBatch) -> pa.Array:
    values = evaluate_arrow(expression.parts[0], batch)
    is_time = pa.types.is_timestamp(values.type)
    local = find_local_times(values, expression.zone) if is_time else limit_days(values)
    return pc.cast(_DATE_PARTS[expression.value](local), expression.kind)


def _evaluate_lookup(expression: TypedExpression, batch: pa.RecordBatch) -> pa.Array:
    keys = [evaluate_arrow(one, batch) for one in expression.parts]
    assert expression.lookup is not None  # noqa: S101  of this operation
    return look_up_values(expression.lookup, keys, pa.scalar(expression.value, expression.kind))


_ARITHMETIC: Mapping[str, tuple[_Binary, _Binary, _Binary]] = {
    "add": (pc.add, pc.add_checked, lambda left, right: left + right),
    "subtract": (pc.subtract, pc.subtract_checked, lambda left, right: left - right),
    "multiply": (pc.multiply, pc.multiply_checked, lambda left, right: left * right),
}
_DATE_PARTS: Mapping[str, Callable[[pa.Array], pa.Array]] = {
    "year": pc.year,
    "quarter": pc.quarter,
    "month": pc.month,
    "week": pc.iso_week,
    "day": pc.day,
    "day_of_week": lambda values: pc.day_of_week(values, count_from_zero=False, week_start=1),
    "day_of_year": pc.day_of_year,
    "hour": pc.hour,
    "minute": pc.minute,
    "second": pc.second,
}
_OPERATIONS: Mapping[str, _ArrowOperation] = {
    "column": _read_column,
    "constant": _repeat_constant,
    "cast": _cast_part,
    "coalesce": _coalesce_parts,
    "concat": _concatenate_parts,
    "divide": _divide_numbers,
    "part": _take_date_part,
    "lookup": _evaluate_lookup,
    **dict.fromkeys(_ARITHMETIC, _compute_numbers),
}
