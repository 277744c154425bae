"""What a row has to be like, computed with pyarrow: only where that is sure to be what Spark computes.

Compiled on the driver, into functions that can be pickled; these run on executors.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime
from functools import partial, reduce
from itertools import combinations
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql.types import (
    BinaryType,
    DataType,
    FloatType,
    LongType,
    StringType,
    StructType,
    TimestampNTZType,
)

from sparkscore.gate.compiled.bounds import whole_limit
from sparkscore.gate.compiled.conditions import left_out
from sparkscore.gate.compiled.values import exact, fitted, kind_of, range_of, time_text

Met = Callable[[pa.RecordBatch], pa.Array]
"""A batch -> for each row true, false, or NULL: not judged."""

Kwargs = Mapping[str, Any]
_DATE = len("2013-12-31")


class NoArrowForm(Exception):
    """pyarrow is not sure to compute what Spark computes: Java's regular expressions, decimals beside doubles."""


def arrow_condition(kind: str, kwargs: Kwargs, schema: StructType) -> Met:
    """What the expectation asks of a row, as `conditions.condition` does in Spark.

    Times without a zone are UTC's: so is the session of a run.

    Needs:   arguments that `conditions.condition` takes.
    Raises:  NoArrowForm.
    """
    form = _FORMS.get(kind)
    if form is None:
        raise NoArrowForm
    return form(kwargs, schema)


def arrow_where(condition: Any, schema: StructType) -> Met:
    """Whether a row is one that the condition is about, as `where.where` does in Spark; NULL: it is not.

    Raises:  NoArrowForm.
    """
    if condition["type"] in _JOINED:
        return partial(_joined, [arrow_where(part, schema) for part in condition["conditions"]], condition["type"])
    name = condition["column"]["name"]
    if condition["type"] == "nullity":
        return partial(_null, name) if condition["is_null"] else partial(_there, name)
    return _compared(name, schema[name].dataType, condition["operator"], condition["parameter"])


def _of(kwargs: Kwargs, schema: StructType) -> tuple[str, DataType]:
    name = kwargs["column"]
    return name, schema[name].dataType


def _not_null(kwargs: Kwargs, schema: StructType) -> Met:
    name, type_ = _of(kwargs, schema)
    return partial(_number, name) if kind_of(type_) == "floating" else partial(_there, name)


def _is_null(kwargs: Kwargs, schema: StructType) -> Met:
    return partial(_not, _not_null(kwargs, schema))


def _between(kwargs: Kwargs, schema: StructType) -> Met:
    name, type_ = _of(kwargs, schema)
    return partial(_within, name, list(_limits(kwargs, type_)))


def _lengths_between(kwargs: Kwargs, schema: StructType) -> Met:
    name, type_ = _of(kwargs, schema)
    limits = list(_whole_limits(kwargs, *range_of(LongType())))
    return partial(_length_within, name, "binary" if isinstance(type_, BinaryType) else "text", limits)


def _lengths_equal(kwargs: Kwargs, schema: StructType) -> Met:
    value = kwargs["value"]
    return _lengths_between({**kwargs, "min_value": value, "max_value": value}, schema)


def _in_set(kwargs: Kwargs, schema: StructType) -> Met:
    name, type_ = _of(kwargs, schema)
    return partial(_among, name, _values(kwargs["value_set"], type_))


def _not_in_set(kwargs: Kwargs, schema: StructType) -> Met:
    return partial(_not, _in_set(kwargs, schema))


def _greater(kwargs: Kwargs, schema: StructType) -> Met:
    names = (kwargs["column_A"], kwargs["column_B"])
    _require_same(names, schema)
    return _unless_left_out(kwargs, partial(_a_greater, *names, bool(kwargs.get("or_equal"))))


def _equal(kwargs: Kwargs, schema: StructType) -> Met:
    names = (kwargs["column_A"], kwargs["column_B"])
    _require_same(names, schema)
    return _unless_left_out(kwargs, partial(_same, *names))


def _unique_within(kwargs: Kwargs, schema: StructType) -> Met:
    names = tuple(kwargs["column_list"])
    _require_same(names, schema)
    return _unless_left_out(kwargs, partial(_differ, names))


_FORMS: Mapping[str, Callable[[Kwargs, StructType], Met]] = {
    "expect_column_values_to_not_be_null": _not_null,
    "expect_column_values_to_be_null": _is_null,
    "expect_column_values_to_be_between": _between,
    "expect_column_values_to_be_in_set": _in_set,
    "expect_column_values_to_not_be_in_set": _not_in_set,
    "expect_column_value_lengths_to_be_between": _lengths_between,
    "expect_column_value_lengths_to_equal": _lengths_equal,
    "expect_column_pair_values_a_to_be_greater_than_b": _greater,
    "expect_column_pair_values_to_be_equal": _equal,
    "expect_select_column_values_to_be_unique_within_record": _unique_within,
}

