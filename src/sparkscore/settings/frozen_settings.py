"""What all settings of one concern have in common."""

from collections.abc import Iterator
from typing import Any, ClassVar, get_args

from pydantic import BaseModel, ConfigDict, ValidationInfo, field_validator

RELATIVE_PATH_NOTE = "relative to the file that names it"


class FrozenSettings(BaseModel):
    """Settings of one concern: they do not change, and take no other names."""

    model_config: ClassVar[ConfigDict] = ConfigDict(
        frozen=True,
        extra="forbid",
        hide_input_in_errors=True,  # it may be a secret
    )

    @field_validator("*", mode="before")
    @classmethod
    def _refuse_boolean_as_number(cls, value: object, info: ValidationInfo) -> object:
        """pydantic takes true for 1, so that `version: off` would mean version 0."""
        if isinstance(value, bool) and info.field_name is not None:
            types = set(_plain_types(cls.model_fields[info.field_name].annotation))
            if types & {int, float} and bool not in types:
                raise ValueError("expected a number, not true or false")
        return value


def _plain_types(annotation: Any) -> Iterator[Any]:
    inner = get_args(annotation)
    yield from (plain for part in inner for plain in _plain_types(part)) if inner else (annotation,)
