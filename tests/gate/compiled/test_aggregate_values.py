"""What Spark's aggregates are, made of what tasks have summed up."""

from decimal import Decimal

import numpy as np
import pytest
from pyspark.sql.types import DateType, DecimalType, TimestampType

from sparkscore.gate.aggregates.exact_sums import sum_exactly
from sparkscore.gate.compiled.aggregate_values import (
    NotMeasured,
    decimal_mean_value,
    decimal_sum_value,
    extreme_value,
    sample_deviation_value,
)


@pytest.mark.parametrize(
    ("part", "expected"), [((3, 200), "0.666667"), ((3, -200), "-0.666667"), ((2, 1), "0.005000"), ((8, 1), "0.001250")]
)
def test_means_of_decimals_are_rounded_half_up_to_four_digits_more(part: tuple[int, int], expected: str) -> None:
    assert str(decimal_mean_value(DecimalType(10, 2), part)) == expected


def test_a_sum_of_more_digits_than_spark_has_is_not_known() -> None:
    assert decimal_sum_value(DecimalType(38, 2), (2, 10**38 - 1)) == Decimal("9" * 36 + ".99")
    with pytest.raises(NotMeasured):
        decimal_sum_value(DecimalType(38, 2), (2, 10**38))


def test_deviations_of_numbers_whose_squares_no_double_holds_are_not_known() -> None:
    with pytest.raises(NotMeasured):
        sample_deviation_value([2, 0, 0, 0, *_sums(1e200, -1e200)])
    assert sample_deviation_value([2, 0, 0, 0, *_sums(1e100, -1e100)]) == pytest.approx(1e100 * 2**0.5)


@pytest.mark.parametrize(
    ("part", "expected"),
    [(1_388_534_399_500_000, "2013-12-31 23:59:59.5"), (-62_135_596_800_000_000, "0001-01-01 00:00:00")],
)
def test_times_are_written_as_spark_writes_them(part: int, expected: str) -> None:
    assert extreme_value(TimestampType(), False, [part, part, 0]) == expected


@pytest.mark.parametrize("day", [-719_163, 2_932_897])
def test_days_that_python_does_not_have_are_not_known(day: int) -> None:
    with pytest.raises(NotMeasured):
        extreme_value(DateType(), True, [day, day, 0])


def _sums(*numbers: float) -> tuple[int, int]:
    return sum_exactly(np.array(numbers), squares=True)
