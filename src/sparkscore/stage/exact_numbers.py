"""Functions of doubles as Spark computes them on the JVM, to the bit. Runs on executors: numpy only."""

from decimal import ROUND_HALF_UP, Decimal

import numpy as np
import numpy.typing as npt

_Floats = npt.NDArray[np.float64]

_EXACT = 2.0**42
"""A product below it is wrong by less than a thousandth."""
_LN2_HIGH, _LN2_LOW, _PER_LN2 = 6.93147180369123816490e-01, 1.90821492927058770002e-10, 1.44269504088896338700e00
_P = (
    1.66666666666666019037e-01,
    -2.77777777770155933842e-03,
    6.61375632143793436117e-05,
    -1.65339022054652515390e-06,
    4.13813679705723846039e-08,
)
_OVERFLOW, _UNDERFLOW = 7.09782712893383973096e02, -7.45133219101941108420e02


def round_half_up(numbers: _Floats, digits: int) -> _Floats:
    """Numbers rounded by their shortest decimal form, halves away from zero: `round` of Spark.

    Needs:   0 to 22 digits.
    """
    scale = 10.0**digits
    with np.errstate(over="ignore", invalid="ignore"):
        scaled = np.abs(numbers) * scale
        whole = np.floor(scaled)
        rest = scaled - whole
        result = np.copysign((whole + (rest >= 0.5)) / scale, numbers) + 0.0
        # a product near a half may be on its other side, and one that is large has no room for a half
        unsure = np.isfinite(numbers) & ((np.abs(rest - 0.5) < 1e-3) | (scaled >= _EXACT))
    quantum = Decimal(1).scaleb(-digits)
    for at in np.flatnonzero(unsure):
        result[at] = _round_decimal(float(numbers[at]), quantum)
    return np.where(np.isfinite(numbers), result, numbers)


def _round_decimal(number: float, quantum: Decimal) -> float:
    exact = Decimal(repr(number))
    if exact.as_tuple().exponent >= quantum.as_tuple().exponent:  # type: ignore[operator]  # finite
        return number + 0.0
    return float(exact.quantize(quantum, ROUND_HALF_UP)) + 0.0


def java_exp(numbers: _Floats) -> _Floats:
    """e to the power of each number by the algorithm of fdlibm, which Java's StrictMath and so Spark's `exp` have.

    numpy's own is as exact, and differs in the last bit of some numbers.
    """
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        held = np.clip(numbers, _UNDERFLOW - 1, _OVERFLOW + 1)
        size = np.abs(held)
        steps = np.trunc(_PER_LN2 * held + np.copysign(0.5, held))
        steps = np.where(_is_high_word_above(size, 0x3FF0A2B2 - 1), steps, np.copysign(1.0, held))
        steps = np.where(_is_high_word_above(size, 0x3FD62E42), steps, 0.0)
        high, low = held - steps * _LN2_HIGH, steps * _LN2_LOW
        x = high - low
        t = x * x
        c = x - t * (_P[0] + t * (_P[1] + t * (_P[2] + t * (_P[3] + t * _P[4]))))
        near = 1.0 - ((x * c) / (c - 2.0) - x)
        far = np.ldexp(1.0 - ((low - (x * c) / (2.0 - c)) - high), steps.astype(np.int64))
        result = np.where(steps == 0, near, far)
    result = np.where(_is_high_word_above(size, 0x3E300000 - 1), result, 1.0 + held)
    result = np.where(numbers > _OVERFLOW, np.inf, np.where(numbers < _UNDERFLOW, 0.0, result))
    return np.where(np.isnan(numbers), numbers, result)


def _is_high_word_above(sizes: _Floats, limit: int) -> npt.NDArray[np.bool_]:
    """fdlibm compares the upper half of a double's bits."""
    return np.asarray(sizes.view(np.int64) >> 32 > limit)
