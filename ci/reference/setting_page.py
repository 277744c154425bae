"""The page of settings, from `Settings`."""

from collections.abc import Iterable
from itertools import groupby
from typing import Any, Literal, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt
from ci.reference.markdown import escape_words, format_code, format_page, format_table
from ci.reference.source_text import read_summary
from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from sparkscore.settings import Settings
from sparkscore.settings.layers import find_setting_group, iterate_setting_fields
from sparkscore.settings.setting_types import SettingWords
from sparkscore.settings.setting_variables import VARIABLE_PREFIX

_INTRODUCTION = f"""\
A setting is a key of a `--config` file, an environment variable, or a flag. Later wins, merged deeply:
`--config` files in their order, then the environment, then flags. A dot in a key stands for one level of the
YAML file: `source.table` is the key `table` below `source`. Lists and mappings in variables and flags are
written as YAML. Unknown keys, flags and variables that begin with `{VARIABLE_PREFIX}` are refused."""
_TYPE_WORDS = {str: "text", int: "integer", float: "number", bool: "true or false", SecretStr: "text, a secret"}
_LIMITS = {Ge: ("≥", "ge"), Gt: (">", "gt"), Le: ("≤", "le"), Lt: ("<", "lt")}
_HEADER = ("key, flag, environment variable", "type", "default", "meaning")


def build_setting_page() -> str:
    """The page."""
    sections = [
        part
        for group, fields in groupby(iterate_setting_fields(Settings), key=lambda named: named[0].rpartition(".")[0])
        for part in (f"## {group or 'The job itself'}", _describe_group(group), _format_settings(fields))
    ]
    return format_page("Settings", [_INTRODUCTION, *sections, *_build_record_sections()])


def describe_type(annotation: Any, metadata: Iterable[Any] = ()) -> str:
    """A setting's type in words."""
    limits = "".join(
        f" {sign} {getattr(one, attribute):,}"
        for one in metadata
        for kind, (sign, attribute) in _LIMITS.items()
        if isinstance(one, kind)
    )
    words = [one.expected for one in getattr(annotation, "__metadata__", ()) if isinstance(one, SettingWords)]
    if words:
        return escape_words(words[0])
    if hasattr(annotation, "__metadata__"):
        fields = [one for one in annotation.__metadata__ if isinstance(one, FieldInfo)]
        return describe_type(annotation.__origin__, [part for one in fields for part in one.metadata])
    return _describe_plain_type(annotation) + limits


def _describe_plain_type(annotation: Any) -> str:
    origin, inner = get_origin(annotation), get_args(annotation)
    if origin is Literal:
        return " or ".join(format_code(str(one)) for one in inner)
    if origin is tuple:
        return f"list of {describe_type(inner[0])}"
    if origin is dict:
        return f"mapping of {describe_type(inner[0])} to {describe_type(inner[1])}"
    if inner:
        return " or ".join(dict.fromkeys(describe_type(one) for one in inner if one is not type(None)))
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return f"[{annotation.__name__}](#{annotation.__name__.lower()})"
    return "any value" if annotation is Any else _TYPE_WORDS[annotation]


def _describe_group(group: str) -> str:
    return escape_words(read_summary(find_setting_group(Settings, group))) if group else ""


def _format_settings(fields: Iterable[tuple[str, FieldInfo]]) -> str:
    return format_table(_HEADER, [_format_setting(name, info) for name, info in fields])


def _format_setting(name: str, info: FieldInfo) -> tuple[str, ...]:
    variable = VARIABLE_PREFIX + name.replace(".", "__").upper()
    kind = describe_type(info.annotation, info.metadata)
    words = escape_words(info.description or "")
    spellings = "<br>".join(format_code(one) for one in (name, f"--{name}", variable))
    return spellings, kind, _describe_default(info), words


def _describe_default(info: FieldInfo) -> str:
    default = info.get_default(call_default_factory=True, validated_data={})
    if default is PydanticUndefined:
        return "required"
    if default is None:
        return "none"
    if isinstance(default, tuple):
        return format_code(f"[{', '.join(map(str, default))}]")
    words = {True: "true", False: "false"}.get(default) if isinstance(default, bool) else None
    return format_code(words or str(default))


def _build_record_sections() -> Iterable[str]:
    """The fields of the mappings that settings hold: those of a filter's condition."""
    for record in _find_records():
        fields = [
            (format_code(name), describe_type(info.annotation, info.metadata), _describe_default(info))
            for name, info in record.model_fields.items()
        ]
        words = escape_words(read_summary(record))
        yield from (f"## {record.__name__}", words, format_table(("key", "type", "default"), fields))


def _find_records() -> list[type[BaseModel]]:
    found = [one for _, info in iterate_setting_fields(Settings) for one in _inner_records(info.annotation)]
    for record in found:  # grows: records hold others
        found += [
            one for info in record.model_fields.values() for one in _inner_records(info.annotation) if one not in found
        ]
    return list(dict.fromkeys(found))


def _inner_records(annotation: Any) -> list[type[BaseModel]]:
    """The records inside of a type: `Record | None`, a list of them, and so on."""
    inner = get_args(annotation)
    mine = [one for one in inner if isinstance(one, type) and issubclass(one, BaseModel)]
    return mine + [record for one in inner for record in _inner_records(one)]
