"""How the settings of a job are read: files, environment and flags, each as one layer, merged deeply."""

import difflib
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, EnvSettingsSource
from pydantic_settings.exceptions import SettingsError

from sparkscore.errors import ConfigError, redact_secrets
from sparkscore.settings.scalar_texts import ScalarTexts, describe_input, dotted_place
from sparkscore.settings.strict_yaml import PlainScalar, RefusedYaml, bare_value, load_scalars

VARIABLE_PREFIX = "SPARKSCORE_"
_URI_SCHEME = re.compile(r"^[A-Za-z][A-Za-z0-9+.-]*:")
_TEMPLATE_START = "{{"


def iterate_setting_fields(settings: type[BaseModel]) -> Iterator[tuple[str, FieldInfo]]:
    """Dotted name and field of every setting, in order."""
    for name, info in settings.model_fields.items():
        if isinstance(info.annotation, type) and issubclass(info.annotation, BaseModel):
            yield from ((f"{name}.{leaf}", field) for leaf, field in info.annotation.model_fields.items())
        else:
            yield name, info


def secret_names(settings: type[BaseModel]) -> frozenset[str]:
    """The settings whose values are shown nowhere."""
    return frozenset(name for name, info in iterate_setting_fields(settings) if not info.repr)


def select_setting_variables(settings: type[BaseModel], environ: Mapping[str, str]) -> dict[str, str]:
    """The variables that name settings.

    Raises:  ConfigError for one with our prefix that names none, and for two that differ in case only.
    """
    env = {name: value for name, value in environ.items() if name.upper().startswith(VARIABLE_PREFIX)}
    _check_variables(settings, env)
    _refuse_same_names(env, "the environment variables")
    return env


def to_setting_variables(flags: Mapping[str, str]) -> dict[str, str]:
    """Flags by the names of the environment variables that set the same settings.

    Raises:  ConfigError for two that differ in case only.
    """
    _refuse_same_names(flags, "the flags")
    return {VARIABLE_PREFIX + name.replace(".", "__").upper(): value for name, value in flags.items()}


def parse_variables_layer(
    settings: type[BaseSettings], mapping: Mapping[str, str], *, spell: Callable[[str], str] = str
) -> dict[str, Any]:
    """The layer that variables write; lists and mappings are YAML, as `read_config_file` gives it.

    `spell`: turns a variable's name into the name that its author used: `flag_of`.

    Raises:  ConfigError.
    """
    return _TextSource(settings, mapping, spell)()


def flag_of(variable: str) -> str:
    """The flag that sets what a variable sets."""
    return "--" + dotted_name(variable)


def dotted_name(variable: str) -> str:
    """The setting that a variable sets: `source.table`."""
    return variable[len(VARIABLE_PREFIX) :].replace("__", ".").lower()


def is_uri(path: str) -> bool:
    """Whether a path has a scheme."""
    return _URI_SCHEME.match(path) is not None


