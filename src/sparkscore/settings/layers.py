"""How the settings of a job are read: files, environment and flags, each as one layer, merged deeply."""

import codecs
import difflib
import os
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from sparkscore.errors import ConfigError
from sparkscore.redaction.secret_patterns import shorten_redacted
from sparkscore.settings.strict_yaml import bare_value, load_scalars
from sparkscore.settings.yaml_survey import RefusedYaml

_URI_SCHEME = re.compile(r"^[A-Za-z][A-Za-z0-9+.-]*:")
_SHELL_VARIABLE = re.compile(r"\$\{\w+\}|\$[A-Za-z_]\w*(?=/|$)")
_TEMPLATE_START = "{{"


def iterate_setting_fields(settings: type[BaseModel]) -> Iterator[tuple[str, FieldInfo]]:
    """Dotted name and field of every setting: those of a group together, then those of the groups in it."""
    groups: dict[str, type[BaseModel]] = {}
    for name, info in settings.model_fields.items():
        if isinstance(info.annotation, type) and issubclass(info.annotation, BaseModel):
            groups[name] = info.annotation
        else:
            yield name, info
    for group, annotation in groups.items():
        yield from ((f"{group}.{name}", info) for name, info in iterate_setting_fields(annotation))


def find_setting_group(settings: type[BaseModel], name: str) -> type[BaseModel]:
    """The group of settings of a dotted name: `model.trust`."""
    first, _, rest = name.partition(".")
    group = settings.model_fields[first].annotation
    assert isinstance(group, type)  # noqa: S101 - a group's annotation is its class
    return find_setting_group(group, rest) if rest else group


def secret_names(settings: type[BaseModel]) -> frozenset[str]:
    """The settings whose values are shown nowhere."""
    return frozenset(name for name, info in iterate_setting_fields(settings) if not info.repr)


def is_uri(path: str) -> bool:
    """Whether a path has a scheme."""
    return _URI_SCHEME.match(path) is not None


def merge_layers(layers: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """All layers as one mapping, merged at every depth; the later layer wins."""
    merged: dict[str, Any] = {}
    for layer in layers:
        for name, value in layer.items():
            below = merged.get(name)
            merged[name] = (
                merge_layers([below, value]) if isinstance(below, dict) and isinstance(value, dict) else value
            )
    return merged


def read_config_file(file: Path) -> dict[str, Any]:
    """A YAML file's mapping; values that are not text are PlainScalar.

    Raises:  ConfigError for a file that cannot be read, is not YAML, or is ambiguous, because a key stands twice.
    """
    try:
        content = load_scalars(_read_config_text(file), str(file))
    except RefusedYaml as refused:
        raise ConfigError(f"{file}: {refused.found}", refused.expected, refused.do) from refused
    if not isinstance(content, dict):
        raise ConfigError(
            f"{file} {_describe_content(bare_value(content))}",
            "YAML with the settings of a job: job:, source:, model:, output:",
            "see conf/quickstart.yaml",
        )
    return content


def _read_config_text(file: Path) -> str:
    try:
        content = file.read_bytes()
    except PermissionError as error:
        raise ConfigError(
            f"no permission to read {file}", "a readable YAML file", "check the file's owner and mode"
        ) from error
    except (OSError, ValueError) as error:
        raise _missing_file_error(file, error) from error
    encoding = "utf-16" if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) else "utf-8"
    try:
        return content.decode(encoding)
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ConfigError(
            f"{file} is not UTF-8 text: line {line} holds the byte {content[error.start]:#04x}",
            "a YAML file in UTF-8",
            "save it as UTF-8, and check that it is the config and no archive",
        ) from error


