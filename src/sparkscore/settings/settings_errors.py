"""What pydantic finds wrong with settings, as an error of the config: in its words, not in pydantic's."""

import difflib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args, get_origin

import yaml
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from sparkscore.errors import ConfigError
from sparkscore.redaction.secret_patterns import shorten_redacted
from sparkscore.settings.layers import iterate_setting_fields, secret_names
from sparkscore.settings.scalar_texts import describe_scalar, dotted_path, find_scalar
from sparkscore.settings.setting_names import suggest_setting_names
from sparkscore.settings.setting_origins import SettingOrigins
from sparkscore.settings.setting_types import LocatedSetting, join_with_or, locate_setting, setting_takes
from sparkscore.settings.strict_yaml import PlainScalar, bare_value

_OPERATOR_NAMES = {"==": "=", "<>": "!=", "eq": "=", "ne": "!=", "gt": ">", "ge": ">=", "lt": "<", "le": "<="}
_MAX_VALUE_CHARACTERS = 80


@dataclass(frozen=True, slots=True)
class Mistake:
    """One setting that cannot be used."""

    origin: str
    """The file, variable or flag that gives it."""
    found: str
    expected: str
    do: str
    path: tuple[str | int, ...] = ()
    """Where it stands in the settings; empty where several do not fit together."""


def to_config_error(settings: type[BaseModel], error: ValidationError, origins: SettingOrigins) -> ConfigError:
    """pydantic's findings in the words of the config, with the nearest right name for each unknown one."""
    mistakes = find_mistakes(settings, error, origins)
    if len(mistakes) == 1:
        (one,) = mistakes
        return ConfigError(f"{one.origin}: {one.found}", one.expected, one.do)
    lines, before = [], ""
    for one in mistakes:
        origin = f"{one.origin}: " if one.origin != before else ""
        lines.append(f"{origin}{one.found} (expected {one.expected}; {one.do})")
        before = one.origin
    return ConfigError(
        "; ".join(lines), "the settings of a job", "correct these; see conf/quickstart.yaml, or --help for all settings"
    )


def find_mistakes(settings: type[BaseModel], error: ValidationError, origins: SettingOrigins) -> list[Mistake]:
    """One for each setting that pydantic refuses, with the nearest right name for each unknown one."""
    return list(dict.fromkeys(_find_mistakes(settings, error.errors(), origins)))


def _find_mistakes(
    settings: type[BaseModel], details: Sequence[ErrorDetails], origins: SettingOrigins
) -> list[Mistake]:
    """One for each setting: pydantic finds one for each alternative of its type, and more in what holds a fault."""
    found: dict[tuple[str | int, ...], Mistake] = {}
    paths = [one["loc"] if _is_about_name(one) else locate_setting(settings, one["loc"]).path for one in details]
    for path, one in zip(paths, details, strict=True):
        has_inner_fault = any(len(other) > len(path) and other[: len(path)] == path for other in paths)
        if path not in found and not (has_inner_fault and path):
            found[path] = replace(_to_mistake(settings, path, one, origins), path=tuple(path))
    return list(found.values())


def _is_about_name(found: ErrorDetails) -> bool:
    return found["type"] in ("extra_forbidden", "missing")


def _to_mistake(
    settings: type[BaseModel], path: tuple[str | int, ...], found: ErrorDetails, origins: SettingOrigins
) -> Mistake:
    where, origin, located = dotted_path(path), origins.find_origin(path), locate_setting(settings, path)
    if found["type"] == "extra_forbidden":
        return _to_unknown_name(settings, path, origin)
    if found["type"] == "missing":
        return Mistake(origin, f"{where} is missing", located.expected, f"add {_describe_setting(located)}")
    if found["type"] == "value_error":
        return _to_refused_value(located, found, origins)
    scalar, value = find_scalar(path, origins.texts), bare_value(found["input"])
    if value is None and (scalar is None or not scalar.text):
        return Mistake(origin, f"{where} has nothing after its colon", located.expected, _advise_on_nothing(located))
    shown = _describe_found(settings, path, value, describe_scalar(scalar, origin) if scalar else "")
    do = _advise_on_value(located, value, scalar) or _advise_to_correct(located)
    return Mistake(origin, f"{where} is {shown}{_suggest_word(located, value)}", located.expected, do)