def merge_layers(layers: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """All layers as one mapping, merged at every depth; the later layer wins."""
    one: dict[str, Any] = {}
    for layer in layers:
        for name, value in layer.items():
            below = one.get(name)
            one[name] = merge_layers([below, value]) if isinstance(below, dict) and isinstance(value, dict) else value
    return one


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
        holder = located.get(group) if group else located
        value = holder.get(leaf or name) if isinstance(holder, dict) else None
        is_path = bool(isinstance(info.json_schema_extra, dict) and info.json_schema_extra.get("path"))
        if isinstance(value, str) and (is_path or (leaf == "table" and "/" in value)):
            holder[leaf or name] = to_absolute_path(value, folder)  # type: ignore[index]
    return located


def to_absolute_path(path: str, folder: Path) -> str:
    """The path from a folder on; a URI as it is."""
    return path if _URI_SCHEME.match(path) else os.path.normpath(folder / Path(path).expanduser())


def _check_variables(settings: type[BaseModel], env: Mapping[str, str]) -> None:
    known = {VARIABLE_PREFIX + name.replace(".", "__").upper() for name, _ in iterate_setting_fields(settings)}
    groups = {VARIABLE_PREFIX + name.upper() for name in settings.model_fields} - known
    for name in sorted(env):
        if name.upper() not in known:
            near = difflib.get_close_matches(name.upper(), sorted(known), n=1, cutoff=0.5)
            what = "names a group, not a setting" if name.upper() in groups else "is not a setting"
            raise ConfigError(
                f"the environment variable {name} {what}",
                f"one of {', '.join(sorted(known))}" if not near else near[0],
                "rename or unset it",
            )


def _refuse_same_names(names: Iterable[str], what: str) -> None:
    by_setting: dict[str, list[str]] = {}
    for name in names:
        by_setting.setdefault(name.upper(), []).append(name)
    for same in by_setting.values():
        if len(same) > 1:
            raise ConfigError(
                f"{what} {' and '.join(sorted(same))} set the same setting: case makes no difference",
                "each setting once",
                f"remove {'one' if len(same) == 2 else 'all but one'} of them",
            )


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


def to_config_error(
    settings: type[BaseModel], error: ValidationError, files: Sequence[str | Path], texts: ScalarTexts
) -> ConfigError:
    """pydantic's findings in the words of the config, with the nearest right name for each unknown one."""
    names = [name for name, _ in iterate_setting_fields(settings)]
    lines = []
    for found in error.errors():
        where = ".".join(str(part) for part in found["loc"] if str(part).isidentifier() or isinstance(part, int))
        near = difflib.get_close_matches(where, [*names, *settings.model_fields], n=1, cutoff=0.5)
        if found["type"] == "extra_forbidden":
            lines.append(f"unknown setting {where}" + (f" (did you mean {near[0]}?)" if near else ""))
        elif found["type"] == "missing":
            lines.append(f"{where} is missing")
        else:
            lines.append(f"{where}: {found['msg']}{_found_value(settings, found, texts)}")
    source = ", ".join(str(file) for file in files) or "the settings"
    return ConfigError(
        f"{source}: " + "; ".join(dict.fromkeys(lines)),
        "the settings of a job",
        "see conf/quickstart.yaml, or --help for all settings",
    )


def _found_value(settings: type[BaseModel], found: ErrorDetails, texts: ScalarTexts) -> str:
    """What pydantic did not take, and how it was written where YAML has made something else of it."""
    place = dotted_place(found["loc"])
    if not place:
        return ""
    if any(f"{name}.".startswith(f"{place}.") for name in secret_names(settings)):
        return ", found a value that is not shown: there is a secret in it"
    return f", found {describe_input(found, texts) or redact_secrets(repr(bare_value(found['input'])))[:80]}"


class _TextSource(EnvSettingsSource):
    """Settings written as text: the environment, and flags by the same names. Lists and mappings are YAML."""

    def __init__(
        self, settings_cls: type[BaseSettings], mapping: Mapping[str, str], spell: Callable[[str], str]
    ) -> None:
        self._mapping = {name.lower(): value for name, value in mapping.items()}
        self._spelled = {name.lower(): spell(name) for name in mapping}
        super().__init__(settings_cls, case_sensitive=False, env_prefix=VARIABLE_PREFIX, env_nested_delimiter="__")

    def _load_env_vars(self) -> Mapping[str, str | None]:
        return self._mapping

    def decode_complex_value(self, field_name: str, field: FieldInfo, value: Any) -> Any:
        suffix = f"_{field_name.lower()}"
        name = next(one for one, text in self._mapping.items() if one.endswith(suffix) and text == value)
        label = self._spelled[name]
        try:
            return load_scalars(value, label, name=dotted_name(name))
        except RefusedYaml as refused:
            raise ConfigError(f"{label}: {refused.found}", refused.expected, refused.do) from refused
        except yaml.YAMLError as error:
            raise ConfigError(
                f"{label} is not YAML: {getattr(error, 'problem', None) or 'a character that YAML does not allow'}",
                "a list or a mapping as YAML or JSON, for example [a, b]",
                "put quotes around text with special characters",
            ) from error

    def __call__(self) -> dict[str, Any]:
        try:
            return super().__call__()
        except SettingsError as error:
            raise ConfigError(
                f"a setting cannot be read: {error}", "lists and mappings as YAML or JSON, for example [a, b]"
            ) from error