def _missing_file_error(file: Path, error: Exception) -> ConfigError:
    near = difflib.get_close_matches(file.name, _sibling_file_names(file), n=1)
    if isinstance(error, IsADirectoryError):
        found, do = f"{file} is a folder", "name the file in it"
    elif is_uri(str(file)):
        found, do = f"{file} is no file of this machine", "copy it here first: config files are read by the driver"
    elif isinstance(error, FileNotFoundError | NotADirectoryError):
        found = f"no config file at {file}"
        do = f"check --config; {f'did you mean {near[0]}?' if near else 'the path is relative to the current folder'}"
    else:
        found, do = (
            f"cannot read {shorten_redacted(str(file), 200)!r}: {getattr(error, 'strerror', None) or error}",
            "check --config",
        )
    return ConfigError(found, "a YAML file", do)


def _describe_content(value: object) -> str:
    if value is None:
        return "is empty"
    kinds = ((str, "text without a setting"), (list, "a list"), (int | float, "a number"), (date, "a date"))
    return f"holds {next((words for kind, words in kinds if isinstance(value, kind)), 'a single value')}"


def _sibling_file_names(file: Path) -> list[str]:
    return [entry.name for entry in file.parent.iterdir()] if file.parent.is_dir() else []


def resolve_layer_paths(settings: type[BaseModel], layer: dict[str, Any], folder: Path) -> dict[str, Any]:
    """The layer with its relative paths made absolute: they are relative to the file that names them."""
    located = merge_layers([layer])
    for name, info in iterate_setting_fields(settings):
        group, _, leaf = name.rpartition(".")
        holder = _find_layer_group(located, group)
        value = holder.get(leaf or name) if isinstance(holder, dict) else None
        is_path = bool(isinstance(info.json_schema_extra, dict) and info.json_schema_extra.get("path"))
        items = _find_listed_settings(info.annotation)
        if items is not None and isinstance(value, list):
            holder[leaf or name] = [  # type: ignore[index]
                resolve_layer_paths(items, one, folder) if isinstance(one, dict) else one for one in value
            ]
        if isinstance(value, str) and value.strip() and (is_path or (leaf == "table" and "/" in value)):
            _refuse_shell_variable(name, value)
            holder[leaf or name] = to_absolute_path(value, folder)  # type: ignore[index]
    return located


def _find_listed_settings(annotation: Any) -> type[BaseModel] | None:
    """The settings that a list holds; None for any other type."""
    inner = get_args(annotation)[:1] if get_origin(annotation) is tuple else ()
    return next((one for one in inner if isinstance(one, type) and issubclass(one, BaseModel)), None)


def _refuse_shell_variable(name: str, path: str) -> None:
    if _SHELL_VARIABLE.search(path):
        raise ConfigError(
            f"{name} holds a variable of a shell: {path}",
            "a path: config files are taken as they are",
            f"write the path, or give it as --{name} or by the environment, where your shell fills it in",
        )


def _find_layer_group(layer: object, group: str) -> object:
    for part in group.split(".") if group else ():
        layer = layer.get(part) if isinstance(layer, dict) else None
    return layer


def to_absolute_path(path: str, folder: Path) -> str:
    """The path from a folder on; a URI as it is."""
    return path if _URI_SCHEME.match(path) else os.path.normpath(folder / Path(path).expanduser())


def refuse_templates(value: object, where: str = "", *, allowed: Collection[str] = ()) -> None:
    """Refuse what a scheduler failed to fill in. `allowed`: settings that are templates of the job's own."""
    if isinstance(value, Mapping):
        for name, inner in value.items():
            refuse_templates(inner, f"{where}.{name}".lstrip("."), allowed=allowed)
    elif isinstance(value, list | tuple):
        for inner in value:
            refuse_templates(inner, where, allowed=allowed)
    elif isinstance(value, str) and _TEMPLATE_START in value and where not in allowed:
        raise ConfigError(
            f"{where} still holds a template: …{value[value.index(_TEMPLATE_START) :].partition('}}')[0][:60]}}}}}",
            "a value",
            "check the scheduler's template, or remove the braces",
        )