def _to_unknown_name(settings: type[BaseModel], path: tuple[str | int, ...], origin: str) -> Mistake:
    where, group = dotted_path(path), locate_setting(settings, path[:-1])
    near = suggest_setting_names(settings, path, group)
    if where in {name for name, _ in iterate_setting_fields(settings)}:  # a name with a dot in it
        section, _, leaf = where.rpartition(".")
        return Mistake(origin, f"unknown setting {where}", f"{leaf} under {section}", f"write {section}: {{{leaf}: …}}")
    hint = f" (did you mean {join_with_or(near)}?)" if near else ""
    return Mistake(
        origin,
        f"unknown setting {where}{hint}",
        f"one of {', '.join(group.inner_names)}",
        "rename it, move it, or remove it",
    )


def _to_refused_value(located: LocatedSetting, found: ErrorDetails, origins: SettingOrigins) -> Mistake:
    """What a validator of the settings themselves has found; it says what is wrong."""
    where, origin = dotted_path(located.path), origins.find_origin(located.path)
    said = str(found.get("ctx", {}).get("error", found["msg"]))
    scalar = find_scalar(located.path, origins.texts)
    shown = f", found {describe_scalar(scalar, origin)}" if scalar else ""
    found_text = f"{where}: {said}{shown}".removeprefix(": ")
    if isinstance(located.annotation, type) and issubclass(located.annotation, BaseModel):
        return Mistake(origin, found_text, "settings that fit together", f"change {where or 'one of them'}")
    return Mistake(origin, found_text, located.expected, _advise_to_correct(located))


def _describe_found(settings: type[BaseModel], path: tuple[str | int, ...], value: Any, scalar: str) -> str:
    if any(f"{name}.".startswith(f"{dotted_path(path)}.") for name in secret_names(settings)):
        return "a value that is not shown: there is a secret in it"
    if path[:2] == ("source", "where") and len(path) < 4:  # its values may be those of a column in source.sensitive
        kinds: dict[type, str] = {dict: "a mapping", list: "a list", str: "a text"}
        return kinds.get(type(value), "a single value")
    return scalar or _show_value(value)


def _show_value(value: Any) -> str:
    if isinstance(value, str):
        return shorten_redacted(repr(value), _MAX_VALUE_CHARACTERS)
    try:
        text = yaml.safe_dump(value, default_flow_style=True, width=10_000, allow_unicode=True)
    except yaml.YAMLError:
        text = repr(value)
    return shorten_redacted(text.removesuffix("...\n").strip(), _MAX_VALUE_CHARACTERS)


def _suggest_word(located: LocatedSetting, value: object) -> str:
    """The nearest of the words that a setting takes."""
    if not isinstance(value, str):
        return ""
    words = {str(word).lower(): str(word) for word in _literal_words(located.annotation)}
    text = value.strip().lower().replace("-", "_")
    alias = _OPERATOR_NAMES.get(text)
    near = [alias] if alias in words.values() else difflib.get_close_matches(text, list(words), n=1)
    return f" (did you mean {words[str(near[0])]}?)" if near else ""


def _literal_words(annotation: Any) -> list[object]:
    if get_origin(annotation) is Literal:
        return list(get_args(annotation))
    return [word for part in get_args(annotation) for word in _literal_words(part)]


def _advise_on_nothing(located: LocatedSetting) -> str:
    if isinstance(located.annotation, type) and issubclass(located.annotation, BaseModel):
        return "indent its settings under it, or remove the line"
    return "give it a value, or remove the line"


def _advise_on_value(located: LocatedSetting, value: object, scalar: PlainScalar | None) -> str:
    if setting_takes(located.annotation, str) and scalar is not None:
        return f'write "{scalar.text}" in quotes, if it is meant as text'
    if not setting_takes(located.annotation, tuple):
        return ""
    if isinstance(value, str) and "mappings" not in located.expected:
        return f"write [{', '.join(value.replace(',', ' ').split())}]"
    if isinstance(value, dict) and all(inner is None for inner in value.values()):
        return f"write [{', '.join(map(str, value))}]"
    return _advise_to_correct(located)


def _advise_to_correct(located: LocatedSetting) -> str:
    return f"correct {_describe_setting(located)}" if located.path else "correct one of them"


def _describe_setting(located: LocatedSetting) -> str:
    """Its name, and what it is: that says the unit of a number, too."""
    description = (located.field.description or "") if located.field else ""
    return f"{dotted_path(located.path)}{f': {description}' if description else ''}"
