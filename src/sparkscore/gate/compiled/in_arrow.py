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

from sparkscore.gate.compiled.bounds import integer_limit
from sparkscore.gate.compiled.conditions import ignored_rows_rule
from sparkscore.gate.compiled.values import (
    column_value_kind,
    fit_set_values,
    integer_range,
    to_exact_decimal,
    to_time_text,
)

RowMaskFunction = Callable[[pa.RecordBatch], pa.Array]
"""A batch -> for each row true, false, or NULL: not judged."""

RuleKwargs = Mapping[str, Any]
_DATE_TEXT_LENGTH = len("2013-12-31")


class NoArrowForm(Exception):
    """pyarrow is not sure to compute what Spark computes: Java's regular expressions, decimals beside doubles."""


def arrow_expectation_condition(kind: str, kwargs: RuleKwargs, schema: StructType) -> RowMaskFunction:
    """What the expectation asks of a row, as `conditions.condition` does in Spark.

    Times without a zone are UTC's: so is the session of a run.

    Needs:   arguments that `conditions.condition` takes.
    Raises:  NoArrowForm.
    """
    form = _ARROW_FORMS.get(kind)
    if form is None:
        raise NoArrowForm
    return form(kwargs, schema)


def arrow_row_condition(condition: Any, schema: StructType) -> RowMaskFunction:
    """Whether a row is one that the condition is about, as `where.where` does in Spark; NULL: it is not.

    Raises:  NoArrowForm.
    """
    if condition["type"] in _ARROW_JOINS:
        return partial(
            _joined_mask, [arrow_row_condition(part, schema) for part in condition["conditions"]], condition["type"]
        )
    name = condition["column"]["name"]
    if condition["type"] == "nullity":
        return partial(_null_mask, name) if condition["is_null"] else partial(_valid_mask, name)
    return _comparison_arrow_form(name, schema[name].dataType, condition["operator"], condition["parameter"])


def _column_name_and_type(kwargs: RuleKwargs, schema: StructType) -> tuple[str, DataType]:
    name = kwargs["column"]
    return name, schema[name].dataType


def _not_null_arrow_form(kwargs: RuleKwargs, schema: StructType) -> RowMaskFunction:
    name, type_ = _column_name_and_type(kwargs, schema)
    return partial(_number_mask, name) if column_value_kind(type_) == "floating" else partial(_valid_mask, name)


def _null_arrow_form(kwargs: RuleKwargs, schema: StructType) -> RowMaskFunction:
    return partial(_inverted_mask, _not_null_arrow_form(kwargs, schema))


def _between_arrow_form(kwargs: RuleKwargs, schema: StructType) -> RowMaskFunction:
    name, type_ = _column_name_and_type(kwargs, schema)
    return partial(_within_limits_mask, name, list(_arrow_limits(kwargs, type_)))


def _lengths_between_arrow_form(kwargs: RuleKwargs, schema: StructType) -> RowMaskFunction:
    name, type_ = _column_name_and_type(kwargs, schema)
    limits = list(_integer_arrow_limits(kwargs, *integer_range(LongType())))
    return partial(_length_within_limits_mask, name, "binary" if isinstance(type_, BinaryType) else "text", limits)


def _lengths_equal_arrow_form(kwargs: RuleKwargs, schema: StructType) -> RowMaskFunction:
    value = kwargs["value"]
    return _lengths_between_arrow_form({**kwargs, "min_value": value, "max_value": value}, schema)


def _in_set_arrow_form(kwargs: RuleKwargs, schema: StructType) -> RowMaskFunction:
    name, type_ = _column_name_and_type(kwargs, schema)
    return partial(_in_set_mask, name, _arrow_value_set(kwargs["value_set"], type_))


def _not_in_set_arrow_form(kwargs: RuleKwargs, schema: StructType) -> RowMaskFunction:
    return partial(_inverted_mask, _in_set_arrow_form(kwargs, schema))


def _greater_arrow_form(kwargs: RuleKwargs, schema: StructType) -> RowMaskFunction:
    names = (kwargs["column_A"], kwargs["column_B"])
    _require_one_arrow_type(names, schema)
    return _apply_ignored_rows(kwargs, partial(_greater_mask, *names, bool(kwargs.get("or_equal"))))


