"""Arguments of a suite as Arrow's values, only where pyarrow then compares as Spark does. Runs on the driver."""

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime
from decimal import Context, Decimal
from typing import Any

import pyarrow as pa
from pyspark.sql.types import (
    DataType,
    DecimalType,
    FloatType,
    StringType,
    StructType,
    TimestampNTZType,
)

from sparkscore.gate.compiled.arrow_masks import ArrowLimit
from sparkscore.gate.compiled.bounds import integer_limit, is_decimal_comparable
from sparkscore.gate.compiled.row_condition import RuleKwargs
from sparkscore.predicates.exact_values import to_exact_decimal, to_time_text
from sparkscore.predicates.spark_values import column_value_kind, fit_set_values, integer_range


class NoArrowForm(Exception):
    """pyarrow is not sure to compute what Spark computes: Java's regular expressions, decimals beside doubles."""


_EXACT_CONTEXT = Context(prec=400)
"""Of more digits than any bound has."""
_DATE_TEXT_LENGTH = len("2013-12-31")
_BOUND_SIDES = (("min_value", "greater", "strict_min"), ("max_value", "less", "strict_max"))


def arrow_limits(kwargs: RuleKwargs, type_: DataType) -> Iterator[ArrowLimit]:
    """The bounds of a rule on a column of numbers or times.

    Raises:  NoArrowForm; UnfitValue.
    """
    kind = column_value_kind(type_)
    if kind not in ("integer", "floating", "decimal", "date", "timestamp"):
        raise NoArrowForm
    if kind == "integer":
        yield from integer_arrow_limits(kwargs, *integer_range(type_))
        return
    if isinstance(type_, DecimalType):
        yield from _decimal_arrow_limits(kwargs, type_)
        return
    for bound, comparison, strict in _BOUND_SIDES:
        if kwargs.get(bound) is not None:
            yield comparison if kwargs.get(strict) else f"{comparison}_equal", _arrow_bound(kwargs[bound], type_)


def integer_arrow_limits(kwargs: RuleKwargs, least: int, greatest: int) -> Iterator[ArrowLimit]:
    """The bounds of a rule on integers from `least` to `greatest`.

    Raises:  UnfitValue.
    """
    for comparison, limit in _integer_limits(kwargs, least, greatest):
        yield comparison, None if limit is None else pa.scalar(limit, pa.int64())


def _integer_limits(kwargs: RuleKwargs, least: int, greatest: int) -> Iterator[tuple[str, int | None]]:
    for bound, comparison, strict in _BOUND_SIDES:
        if kwargs.get(bound) is None:
            continue
        limit = integer_limit(
            kwargs[bound], least, greatest, above=comparison == "greater", strict=bool(kwargs.get(strict))
        )
        if limit is False:
            yield "never", None
        elif limit is not True:
            yield f"{comparison}_equal", limit


def _decimal_arrow_limits(kwargs: RuleKwargs, type_: DecimalType) -> Iterator[ArrowLimit]:
    """The bounds in units of the column's last digit, so that nothing is rounded, and then as its type."""
    bounds = {bound: to_exact_decimal(kwargs[bound]) for bound, _, _ in _BOUND_SIDES if kwargs.get(bound) is not None}
    if not all(is_decimal_comparable(number, type_) for number in bounds.values()):
        raise NoArrowForm  # Spark compares doubles then
    units = {bound: number.scaleb(type_.scale, _EXACT_CONTEXT) for bound, number in bounds.items()}
    greatest = 10**type_.precision - 1
    for comparison, limit in _integer_limits({**kwargs, **units}, -greatest, greatest):
        number = None if limit is None else Decimal(limit).scaleb(-type_.scale, _EXACT_CONTEXT)
        yield comparison, None if number is None else pa.scalar(number, arrow_decimal_type(type_))


def arrow_decimal_type(type_: DecimalType) -> pa.DataType:
    """The same precision and scale."""
    return pa.decimal128(type_.precision, type_.scale)


def _arrow_bound(value: object, type_: DataType) -> pa.Scalar:
    if column_value_kind(type_) == "floating":
        return pa.scalar(float(to_exact_decimal(value)), pa.float64())  # compared as doubles: exact for float, too
    return arrow_time(value, type_)


def arrow_value_set(values: Sequence[Any], type_: DataType) -> pa.Array:
    """A set as an array of the column's type.

    Raises:  NoArrowForm; also for a zero among floating numbers, of which there are two.
    """
    fitted = fit_set_values(values, type_)
    kind = column_value_kind(type_)
    if kind == "integer":
        return pa.array(fitted, pa.int64())
    if kind == "floating" and 0 not in fitted:
        return pa.array(fitted, pa.float32() if isinstance(type_, FloatType) else pa.float64())
    if kind == "boolean":
        return pa.array(fitted, pa.bool_())
    if isinstance(type_, DecimalType):
        return pa.array(fitted, arrow_decimal_type(type_))
    if kind == "text" and has_binary_collation(type_):
        return pa.array(fitted, pa.string())
    if kind in ("date", "timestamp"):
        times = [arrow_time(value, type_) for value in fitted]
        return pa.array([time.as_py() for time in times], times[0].type if times else pa.date32())
    raise NoArrowForm


def has_binary_collation(type_: DataType) -> bool:
    """Whether the column is text that is compared byte by byte."""
    return type_ == StringType()


def arrow_time(value: object, type_: DataType) -> pa.Scalar:
    """A date or a time as the column's type.

    Raises:  NoArrowForm for what Spark compares as another type; UnfitValue.
    """
    text = to_time_text(value)
    timestamp = datetime.fromisoformat(text)
    if column_value_kind(type_) == "date":
        if len(text) != _DATE_TEXT_LENGTH:
            raise NoArrowForm  # Spark compares timestamps then
        return pa.scalar(date.fromisoformat(text), pa.date32())
    if isinstance(type_, TimestampNTZType):
        if timestamp.tzinfo is not None:
            raise NoArrowForm
        return pa.scalar(timestamp, pa.timestamp("us"))
    timestamp = timestamp.replace(tzinfo=UTC) if timestamp.tzinfo is None else timestamp
    return pa.scalar(timestamp, pa.timestamp("us", "UTC"))


def require_one_arrow_type(names: Sequence[str], schema: StructType) -> None:
    """Refuse columns that are not of one type, or all integers, whose values pyarrow compares as Spark does.

    Raises:  NoArrowForm.
    """
    types = {schema[name].dataType for name in names}
    (first, *others) = types
    if {column_value_kind(type_) for type_ in types} == {"integer"}:
        return
    if (
        others
        or column_value_kind(first) == "other"
        or (column_value_kind(first) == "text" and not has_binary_collation(first))
    ):
        raise NoArrowForm


def arrow_comparison_type(type_: DataType) -> pa.DataType:
    """The type as which values of a column are compared.

    Needs:   a column of numbers, booleans or text.
    """
    if isinstance(type_, DecimalType):
        return arrow_decimal_type(type_)
    if column_value_kind(type_) == "floating":
        return pa.float32() if isinstance(type_, FloatType) else pa.float64()
    return {"integer": pa.int64(), "boolean": pa.bool_(), "text": pa.string()}[column_value_kind(type_)]
