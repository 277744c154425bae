"""In which type numbers of an expression meet. Runs on the driver."""

from collections.abc import Sequence

import pyarrow as pa

from sparkscore.expressions.typed_expressions import DOUBLE, LONG, TypedExpression, convert_value

_INTEGER_DIGITS = {8: 3, 16: 5, 32: 10, 64: 19}
_MOST_DIGITS = 38


class UnfitExpression(ValueError):
    """An expression that its types do not fit. The message says what was found, what is expected, and the cure."""


def is_number_type(kind: pa.DataType) -> bool:
    """Whether an expression computes with the type."""
    return bool(pa.types.is_signed_integer(kind) or kind in (pa.float32(), DOUBLE) or pa.types.is_decimal128(kind))


def holds_constant(kind: pa.DataType, value: object) -> bool:
    """Whether a type has exactly this value."""
    if isinstance(value, bool) or pa.types.is_boolean(kind):
        return isinstance(value, bool) and bool(pa.types.is_boolean(kind))
    if isinstance(value, str):
        return bool(pa.types.is_string(kind))
    try:
        return bool(pa.scalar(value, kind).as_py() == value)
    except (pa.ArrowException, OverflowError, TypeError, ValueError):
        return False


def compute_in_one_type(op: str, left: TypedExpression, right: TypedExpression) -> TypedExpression:
    """Left and right added, subtracted or multiplied: whole numbers as long, decimals exactly, all else as double.

    Raises:  UnfitExpression for decimals whose result has more than 38 digits.
    """
    kinds = (left.kind, right.kind)
    if all(map(pa.types.is_signed_integer, kinds)):
        return TypedExpression(op, LONG, (convert_value(left, LONG), convert_value(right, LONG)))  # type: ignore[arg-type]
    if any(map(pa.types.is_floating, kinds)):
        return TypedExpression(op, DOUBLE, (convert_value(left, DOUBLE), convert_value(right, DOUBLE)))  # type: ignore[arg-type]
    parts = tuple(convert_value(one, _to_decimal_type(one)) for one in (left, right))
    return TypedExpression(op, _decimal_result_type(op, parts[0].kind, parts[1].kind), parts)  # type: ignore[arg-type]


def _to_decimal_type(part: TypedExpression) -> pa.DataType:
    if pa.types.is_decimal128(part.kind):
        return part.kind
    digits = len(str(abs(part.value))) if part.op == "constant" else _INTEGER_DIGITS[part.kind.bit_width]
    return pa.decimal128(digits, 0)


def _decimal_result_type(op: str, left: pa.DataType, right: pa.DataType) -> pa.DataType:
    if op == "multiply":
        digits, scale = left.precision + right.precision + 1, left.scale + right.scale
    else:
        scale = max(left.scale, right.scale)
        digits = max(left.precision - left.scale, right.precision - right.scale) + scale + 1
    if digits > _MOST_DIGITS:
        raise UnfitExpression(
            f"{op} of {left} and {right} needs {digits} digits; at most 38: cast one of them to double"
        )
    return pa.decimal128(digits, scale)


def find_common_type(parts: Sequence[TypedExpression]) -> pa.DataType | None:
    """The type in which one of several values can be given; None where there is none.

    A constant has the type of the others where that holds it.
    """
    kinds = {one.kind for one in parts if one.op != "constant"}
    common = _meet_types(kinds) if kinds else None
    if common is not None and all(one.op != "constant" or holds_constant(common, one.value) for one in parts):
        return common
    return _meet_types({one.kind for one in parts})


def _meet_types(kinds: set[pa.DataType]) -> pa.DataType | None:
    if len(kinds) == 1:
        return next(iter(kinds))
    if not all(map(is_number_type, kinds)):
        return None
    if all(map(pa.types.is_signed_integer, kinds)):
        return max(kinds, key=lambda kind: kind.bit_width)
    return DOUBLE if any(map(pa.types.is_floating, kinds)) else _meet_decimals(kinds)


def _meet_decimals(kinds: set[pa.DataType]) -> pa.DataType | None:
    exact = [
        kind if pa.types.is_decimal128(kind) else pa.decimal128(_INTEGER_DIGITS[kind.bit_width], 0) for kind in kinds
    ]
    scale = max(kind.scale for kind in exact)
    digits = max(kind.precision - kind.scale for kind in exact) + scale
    return pa.decimal128(digits, scale) if digits <= _MOST_DIGITS else None
