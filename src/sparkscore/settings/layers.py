"""How the settings of a job are read: files, environment and flags, each as one layer, merged deeply."""

import difflib
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, EnvSettingsSource
from pydantic_settings.exceptions import SettingsError

from sparkscore.errors import ConfigError, redacted

PREFIX = "SPARKSCORE_"
_SCHEME = re.compile(r"^[A-Za-z][A-Za-z0-9+.-]*:")
_TEMPLATE = "{{"


def leaves(settings: type[BaseModel]) -> Iterator[tuple[str, FieldInfo]]:
    """Dotted name and field of every setting, in order."""
    for name, info in settings.model_fields.items():
        if isinstance(info.annotation, type) and issubclass(info.annotation, BaseModel):
            yield from ((f"{name}.{leaf}", field) for leaf, field in info.annotation.model_fields.items())
        else:
            yield name, info


def variables(settings: type[BaseModel], environ: Mapping[str, str]) -> dict[str, str]:
    """The variables that name settings.

    Raises:  ConfigError for one with our prefix that names none.
    """
    env = {name: value for name, value in environ.items() if name.upper().startswith(PREFIX)}
    _check_variables(settings, env)
    return env


def as_variables(flags: Mapping[str, str]) -> dict[str, str]:
    """Flags by the names that their variables would have."""
    return {PREFIX + name.replace(".", "__").upper(): value for name, value in flags.items()}


def text(settings: type[BaseSettings], mapping: Mapping[str, str]) -> dict[str, Any]:
    """The layer that variables write; lists and mappings are YAML.

    Raises:  ConfigError.
    """
    return _TextSource(settings, mapping)()


def is_uri(path: str) -> bool:
    """Whether a path has a scheme."""
    return _SCHEME.match(path) is not None


def merged(layers: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """All layers as one mapping, merged at every depth; the later layer wins."""
    one: dict[str, Any] = {}
    for layer in layers:
        for name, value in layer.items():
            below = one.get(name)
            one[name] = merged([below, value]) if isinstance(below, dict) and isinstance(value, dict) else value
    return one


def read(file: Path) -> dict[str, Any]:
    """A YAML file's mapping."""
    try:
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError) as error:
        near = difflib.get_close_matches(file.name, _neighbours(file), n=1)
        raise ConfigError(
            f"no config file at {file}",
            "a YAML file",
            f"check --config; {f'did you mean {near[0]}?' if near else 'the path is relative to the current folder'}",
        ) from error
    except PermissionError as error:
        raise ConfigError(
            f"no permission to read {file}", "a readable YAML file", "check the file's owner and mode"
        ) from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file} is not YAML: {error}", "a YAML mapping", "see conf/quickstart.yaml") from error
    if not isinstance(content, dict):
        raise ConfigError(f"{file} holds a {type(content).__name__}", "a YAML mapping", "see conf/quickstart.yaml")
    return content


def _neighbours(file: Path) -> list[str]:
    return [entry.name for entry in file.parent.iterdir()] if file.parent.is_dir() else []


def located(settings: type[BaseModel], layer: dict[str, Any], folder: Path) -> dict[str, Any]:
    """The layer with its relative paths made absolute: they are relative to the file that names them."""
    located = merged([layer])
    for name, info in leaves(settings):
        group, _, leaf = name.rpartition(".")
        holder = located.get(group) if group else located
        value = holder.get(leaf or name) if isinstance(holder, dict) else None
        is_path = bool(isinstance(info.json_schema_extra, dict) and info.json_schema_extra.get("path"))
        if isinstance(value, str) and (is_path or (leaf == "table" and "/" in value)):
            holder[leaf or name] = absolute(value, folder)  # type: ignore[index]
    return located


def absolute(path: str, folder: Path) -> str:
    """The path from a folder on; a URI as it is."""
    return path if _SCHEME.match(path) else os.path.normpath(folder / Path(path).expanduser())


def _check_variables(settings: type[BaseModel], env: Mapping[str, str]) -> None:
    known = {PREFIX + name.replace(".", "__").upper() for name, _ in leaves(settings)}
    groups = {PREFIX + name.upper() for name in settings.model_fields} - known
    for name in sorted(env):
        if name.upper() not in known:
            near = difflib.get_close_matches(name.upper(), sorted(known), n=1, cutoff=0.5)
            what = "names a group, not a setting" if name.upper() in groups else "is not a setting"
            raise ConfigError(
                f"the environment variable {name} {what}",
                f"one of {', '.join(sorted(known))}" if not near else near[0],
                "rename or unset it",
            )


def refuse_templates(value: object, where: str = "") -> None:
    """Refuse what a scheduler failed to fill in."""
    if isinstance(value, Mapping):
        for name, inner in value.items():
            refuse_templates(inner, f"{where}.{name}".lstrip("."))
    elif isinstance(value, list | tuple):
        for inner in value:
            refuse_templates(inner, where)
    elif isinstance(value, str) and _TEMPLATE in value:
        raise ConfigError(
            f"{where} still holds a template: {value}", "a value", "let the scheduler fill it in, or remove the braces"
        )


def explained(settings: type[BaseModel], error: ValidationError, files: Sequence[str | Path]) -> ConfigError:
    """pydantic's findings in the words of the config, with the nearest right name for each unknown one."""
    names = [name for name, _ in leaves(settings)]
    lines = []
    for found in error.errors():
        where = ".".join(str(part) for part in found["loc"] if str(part).isidentifier() or isinstance(part, int))
        near = difflib.get_close_matches(where, [*names, *settings.model_fields], n=1, cutoff=0.5)
        if found["type"] == "extra_forbidden":
            lines.append(f"unknown setting {where}" + (f" (did you mean {near[0]}?)" if near else ""))
        elif found["type"] == "missing":
            lines.append(f"{where} is missing")
        else:
            lines.append(f"{where}: {found['msg']}, found {redacted(repr(found['input']))[:80]}")
    source = ", ".join(str(file) for file in files) or "the settings"
    return ConfigError(
        f"{source}: " + "; ".join(dict.fromkeys(lines)),
        "the settings of a job",
        "see conf/quickstart.yaml, or --help for all settings",
    )


class _TextSource(EnvSettingsSource):
    """Settings written as text: the environment, and flags by the same names. Lists and mappings are YAML."""

    def __init__(self, settings_cls: type[BaseSettings], mapping: Mapping[str, str]) -> None:
        self._mapping = {name.lower(): value for name, value in mapping.items()}
        super().__init__(settings_cls, case_sensitive=False, env_prefix=PREFIX, env_nested_delimiter="__")

    def _load_env_vars(self) -> Mapping[str, str | None]:
        return self._mapping

    def decode_complex_value(self, field_name: str, field: FieldInfo, value: Any) -> Any:
        try:
            return yaml.safe_load(value)
        except yaml.YAMLError as error:
            raise ValueError(f"{value!r} is not YAML") from error

    def __call__(self) -> dict[str, Any]:
        try:
            return super().__call__()
        except SettingsError as error:
            raise ConfigError(
                f"a setting that cannot be read: {error}", "lists and mappings as YAML or JSON, for example [a, b]"
            ) from error