def _equal_arrow_form(kwargs: RuleKwargs, schema: StructType) -> RowMaskFunction:
    names = (kwargs["column_A"], kwargs["column_B"])
    _require_one_arrow_type(names, schema)
    return _apply_ignored_rows(kwargs, partial(_equal_mask, *names))


def _unique_within_arrow_form(kwargs: RuleKwargs, schema: StructType) -> RowMaskFunction:
    names = tuple(kwargs["column_list"])
    _require_one_arrow_type(names, schema)
    return _apply_ignored_rows(kwargs, partial(_all_different_mask, names))


_ARROW_FORMS: Mapping[str, Callable[[RuleKwargs, StructType], RowMaskFunction]] = {
    "expect_column_values_to_not_be_null": _not_null_arrow_form,
    "expect_column_values_to_be_null": _null_arrow_form,
    "expect_column_values_to_be_between": _between_arrow_form,
    "expect_column_values_to_be_in_set": _in_set_arrow_form,
    "expect_column_values_to_not_be_in_set": _not_in_set_arrow_form,
    "expect_column_value_lengths_to_be_between": _lengths_between_arrow_form,
    "expect_column_value_lengths_to_equal": _lengths_equal_arrow_form,
    "expect_column_pair_values_a_to_be_greater_than_b": _greater_arrow_form,
    "expect_column_pair_values_to_be_equal": _equal_arrow_form,
    "expect_select_column_values_to_be_unique_within_record": _unique_within_arrow_form,
}

ArrowLimit = tuple[str, Any]
"""Name of a comparison of pyarrow's, and what a value is compared with; `never`, with nothing."""

_BOUND_SIDES = (("min_value", "greater", "strict_min"), ("max_value", "less", "strict_max"))


def _arrow_limits(kwargs: RuleKwargs, type_: DataType) -> Iterator[ArrowLimit]:
    kind = column_value_kind(type_)
    if kind not in ("whole", "floating", "date", "moment"):
        raise NoArrowForm
    if kind == "whole":
        yield from _integer_arrow_limits(kwargs, *integer_range(type_))
        return
    for bound, comparison, strict in _BOUND_SIDES:
        if kwargs.get(bound) is not None:
            yield comparison if kwargs.get(strict) else f"{comparison}_equal", _arrow_bound(kwargs[bound], type_)


def _integer_arrow_limits(kwargs: RuleKwargs, least: int, greatest: int) -> Iterator[ArrowLimit]:
    for bound, comparison, strict in _BOUND_SIDES:
        if kwargs.get(bound) is None:
            continue
        limit = integer_limit(
            kwargs[bound], least, greatest, above=comparison == "greater", strict=bool(kwargs.get(strict))
        )
        if limit is False:
            yield "never", None
        elif limit is not True:
            yield f"{comparison}_equal", pa.scalar(limit, pa.int64())


def _arrow_bound(value: object, type_: DataType) -> pa.Scalar:
    if column_value_kind(type_) == "floating":
        return pa.scalar(float(to_exact_decimal(value)), pa.float64())  # compared as doubles: exact for float, too
    return _arrow_time(value, type_)


def _arrow_value_set(values: Sequence[Any], type_: DataType) -> pa.Array:
    """A set as an array of the column's type.

    Raises:  NoArrowForm; also for a zero among floating numbers, of which there are two.
    """
    held = fit_set_values(values, type_)
    kind = column_value_kind(type_)
    if kind == "whole":
        return pa.array(held, pa.int64())
    if kind == "floating" and 0 not in held:
        return pa.array(held, pa.float32() if isinstance(type_, FloatType) else pa.float64())
    if kind == "truth":
        return pa.array(held, pa.bool_())
    if kind == "text" and _has_binary_collation(type_):
        return pa.array(held, pa.string())
    if kind in ("date", "moment"):
        times = [_arrow_time(value, type_) for value in held]
        return pa.array([time.as_py() for time in times], times[0].type if times else pa.date32())
    raise NoArrowForm


