"""How the values of settings were written, where YAML has not read them as text."""

from collections.abc import Mapping, Sequence
from typing import Any

from sparkscore.errors import ConfigError
from sparkscore.redaction.secret_patterns import redact_secrets
from sparkscore.settings.strict_yaml import PlainScalar, describe_value
from sparkscore.settings.yaml_numbers import is_other_number, numbers_for

SettingPath = tuple[str | int, ...]
ScalarTexts = Mapping[SettingPath, PlainScalar]
"""By their path in the settings: `("source", "keys", 0)`."""


def separate_texts(layer: Mapping[str, Any]) -> tuple[dict[str, Any], ScalarTexts]:
    """The bare values, and the texts of those that YAML has not read as text.

    A filter's values stay together with how they were written: their column's type is not known yet.
    """
    texts: dict[SettingPath, PlainScalar] = {}
    return _separate_value(layer, (), texts), texts


def refuse_other_numbers(texts: ScalarTexts) -> None:
    """Refuse numbers that YAML 1.1 reads in another base than people do: `010` is 8, `1:30` is 90.

    Raises:  ConfigError with the line, what was read, and what to write.
    """
    for path, scalar in texts.items():
        if is_other_number(scalar.text, scalar.value):
            raise ConfigError(
                f"{scalar.location}: {dotted_path(path)}: YAML reads {scalar.text} as {scalar.value}",
                "a number in one reading",
                f'write {numbers_for(scalar.text, scalar.value)}, or "{scalar.text}" in quotes where it is text',
            )


def find_scalar(path: SettingPath, texts: ScalarTexts) -> PlainScalar | None:
    """What stands at a path, or above it, as it was written; None for what YAML has read as text, list or mapping."""
    return next((texts[path[:end]] for end in range(len(path), 0, -1) if path[:end] in texts), None)


def describe_scalar(scalar: PlainScalar, origin: str) -> str:
    """How a value was written, and as what YAML has read it where that is not the same: `the number 3 (line 7)`."""
    read = describe_value(scalar.value)
    is_as_written = isinstance(scalar.value, int | float) and str(scalar.value) == scalar.text
    shown = read if is_as_written else f"{scalar.text or 'nothing'}, which YAML reads as {read}"
    return f"{redact_secrets(shown)} ({scalar.location.removeprefix(f'{origin}, ')})"


def dotted_path(path: Sequence[str | int]) -> str:
    """The path as people write it: `source.keys.0`."""
    return ".".join(map(str, path))


def _separate_value(value: Any, path: SettingPath, texts: dict[SettingPath, PlainScalar]) -> Any:
    if path[:2] == ("source", "where") and path[3:4] == ("value",):
        return value
    if isinstance(value, PlainScalar):
        texts[path] = value
        return value.value
    if isinstance(value, dict):
        return {name: _separate_value(inner, (*path, name), texts) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_separate_value(inner, (*path, index), texts) for index, inner in enumerate(value)]
    return value
