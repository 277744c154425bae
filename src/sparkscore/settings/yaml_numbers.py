"""Numbers that YAML 1.1 reads in another way than people do: octal after a zero, base 60 after a colon."""

from decimal import Decimal, InvalidOperation


def is_other_number(text: str, value: object) -> bool:
    """Whether YAML reads the text as another number than its digits say: it reads `010` as 8 and `1:30` as 90."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    exact = decimal_number(text)
    if exact is None:
        return ":" in text
    return exact != value if isinstance(value, int) else float(exact) != value


def numbers_for(text: str, value: object) -> str:
    """The unambiguous forms of what may be meant: `10 or 8`."""
    exact = decimal_number(text)
    return str(value) if exact is None else f"{exact} or {value}"


def decimal_number(text: str) -> Decimal | None:
    """The number that the digits say; None for what is no decimal number, in base 16 or 60 for example."""
    try:
        number = Decimal(text)
    except InvalidOperation:
        return None
    return number if number.is_finite() else None


def to_yaml_number(number: Decimal | float) -> str:
    """The number in YAML 1.1's digits: with an exponent it needs a point and the exponent's sign."""
    text = repr(number) if isinstance(number, float) else format(number, "f")
    return text.replace("e", ".0e") if "e" in text and "." not in text else text