def _has_binary_collation(type_: DataType) -> bool:
    """Text that is compared byte by byte."""
    return type_ == StringType()


def _arrow_time(value: object, type_: DataType) -> pa.Scalar:
    text = to_time_text(value)
    moment = datetime.fromisoformat(text)
    if column_value_kind(type_) == "date":
        if len(text) != _DATE_TEXT_LENGTH:
            raise NoArrowForm  # Spark compares moments then
        return pa.scalar(date.fromisoformat(text), pa.date32())
    if isinstance(type_, TimestampNTZType):
        if moment.tzinfo is not None:
            raise NoArrowForm
        return pa.scalar(moment, pa.timestamp("us"))
    moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
    return pa.scalar(moment, pa.timestamp("us", "UTC"))


def _require_one_arrow_type(names: Sequence[str], schema: StructType) -> None:
    """Columns of one type, whose values pyarrow compares as Spark does."""
    types = {schema[name].dataType for name in names}
    (first, *others) = types
    if (
        others
        or column_value_kind(first) in ("other", "decimal")
        or (column_value_kind(first) == "text" and not _has_binary_collation(first))
    ):
        raise NoArrowForm


def _comparison_arrow_form(name: str, type_: DataType, comparison: str, value: Any) -> RowMaskFunction:
    if comparison == "IN":
        return partial(_in_set_mask, name, _arrow_value_set(value, type_))
    if comparison == "NOT_IN":
        return partial(_inverted_mask, partial(_in_set_mask, name, _arrow_value_set(value, type_)))
    kind = column_value_kind(type_)
    if kind in ("date", "moment"):
        return partial(_comparison_mask, name, comparison, _arrow_time(value, type_))
    if kind == "decimal" or (kind == "text" and not _has_binary_collation(type_)):
        raise NoArrowForm
    held = fit_set_values([value], type_)
    if held:
        return partial(_comparison_mask, name, comparison, pa.scalar(held[0], _arrow_comparison_type(type_)))
    number = float(to_exact_decimal(value))
    if math.isnan(number):
        raise NoArrowForm
    return partial(_comparison_mask, name, comparison, pa.scalar(number, pa.float64()))


def _arrow_comparison_type(type_: DataType) -> pa.DataType:
    if column_value_kind(type_) == "floating":
        return pa.float32() if isinstance(type_, FloatType) else pa.float64()
    return {"whole": pa.int64(), "truth": pa.bool_(), "text": pa.string()}[column_value_kind(type_)]


def _apply_ignored_rows(kwargs: RuleKwargs, met: RowMaskFunction) -> RowMaskFunction:
    rule = ignored_rows_rule(kwargs)
    return met if rule is None else partial(_judged_rows_mask, *rule, met)


# What runs on executors: the last argument is the batch.

_ARROW_JOINS = {"and": pc.and_kleene, "or": pc.or_kleene}
_ARROW_COMPARISONS = {
    "==": pc.equal,
    "!=": pc.not_equal,
    "<": pc.less,
    "<=": pc.less_equal,
    ">": pc.greater,
    ">=": pc.greater_equal,
}
_NAN_COMPARISONS = {"==": False, "!=": True, "<": False, "<=": False, ">": True, ">=": True}
"""Of NaN beside a number: Spark has it greater than all of them."""


def _valid_mask(name: str, batch: pa.RecordBatch) -> pa.Array:
    return batch.column(name).is_valid()


def _null_mask(name: str, batch: pa.RecordBatch) -> pa.Array:
    return batch.column(name).is_null()


def _number_mask(name: str, batch: pa.RecordBatch) -> pa.Array:
    column = batch.column(name)
    return pc.invert(column.is_null(nan_is_null=True))


def _inverted_mask(met: RowMaskFunction, batch: pa.RecordBatch) -> pa.Array:
    return pc.invert(met(batch))


def _joined_mask(parts: Sequence[RowMaskFunction], how: str, batch: pa.RecordBatch) -> pa.Array:
    return reduce(_ARROW_JOINS[how], [part(batch) for part in parts])


def _within_limits_mask(name: str, limits: Sequence[ArrowLimit], batch: pa.RecordBatch) -> pa.Array:
    column = batch.column(name)
    return _all_limits_mask(_widen_numbers(column), limits)


