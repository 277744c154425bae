"""The typed filter on Arrow columns, true for the same rows as Spark's. Executors use it: pyarrow only."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce

import pyarrow as pa
import pyarrow.compute as pc


@dataclass(frozen=True, slots=True)
class ArrowCondition:
    """One comparison of a column with values of the column's type. `predicates.spark_filter` makes it."""

    column: str
    op: str
    values: pa.Array


_ArrowComparison = Callable[[pa.Array, pa.Array], pa.Array]


def _equals_any_value(column: pa.Array, values: pa.Array) -> pa.Array:
    """By comparison, not by `is_in`: that one tells 0.0 from -0.0."""
    return reduce(pc.or_kleene, [pc.equal(column, value) for value in values])


def _include_nan(compared: pa.Array, column: pa.Array) -> pa.Array:
    """Spark orders NaN above every number."""
    return pc.or_kleene(compared, pc.is_nan(column)) if pa.types.is_floating(column.type) else compared


_ARROW_FILTER_OPERATORS: Mapping[str, _ArrowComparison] = {
    "=": lambda column, values: pc.equal(column, values[0]),
    "!=": lambda column, values: pc.not_equal(column, values[0]),
    "<": lambda column, values: pc.less(column, values[0]),
    "<=": lambda column, values: pc.less_equal(column, values[0]),
    ">": lambda column, values: _include_nan(pc.greater(column, values[0]), column),
    ">=": lambda column, values: _include_nan(pc.greater_equal(column, values[0]), column),
    "in": _equals_any_value,
    "not in": lambda column, values: pc.invert(_equals_any_value(column, values)),
    "is null": lambda column, _: column.is_null(),
    "is not null": lambda column, _: column.is_valid(),
}


def evaluate_arrow_conditions(
    conditions: Sequence[ArrowCondition], columns: Mapping[str, pa.Array], rows: int
) -> pa.Array:
    """Whether all conditions are true, for each row; NULL compares to nothing, so it is false there.

    Needs:   the conditions' columns, of the table's types.
    Shapes:  n rows -> n booleans without NULL.
    Runs on: driver | executor.
    """
    masks = [
        _ARROW_FILTER_OPERATORS[condition.op](columns[condition.column], condition.values).fill_null(False)
        for condition in conditions
    ]
    return reduce(pc.and_, masks) if masks else pa.repeat(True, rows)
