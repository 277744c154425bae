"""Sums of doubles: exact, whatever the order and the cut."""

import math
import struct
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparkscore.gate.aggregates.exact_sums import SQUARE_UNIT, SUM_UNIT, sum_exactly, to_double

FINITE = st.floats(allow_nan=False, allow_infinity=False)


@given(st.lists(FINITE | st.sampled_from([5e-324, -5e-324, 1.7e308, -1.7e308, 0.0, -0.0, 1.0]), max_size=30))
def test_sums_are_those_of_fractions(numbers: list[float]) -> None:
    total, squares = sum_exactly(np.array(numbers, np.float64), squares=True)
    assert total * SUM_UNIT == sum(map(Fraction, numbers))
    assert squares * SQUARE_UNIT == sum(Fraction(number) ** 2 for number in numbers)


def test_many_numbers_are_summed_as_math_fsum_does() -> None:
    dice = np.random.default_rng(17)
    numbers = dice.normal(50, 20, 50_000) * 10.0 ** dice.integers(-12, 12, 50_000)
    total, _ = sum_exactly(numbers)
    assert to_double(total * SUM_UNIT) == math.fsum(numbers)


def test_numbers_of_any_bits_are_summed_exactly() -> None:
    bits = np.random.default_rng(17).integers(0, 2**63, 3000)
    numbers = [number for (number,) in struct.iter_unpack("d", bits.tobytes()) if math.isfinite(number)]
    total, squares = sum_exactly(np.array(numbers), squares=True)
    assert total * SUM_UNIT == sum(map(Fraction, numbers))
    assert squares * SQUARE_UNIT == sum(Fraction(number) ** 2 for number in numbers)


@pytest.mark.parametrize(("exact", "expected"), [(Fraction(2) ** 2000, math.inf), (-(Fraction(2) ** 2000), -math.inf)])
def test_what_no_double_holds_is_infinite(exact: Fraction, expected: float) -> None:
    assert to_double(exact) == expected