Limit = tuple[str, Any]
"""Name of a comparison of pyarrow's, and what a value is compared with; `never`, with nothing."""

_SIDES = (("min_value", "greater", "strict_min"), ("max_value", "less", "strict_max"))


def _limits(kwargs: Kwargs, type_: DataType) -> Iterator[Limit]:
    kind = kind_of(type_)
    if kind not in ("whole", "floating", "date", "moment"):
        raise NoArrowForm
    if kind == "whole":
        yield from _whole_limits(kwargs, *range_of(type_))
        return
    for bound, comparison, strict in _SIDES:
        if kwargs.get(bound) is not None:
            yield comparison if kwargs.get(strict) else f"{comparison}_equal", _bound(kwargs[bound], type_)


def _whole_limits(kwargs: Kwargs, least: int, greatest: int) -> Iterator[Limit]:
    for bound, comparison, strict in _SIDES:
        if kwargs.get(bound) is None:
            continue
        limit = whole_limit(
            kwargs[bound], least, greatest, above=comparison == "greater", strict=bool(kwargs.get(strict))
        )
        if limit is False:
            yield "never", None
        elif limit is not True:
            yield f"{comparison}_equal", pa.scalar(limit, pa.int64())


def _bound(value: object, type_: DataType) -> pa.Scalar:
    if kind_of(type_) == "floating":
        return pa.scalar(float(exact(value)), pa.float64())  # compared as doubles: exact for float, too
    return _time(value, type_)


def _values(values: Sequence[Any], type_: DataType) -> pa.Array:
    """A set as an array of the column's type.

    Raises:  NoArrowForm; also for a zero among floating numbers, of which there are two.
    """
    held = fitted(values, type_)
    kind = kind_of(type_)
    if kind == "whole":
        return pa.array(held, pa.int64())
    if kind == "floating" and 0 not in held:
        return pa.array(held, pa.float32() if isinstance(type_, FloatType) else pa.float64())
    if kind == "truth":
        return pa.array(held, pa.bool_())
    if kind == "text" and _is_plain(type_):
        return pa.array(held, pa.string())
    if kind in ("date", "moment"):
        times = [_time(value, type_) for value in held]
        return pa.array([time.as_py() for time in times], times[0].type if times else pa.date32())
    raise NoArrowForm


def _is_plain(type_: DataType) -> bool:
    """Text that is compared byte by byte."""
    return type_ == StringType()


def _time(value: object, type_: DataType) -> pa.Scalar:
    text = time_text(value)
    moment = datetime.fromisoformat(text)
    if kind_of(type_) == "date":
        if len(text) != _DATE:
            raise NoArrowForm  # Spark compares moments then
        return pa.scalar(date.fromisoformat(text), pa.date32())
    if isinstance(type_, TimestampNTZType):
        if moment.tzinfo is not None:
            raise NoArrowForm
        return pa.scalar(moment, pa.timestamp("us"))
    moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
    return pa.scalar(moment, pa.timestamp("us", "UTC"))


def _require_same(names: Sequence[str], schema: StructType) -> None:
    """Columns of one type, whose values pyarrow compares as Spark does."""
    types = {schema[name].dataType for name in names}
    (first, *others) = types
    if others or kind_of(first) in ("other", "decimal") or (kind_of(first) == "text" and not _is_plain(first)):
        raise NoArrowForm


def _compared(name: str, type_: DataType, comparison: str, value: Any) -> Met:
    if comparison == "IN":
        return partial(_among, name, _values(value, type_))
    if comparison == "NOT_IN":
        return partial(_not, partial(_among, name, _values(value, type_)))
    kind = kind_of(type_)
    if kind in ("date", "moment"):
        return partial(_holds, name, comparison, _time(value, type_))
    if kind == "decimal" or (kind == "text" and not _is_plain(type_)):
        raise NoArrowForm
    held = fitted([value], type_)
    if held:
        return partial(_holds, name, comparison, pa.scalar(held[0], _as_compared(type_)))
    number = float(exact(value))
    if math.isnan(number):
        raise NoArrowForm
    return partial(_holds, name, comparison, pa.scalar(number, pa.float64()))


def _as_compared(type_: DataType) -> pa.DataType:
    if kind_of(type_) == "floating":
        return pa.float32() if isinstance(type_, FloatType) else pa.float64()
    return {"whole": pa.int64(), "truth": pa.bool_(), "text": pa.string()}[kind_of(type_)]


def _unless_left_out(kwargs: Kwargs, met: Met) -> Met:
    rule = left_out(kwargs)
    return met if rule is None else partial(_judged, *rule, met)


# What runs on executors: the last argument is the batch.

