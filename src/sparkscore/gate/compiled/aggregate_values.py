"""What Spark's aggregates are, made of the merged parts of the tasks' aggregates. Runs on the driver."""

import math
import sys
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_HALF_UP, Context, Decimal
from fractions import Fraction
from typing import Any

from pyspark.sql.types import DataType, DecimalType

from sparkscore.gate.aggregates.exact_sums import SQUARE_UNIT, SUM_UNIT, to_double
from sparkscore.predicates.spark_values import TIME_KINDS, column_value_kind, is_floating

_MAX_PRECISION = 38
_GREATEST_DOUBLE = Fraction(sys.float_info.max)
_DIVISION_SCALE = 39
"""With which Spark divides a sum of decimals, before it rounds to the type of the mean."""
_EXACT = Context(prec=200)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class NotMeasured(Exception):
    """What was aggregated does not say the value: Spark has to."""


def decimal_sum_value(type_: DecimalType, part: tuple[int, int]) -> Decimal | None:
    """The sum of decimals; None without values.

    Raises:  NotMeasured for more digits than Spark has: it decides what an overflow is.
    """
    count, total = part
    if not count:
        return None
    if abs(total) >= 10 ** min(type_.precision + 10, _MAX_PRECISION):
        raise NotMeasured
    return Decimal(total).scaleb(-type_.scale, _EXACT)


def decimal_mean_value(type_: DecimalType, part: tuple[int, int]) -> Decimal | None:
    """The mean of decimals, rounded as Spark rounds it.

    Raises:  NotMeasured.
    """
    total = decimal_sum_value(type_, part)
    if total is None:
        return None
    precise = _divide_half_up(total, part[0], _DIVISION_SCALE)
    precision, scale = min(type_.precision + 4, _MAX_PRECISION), min(type_.scale + 4, _MAX_PRECISION)
    mean = precise.quantize(Decimal(1).scaleb(-scale), ROUND_HALF_UP, _EXACT)
    if abs(mean) >= Decimal(10) ** (precision - scale):
        raise NotMeasured
    return mean


def _divide_half_up(total: Decimal, count: int, scale: int) -> Decimal:
    quotient = abs(Fraction(total)) / count * 10**scale
    rounded = math.floor(quotient + Fraction(1, 2))
    return Decimal(rounded if total >= 0 else -rounded).scaleb(-scale, _EXACT)


def double_sum_value(part: list[int]) -> float | None:
    """The sum as a double, rounded once; None without values."""
    count, missing, positive, negative, total, _ = part
    if not count:
        return None
    if missing or (positive and negative):
        return math.nan
    return math.inf if positive else -math.inf if negative else to_double(total * SUM_UNIT)


def double_mean_value(part: list[int]) -> float | None:
    """The mean as a double; None without values."""
    total = double_sum_value(part)
    return None if total is None else total / part[0]


def sample_deviation_value(part: list[int]) -> float | None:
    """The standard deviation of a sample; None of less than two values.

    Raises:  NotMeasured for numbers whose squares may leave the range of doubles: Spark has NaN or infinity then.
    """
    count, missing, positive, negative, total, squares = part
    if count < 2:
        return None
    if missing or positive or negative:
        return math.nan
    if 4 * count**2 * squares * SQUARE_UNIT > _GREATEST_DOUBLE:
        raise NotMeasured
    spread = count * squares * SQUARE_UNIT - (total * SUM_UNIT) ** 2
    return math.sqrt(to_double(spread / (count * (count - 1))))


def extreme_value(type_: DataType, greatest: bool, part: list[Any]) -> Any:
    """The least or the greatest value, times as text; NaN is the greatest number.

    Raises:  NotMeasured.
    """
    least, most, missing = part
    value = most if greatest else least
    if is_floating(type_) and missing and (greatest or value is None):
        return math.nan
    if value is None:
        return None
    if isinstance(type_, DecimalType):
        return Decimal(value).scaleb(-type_.scale, _EXACT)
    return _format_spark_time(type_, value) if column_value_kind(type_) in TIME_KINDS else value


def _format_spark_time(type_: DataType, value: int) -> str:
    """As Spark's cast to text has it, in UTC.

    Raises:  NotMeasured for years that Python does not have.
    """
    try:
        if column_value_kind(type_) == "date":
            return (date(1970, 1, 1) + timedelta(days=value)).isoformat()
        moment = _EPOCH + timedelta(microseconds=value)
    except OverflowError:
        raise NotMeasured from None
    fraction = f".{moment.microsecond:06d}".rstrip("0").rstrip(".")
    return moment.replace(microsecond=0, tzinfo=None).isoformat(" ") + fraction


def is_extreme_time_within(
    greatest: bool, limits: dict[str, int], strict: tuple[bool, bool], part: list[Any]
) -> bool | None:
    """Whether a time is within limits; None without values. `strict`: of the lower, of the upper one."""
    value: int | None = part[1] if greatest else part[0]
    if value is None:
        return None
    low, high = limits.get("min_value", value - 1), limits.get("max_value", value + 1)
    above = value > low if strict[0] else value >= low
    return bool(above and (value < high if strict[1] else value <= high))
