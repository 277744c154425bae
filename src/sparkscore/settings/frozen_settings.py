"""What all settings of one concern have in common."""

from collections.abc import Iterator
from types import NoneType
from typing import Any, ClassVar, get_args, get_origin

from pydantic import BaseModel, ConfigDict, SecretStr, ValidationInfo, field_validator

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

    @field_validator("*", mode="before")
    @classmethod
    def _refuse_empty_text(cls, value: object, info: ValidationInfo) -> object:
        """An empty name or path would mean the current folder, or nothing at all. Values of mappings may be empty."""
        texts = value if isinstance(value, list | tuple) else [value]
        if info.field_name is not None and any(isinstance(text, str) and not text.strip() for text in texts):
            annotation = cls.model_fields[info.field_name].annotation
            if {str, SecretStr} & set(_plain_types(annotation)) and get_origin(annotation) is not dict:
                what = "an empty text" if texts is not value else "an empty text in the list"
                optional = NoneType in get_args(annotation)
                raise ValueError(f"{what}{'; for none, leave it out' if optional else ''}")
        return value


def list_changed_settings(settings: FrozenSettings) -> list[str]:
    """The settings whose values are other than their defaults."""
    defaults = {name: one.get_default(call_default_factory=True) for name, one in type(settings).model_fields.items()}
    return [name for name, default in defaults.items() if getattr(settings, name) != default]


def _plain_types(annotation: Any) -> Iterator[Any]:
    inner = get_args(annotation)
    yield from (plain for part in inner for plain in _plain_types(part)) if inner else (annotation,)