_JOINED = {"and": pc.and_kleene, "or": pc.or_kleene}
_COMPARISONS = {
    "==": pc.equal,
    "!=": pc.not_equal,
    "<": pc.less,
    "<=": pc.less_equal,
    ">": pc.greater,
    ">=": pc.greater_equal,
}
_NAN_IS = {"==": False, "!=": True, "<": False, "<=": False, ">": True, ">=": True}
"""Of NaN beside a number: Spark has it greater than all of them."""


def _there(name: str, batch: pa.RecordBatch) -> pa.Array:
    return batch.column(name).is_valid()


def _null(name: str, batch: pa.RecordBatch) -> pa.Array:
    return batch.column(name).is_null()


def _number(name: str, batch: pa.RecordBatch) -> pa.Array:
    column = batch.column(name)
    return pc.invert(column.is_null(nan_is_null=True))


def _not(met: Met, batch: pa.RecordBatch) -> pa.Array:
    return pc.invert(met(batch))


def _joined(parts: Sequence[Met], how: str, batch: pa.RecordBatch) -> pa.Array:
    return reduce(_JOINED[how], [part(batch) for part in parts])


def _within(name: str, limits: Sequence[Limit], batch: pa.RecordBatch) -> pa.Array:
    column = batch.column(name)
    return _all_met(_widened(column), limits)


def _length_within(name: str, sort: str, limits: Sequence[Limit], batch: pa.RecordBatch) -> pa.Array:
    column = batch.column(name)
    lengths = pc.binary_length(column) if sort == "binary" else pc.utf8_length(column)
    return _all_met(lengths.cast(pa.int64()), limits)


def _all_met(column: pa.Array, limits: Sequence[Limit]) -> pa.Array:
    """NaN is within nothing, not even where there are no limits."""
    if not limits:
        return pc.equal(column, column)
    parts = [pc.not_equal(column, column) if name == "never" else getattr(pc, name)(column, at) for name, at in limits]
    return reduce(pc.and_, parts)


def _among(name: str, values: pa.Array, batch: pa.RecordBatch) -> pa.Array:
    column = batch.column(name)
    found = pc.is_in(column, value_set=_like(values, column.type) if len(values) else pa.array([], column.type))
    return pc.if_else(column.is_valid(), found, pa.scalar(None, pa.bool_()))


def _like(values: pa.Array, kind: pa.DataType) -> pa.Array:
    return values if values.type == kind else values.cast(kind)


def _holds(name: str, comparison: str, value: pa.Scalar, batch: pa.RecordBatch) -> pa.Array:
    column = batch.column(name)
    if pa.types.is_float64(value.type) and pa.types.is_integer(column.type):
        column = column.cast(pa.float64(), safe=False)  # as Spark casts
    met = _COMPARISONS[comparison](_widened(column) if pa.types.is_integer(column.type) else _aligned(column), value)
    if pa.types.is_floating(column.type):
        met = pc.if_else(pc.is_nan(column), _NAN_IS[comparison], met)
    return met


def _a_greater(first: str, second: str, or_equal: bool, batch: pa.RecordBatch) -> pa.Array:
    left, right = batch.column(first), batch.column(second)
    met = (pc.greater_equal if or_equal else pc.greater)(left, right)
    if or_equal:
        met = pc.or_kleene(met, _same(first, second, batch))
    for column in (left, right):
        if pa.types.is_floating(column.type):
            met = pc.and_kleene(met, pc.invert(pc.is_nan(column)))
    return met


def _same(first: str, second: str, batch: pa.RecordBatch) -> pa.Array:
    """NULL is NULL, NaN is NaN."""
    left, right = batch.column(first), batch.column(second)
    same = pc.equal(left, right)
    if pa.types.is_floating(left.type):
        same = pc.or_(same, pc.and_(pc.is_nan(left), pc.is_nan(right)))
    return pc.if_else(pc.or_(left.is_null(), right.is_null()), pc.and_(left.is_null(), right.is_null()), same)


def _differ(names: Sequence[str], batch: pa.RecordBatch) -> pa.Array:
    return pc.invert(reduce(pc.or_, [_same(one, other, batch) for one, other in combinations(names, 2)]))


def _judged(names: Sequence[str], all_missing: bool, met: Met, batch: pa.RecordBatch) -> pa.Array:
    missing = reduce(pc.and_ if all_missing else pc.or_, [batch.column(name).is_null() for name in names])
    return pc.if_else(missing, pa.scalar(None, pa.bool_()), met(batch))


def _widened(column: pa.Array) -> pa.Array:
    """Whole numbers as the widest, floating ones as doubles."""
    if pa.types.is_integer(column.type) and column.type != pa.int64():
        return column.cast(pa.int64())
    if pa.types.is_floating(column.type) and column.type != pa.float64():
        return column.cast(pa.float64())
    return _aligned(column)


def _aligned(column: pa.Array) -> pa.Array:
    """Times in Spark's unit."""
    kind = column.type
    if pa.types.is_timestamp(kind) and kind.unit != "us":
        return column.cast(pa.timestamp("us", kind.tz))
    return column