def _length_within_limits_mask(name: str, sort: str, limits: Sequence[ArrowLimit], batch: pa.RecordBatch) -> pa.Array:
    column = batch.column(name)
    lengths = pc.binary_length(column) if sort == "binary" else pc.utf8_length(column)
    return _all_limits_mask(lengths.cast(pa.int64()), limits)


def _all_limits_mask(column: pa.Array, limits: Sequence[ArrowLimit]) -> pa.Array:
    """NaN is within nothing, not even where there are no limits."""
    if not limits:
        return pc.equal(column, column)
    parts = [pc.not_equal(column, column) if name == "never" else getattr(pc, name)(column, at) for name, at in limits]
    return reduce(pc.and_, parts)


def _in_set_mask(name: str, values: pa.Array, batch: pa.RecordBatch) -> pa.Array:
    column = batch.column(name)
    found = pc.is_in(
        column, value_set=_cast_value_set(values, column.type) if len(values) else pa.array([], column.type)
    )
    return pc.if_else(column.is_valid(), found, pa.scalar(None, pa.bool_()))


def _cast_value_set(values: pa.Array, kind: pa.DataType) -> pa.Array:
    return values if values.type == kind else values.cast(kind)


def _comparison_mask(name: str, comparison: str, value: pa.Scalar, batch: pa.RecordBatch) -> pa.Array:
    column = batch.column(name)
    if pa.types.is_float64(value.type) and pa.types.is_integer(column.type):
        column = column.cast(pa.float64(), safe=False)  # as Spark casts
    met = _ARROW_COMPARISONS[comparison](
        _widen_numbers(column) if pa.types.is_integer(column.type) else _align_timestamps(column), value
    )
    if pa.types.is_floating(column.type):
        met = pc.if_else(pc.is_nan(column), _NAN_COMPARISONS[comparison], met)
    return met


def _greater_mask(first: str, second: str, or_equal: bool, batch: pa.RecordBatch) -> pa.Array:
    left, right = batch.column(first), batch.column(second)
    met = (pc.greater_equal if or_equal else pc.greater)(left, right)
    if or_equal:
        met = pc.or_kleene(met, _equal_mask(first, second, batch))
    for column in (left, right):
        if pa.types.is_floating(column.type):
            met = pc.and_kleene(met, pc.invert(pc.is_nan(column)))
    return met


def _equal_mask(first: str, second: str, batch: pa.RecordBatch) -> pa.Array:
    """NULL is NULL, NaN is NaN."""
    left, right = batch.column(first), batch.column(second)
    same = pc.equal(left, right)
    if pa.types.is_floating(left.type):
        same = pc.or_(same, pc.and_(pc.is_nan(left), pc.is_nan(right)))
    return pc.if_else(pc.or_(left.is_null(), right.is_null()), pc.and_(left.is_null(), right.is_null()), same)


def _all_different_mask(names: Sequence[str], batch: pa.RecordBatch) -> pa.Array:
    return pc.invert(reduce(pc.or_, [_equal_mask(one, other, batch) for one, other in combinations(names, 2)]))


def _judged_rows_mask(names: Sequence[str], all_missing: bool, met: RowMaskFunction, batch: pa.RecordBatch) -> pa.Array:
    missing = reduce(pc.and_ if all_missing else pc.or_, [batch.column(name).is_null() for name in names])
    return pc.if_else(missing, pa.scalar(None, pa.bool_()), met(batch))


def _widen_numbers(column: pa.Array) -> pa.Array:
    """Whole numbers as the widest, floating ones as doubles."""
    if pa.types.is_integer(column.type) and column.type != pa.int64():
        return column.cast(pa.int64())
    if pa.types.is_floating(column.type) and column.type != pa.float64():
        return column.cast(pa.float64())
    return _align_timestamps(column)


def _align_timestamps(column: pa.Array) -> pa.Array:
    """Times in Spark's unit."""
    kind = column.type
    if pa.types.is_timestamp(kind) and kind.unit != "us":
        return column.cast(pa.timestamp("us", kind.tz))
    return column
