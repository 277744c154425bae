"""Compares what YAML makes of a filter's values with the types of their columns. Runs on the driver."""

import json
from decimal import Decimal
from typing import Any

import pyarrow as pa

from sparkscore.predicates.exact_values import UnfitValue
from sparkscore.predicates.value_fitting import fit_filter_value
from sparkscore.settings.yaml_numbers import decimal_number, is_other_number, numbers_for, to_yaml_number

_MICROSECONDS = 6
_EXPONENT = 400
"""Beyond a double's: a number with a greater one is not written out."""


def has_other_meaning(text: str, value: object, kind: pa.DataType) -> bool:
    """Whether YAML reads the text as another value than the column's type would: YAML reads `01234` as 668.

    A fraction for a floating column means the nearest value of that column, so only its base counts there.

    Needs:   a value that `fit_filter_value` takes for the type.
    """
    if is_other_number(text, value):
        return True
    if pa.types.is_timestamp(kind):
        return _has_cut_seconds(text)
    exact = None if pa.types.is_floating(kind) else decimal_number(text)
    return exact is not None and exact != Decimal(str(value))


def advise_form(text: str | None, value: object, kind: pa.DataType) -> str:
    """What to write in YAML for a column of the type, as far as that is known; `text`: how the value was written."""
    if pa.types.is_string(kind) and text is not None:
        return f"write {json.dumps(text, ensure_ascii=False)}, in quotes, in source.where"
    if _is_numeric(kind):
        return _advise_number(text, value, kind)
    if pa.types.is_timestamp(kind) and text is not None and _has_cut_seconds(text):
        return "write at most six digits of a second in source.where"
    return "change the value in source.where"


def _advise_number(text: str | None, value: Any, kind: pa.DataType) -> str:
    if text is not None and is_other_number(text, value):
        return f"write {numbers_for(text, value)} in source.where"
    number = decimal_number(text if text is not None else value) if isinstance(text or value, str) else None
    literal = None if number is None or abs(number.adjusted()) > _EXPONENT else _yaml_literal(number, kind)
    if literal is None:
        return "change the value in source.where"
    if pa.types.is_decimal(kind):
        return f'write "{literal}", in quotes, in source.where'
    return f"write {literal}, without quotes, in source.where"


def _yaml_literal(number: Decimal, kind: pa.DataType) -> str | None:
    """The number in YAML's digits; None where the type cannot hold it."""
    try:
        if pa.types.is_integer(kind):
            return (
                to_yaml_number(Decimal(fit_filter_value(int(number), kind)))
                if number == number.to_integral_value()
                else None
            )
        if pa.types.is_floating(kind):
            fit_filter_value(float(number), kind)
            return to_yaml_number(float(number))
        return to_yaml_number(Decimal(fit_filter_value(str(number), kind)))
    except (UnfitValue, ArithmeticError):
        return None


def _is_numeric(kind: pa.DataType) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind))


def _has_cut_seconds(text: str) -> bool:
    """Whether the text names parts of a microsecond: YAML drops them."""
    digits = text.rpartition(":")[2].partition(".")[2]
    fraction = digits[: len(digits) - len(digits.lstrip("0123456789"))]
    return bool(fraction[_MICROSECONDS:].strip("0"))
