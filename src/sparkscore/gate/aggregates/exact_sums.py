"""Sums of doubles and of their squares without any rounding: whole numbers, so that parts merge in any order.

Runs on executors. A double is a whole number of units of 2^-1074. A batch is cut into digits of 18 bits, whose
products add up exactly in doubles: 8,192 products of 36 bits have 49.
"""

import math
from collections.abc import Iterator
from fractions import Fraction

import numpy as np
import numpy.typing as npt

Doubles = npt.NDArray[np.float64]

_DIGIT_BITS = 18
_MAX_ROWS = 1 << 13
"""Of the 2^17 that would be exact: what fits into a processor's cache, and BLAS starts no threads for."""
_WINDOW_BITS = 40
"""Numbers that are smaller than the greatest by more bits are added up by themselves: few digits each time."""
_UNIT_BITS = 1074
SUM_UNIT = Fraction(1, 1 << _UNIT_BITS)
SQUARE_UNIT = SUM_UNIT * SUM_UNIT


def sum_exactly(numbers: Doubles, *, squares: bool = False) -> tuple[int, int]:
    """The sum in units of `SUM_UNIT`, and that of the squares in `SQUARE_UNIT`; 0 where `squares` are not asked for.

    Needs:   finite numbers.
    """
    total = total_squares = 0
    for start in range(0, len(numbers), _MAX_ROWS):
        for window in _split_by_magnitude(numbers[start : start + _MAX_ROWS]):
            exponent, digits = _to_digits(window)
            total += _sum_of_digits(exponent, digits)
            total_squares += _sum_of_squares(exponent, digits) if squares else 0
    return total, total_squares


def to_double(exact: Fraction) -> float:
    """The nearest double; infinite where it is beyond all of them."""
    try:
        return float(exact)
    except OverflowError:
        return math.inf if exact > 0 else -math.inf


def _split_by_magnitude(numbers: Doubles) -> Iterator[Doubles]:
    """The numbers in groups of similar size."""
    sizes = np.abs(numbers)
    while len(numbers):
        greatest = float(sizes.max())
        if greatest == 0:
            return
        is_near = (sizes >= math.ldexp(greatest, -_WINDOW_BITS)) | (sizes == 0)
        if is_near.all():
            yield numbers
            return
        yield numbers[is_near]
        numbers, sizes = numbers[~is_near], sizes[~is_near]


def _to_digits(numbers: Doubles) -> tuple[int, list[Doubles]]:
    """The numbers as digits of 18 bits, greatest first; the exponent is that of the first digit's unit."""
    exponent = math.frexp(float(np.abs(numbers).max()))[1] - _DIGIT_BITS
    rest, digits = np.ldexp(numbers, -exponent), []
    while True:
        digit = np.trunc(rest)
        digits.append(digit)
        rest = rest - digit
        if not rest.any():
            return exponent, digits
        rest *= 1 << _DIGIT_BITS


def _sum_of_digits(exponent: int, digits: list[Doubles]) -> int:
    return sum(
        _shift(int(digit.sum()), exponent - _DIGIT_BITS * place + _UNIT_BITS) for place, digit in enumerate(digits)
    )


def _sum_of_squares(exponent: int, digits: list[Doubles]) -> int:
    total = 0
    for first, left in enumerate(digits):
        for second, right in enumerate(digits[first:], first):
            product = int(np.dot(left, right)) * (1 if first == second else 2)
            total += _shift(product, 2 * (exponent + _UNIT_BITS) - _DIGIT_BITS * (first + second))
    return total


def _shift(number: int, bits: int) -> int:
    """Exact: what is shifted out to the right is always zero."""
    return number << bits if bits >= 0 else number >> -bits
