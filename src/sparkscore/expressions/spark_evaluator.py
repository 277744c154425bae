"""Expressions as Spark columns, with the same values as the Arrow evaluator. Runs on the driver; no Spark job."""

from collections.abc import Callable, Mapping
from functools import reduce

import pyarrow as pa
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from sparkscore.expressions.spark_casts import cast_column, find_local_column, limit_day_column
from sparkscore.expressions.typed_expressions import LookupContent, TypedExpression
from sparkscore.spark.active_session import create_frame
from sparkscore.spark.identifiers import quote_identifier
from sparkscore.spark.type_mapping import arrow_to_spark_type

_HELPER = "_sparkscore_part_"
"""Before the numbers of columns that expressions are made of."""


def derive_spark_columns(frame: DataFrame, expressions: Mapping[str, TypedExpression]) -> DataFrame:
    """The frame with a column for each expression, after its own.

    Needs:   the columns that they read, of the types that they were inferred over.
    Grain:   as the frame: a lookup has each key once.
    Jobs:    none; a broadcast join per lookup.
    """
    if not expressions:
        return frame
    evaluator = _SparkEvaluator(frame)
    computed = {name: evaluator.evaluate(one) for name, one in expressions.items()}
    names = [F.col(quote_identifier(name)) for name in frame.columns]
    return evaluator.frame.select(*names, *(column.alias(name) for name, column in computed.items()))


class _SparkEvaluator:
    """Turns expressions into columns of a frame, which inner ones and lookups are added to."""

    def __init__(self, frame: DataFrame) -> None:
        self.frame = frame
        self._added = 0

    def evaluate(self, expression: TypedExpression) -> Column:
        parts = [self._evaluate_part(one) for one in expression.parts]
        if expression.op == "lookup":
            return self._join_lookup(expression, parts)
        return _SPARK_OPERATIONS[expression.op](expression, parts)

    def _evaluate_part(self, part: TypedExpression) -> Column:
        """A part as a column of its own: operations use it more than once, and a plan of copies grows exponentially."""
        column = self.evaluate(part)
        return column if part.op in ("column", "constant") else self._add_column(column)

    def _add_column(self, column: Column) -> Column:
        self._added += 1
        name = f"{_HELPER}{self._added}"
        self.frame = self.frame.select("*", column.alias(name))
        return F.col(name)

    def _join_lookup(self, expression: TypedExpression, keys: list[Column]) -> Column:
        self._added += 1
        content, prefix = expression.lookup, f"{_HELPER}{self._added}_"
        assert content is not None  # noqa: S101  of this operation
        stored = _create_lookup_frame(self.frame, content, prefix)
        equal = [key == F.col(f"{prefix}key{index}") for index, key in enumerate(keys)]
        self.frame = self.frame.join(F.broadcast(stored), reduce(Column.__and__, equal), "left")
        found, value = F.col(f"{prefix}key0").isNotNull(), F.col(f"{prefix}value")
        default = F.lit(expression.value).cast(arrow_to_spark_type(expression.kind))
        return F.when(found, value).otherwise(default)


def _create_lookup_frame(frame: DataFrame, content: LookupContent, prefix: str) -> DataFrame:
    rows = content.rows.rename_columns([f"{prefix}{name}" for name in content.rows.column_names])
    return create_frame(frame.sparkSession, rows)


def _repeat_literal(expression: TypedExpression, _: list[Column]) -> Column:
    return F.lit(expression.value).cast(arrow_to_spark_type(expression.kind))


def _compute_columns(expression: TypedExpression, parts: list[Column]) -> Column:
    checked, plain = _SPARK_ARITHMETIC[expression.op]
    if pa.types.is_integer(expression.kind):
        return checked(*parts)
    return plain(*parts).cast(arrow_to_spark_type(expression.kind))


def _divide_columns(_: TypedExpression, parts: list[Column]) -> Column:
    left, right = parts
    return F.when(right != F.lit(0.0), left / right)


def _take_column_part(expression: TypedExpression, parts: list[Column]) -> Column:
    kind = expression.parts[0].kind
    is_time = pa.types.is_timestamp(kind)
    local = find_local_column(parts[0], kind, expression.timezone) if is_time else limit_day_column(parts[0])
    return _SPARK_DATE_PARTS[expression.value](local).cast("int")


_SPARK_ARITHMETIC: Mapping[str, tuple[Callable[[Column, Column], Column], Callable[[Column, Column], Column]]] = {
    "add": (F.try_add, lambda left, right: left + right),
    "subtract": (F.try_subtract, lambda left, right: left - right),
    "multiply": (F.try_multiply, lambda left, right: left * right),
}
_SPARK_DATE_PARTS: Mapping[str, Callable[[Column], Column]] = {
    "year": F.year,
    "quarter": F.quarter,
    "month": F.month,
    "week": F.weekofyear,
    "day": F.dayofmonth,
    "day_of_week": lambda column: F.weekday(column) + F.lit(1),
    "day_of_year": F.dayofyear,
    "hour": F.hour,
    "minute": F.minute,
    "second": F.second,
}
_SPARK_OPERATIONS: Mapping[str, Callable[[TypedExpression, list[Column]], Column]] = {
    "column": lambda expression, _: F.col(quote_identifier(expression.value)),
    "constant": _repeat_literal,
    "cast": lambda expression, parts: cast_column(parts[0], expression.parts[0].kind, expression.kind),
    "coalesce": lambda _, parts: F.coalesce(*parts),
    "concat": lambda _, parts: F.concat(*parts),
    "divide": _divide_columns,
    "part": _take_column_part,
    **dict.fromkeys(_SPARK_ARITHMETIC, _compute_columns),
}
