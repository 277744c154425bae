"""How the settings of a job are read: files, environment and flags, each as one layer, merged deeply."""

import difflib
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from sparkscore.errors import ConfigError
from sparkscore.settings.strict_yaml import PlainScalar, load_scalars
from sparkscore.settings.yaml_survey import RefusedYaml

_URI_SCHEME = re.compile(r"^[A-Za-z][A-Za-z0-9+.-]*:")
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
        content = load_scalars(file.read_text(encoding="utf-8"), str(file))
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError) as error:
        near = difflib.get_close_matches(file.name, _sibling_file_names(file), n=1)
        raise ConfigError(
            f"no config file at {file}",
            "a YAML file",
            f"check --config; {f'did you mean {near[0]}?' if near else 'the path is relative to the current folder'}",
        ) from error
    except PermissionError as error:
        raise ConfigError(
            f"no permission to read {file}", "a readable YAML file", "check the file's owner and mode"
        ) from error
    except RefusedYaml as refused:
        raise ConfigError(f"{file}: {refused.found}", refused.expected, refused.do) from refused
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file} is not YAML: {error}", "a YAML mapping", "see conf/quickstart.yaml") from error
    if not isinstance(content, dict):
        kind = type(content.value if isinstance(content, PlainScalar) else content).__name__
        raise ConfigError(f"{file} holds a {kind}", "a YAML mapping", "see conf/quickstart.yaml")
    return content


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
        if isinstance(value, str) and (is_path or (leaf == "table" and "/" in value)):
            holder[leaf or name] = to_absolute_path(value, folder)  # type: ignore[index]
    return located


def _find_layer_group(layer: object, group: str) -> object:
    for part in group.split(".") if group else ():
        layer = layer.get(part) if isinstance(layer, dict) else None
    return layer


def to_absolute_path(path: str, folder: Path) -> str:
    """The path from a folder on; a URI as it is."""
    return path if _URI_SCHEME.match(path) else os.path.normpath(folder / Path(path).expanduser())


def refuse_templates(value: object, where: str = "") -> None:
    """Refuse what a scheduler failed to fill in."""
    if isinstance(value, Mapping):
        for name, inner in value.items():
            refuse_templates(inner, f"{where}.{name}".lstrip("."))
    elif isinstance(value, list | tuple):
        for inner in value:
            refuse_templates(inner, where)
    elif isinstance(value, str) and _TEMPLATE_START in value:
        raise ConfigError(
            f"{where} still holds a template: {value}",
            "a value",
            "check the scheduler's template, or remove the braces",
        )
