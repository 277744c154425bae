"""Values of settings that may be nested: what JSON can hold."""

from typing import Annotated, Any

from pydantic import AfterValidator


def refuse_unnested_value(value: Any) -> Any:
    """The value, where JSON can hold it.

    Raises:  ValueError.
    """
    inner = list(value.values()) if isinstance(value, dict) else value if isinstance(value, list | tuple) else []
    if isinstance(value, dict) and not all(isinstance(name, str) for name in value):
        raise ValueError("expected names that are text: write them in quotes")
    if not isinstance(value, bool | int | float | str | dict | list | tuple | None):
        raise ValueError(f"a {type(value).__name__}; expected text, a number, true or false: write it in quotes")
    for one in inner:
        refuse_unnested_value(one)
    return value


def to_param_value(value: Any) -> Any:
    """A param's value: a scalar, a list of scalars as a tuple, or a mapping.

    Raises:  ValueError.
    """
    refuse_unnested_value(value)
    if not isinstance(value, list | tuple):
        if value is None:
            raise ValueError("expected a value; leave the param out for the model's default")
        return value
    if any(one is None or isinstance(one, dict | list | tuple) for one in value):
        raise ValueError("expected a list of text, numbers, true or false")
    return tuple(value)


NestedValue = Annotated[Any, AfterValidator(refuse_unnested_value)]
"""What JSON can hold."""
ParamValue = Annotated[Any, AfterValidator(to_param_value)]
"""A param of a model: a scalar, a list of scalars, or a mapping."""
