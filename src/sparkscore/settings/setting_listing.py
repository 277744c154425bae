"""All settings of a job with the value of each and where it is from, as people may see them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, SecretStr

from sparkscore.redaction.known_secrets import MASK, is_secret_name
from sparkscore.redaction.secret_patterns import redact_values
from sparkscore.settings.job_settings import Settings
from sparkscore.settings.layers import iterate_setting_fields, secret_names
from sparkscore.settings.scalar_texts import dotted_path
from sparkscore.settings.setting_layers import SettingLayers
from sparkscore.settings.setting_origins import SettingOrigins
from sparkscore.settings.yaml_lines import find_line, locate_setting_lines

OriginKind = Literal["default", "derived", "file", "environment", "flag"]
SettingPath = tuple[str | int, ...]
_COLUMN_MAPPINGS = ("model.inputs", "labels.keys", "output.rename", "model.casts", "model.missing")
"""By names of columns, which may be `token` without being one."""


@dataclass(frozen=True, slots=True)
class SettingOrigin:
    """Where a value is from."""

    kind: OriginKind
    """`derived`: made of other settings, as `model.uri` of section llm."""
    name: str = ""
    """The file, variable or flag; empty for a default."""
    line: int | None = None
    """In the file."""

    @property
    def text(self) -> str:
        """In words: `conf/env/prod.yaml:7`, `SPARKSCORE_HOME`, `default`."""
        return f"{self.name}:{self.line}" if self.line is not None else self.name or self.kind


@dataclass(frozen=True, slots=True)
class ListedSetting:
    """A setting, or one entry of a mapping that is a setting."""

    name: str
    value: Any
    """As JSON has it; secrets are `***`."""
    origin: SettingOrigin

    @property
    def text(self) -> str:
        """The value as YAML on one line."""
        text: str = yaml.safe_dump(self.value, default_flow_style=True, width=100_000, allow_unicode=True)
        return text.removesuffix("...\n").strip()


def list_setting_origins(
    files: Sequence[str | Path], flags: Mapping[str, str], environ: Mapping[str, str] | None = None
) -> tuple[Settings, list[ListedSetting]]:
    """The settings of a job, and each of them with its origin, in the order of the reference.

    Raises:  ConfigError as `Settings.load`.
    """
    settings = Settings.load(*files, flags=flags, environ=environ)
    layers = SettingLayers.read(Settings, files, flags, environ)
    _, origins = layers.merge()
    hidden = secret_names(Settings)
    listed = []
    for name, _ in iterate_setting_fields(Settings):
        given = _find_setting_value(settings, name)
        for path, value in _iterate_entries(tuple(name.split(".")), _to_plain(given)):
            origin = find_setting_origin(origins, path, is_default=_is_default(settings, name))
            is_hidden = value is not None and (name in hidden or _is_secret_entry(name, path))
            shown = MASK if is_hidden else _mask_sensitive(settings, name, redact_values(_mask_named_secrets(value)))
            listed.append(ListedSetting(dotted_path(path), shown, origin))
    return settings, listed


def find_setting_origin(origins: SettingOrigins, path: SettingPath, *, is_default: bool = True) -> SettingOrigin:
    """The layer that gives what stands at a path, with the line where it is a file."""
    index = origins.find_layer(path)
    if index is None:
        return SettingOrigin("default" if is_default else "derived")
    name = origins.find_origin(path)
    if index < len(origins.files):
        return SettingOrigin("file", name, find_line(_lines_of(name), path))
    return SettingOrigin("environment" if index == len(origins.files) else "flag", name)


@cache
def _load_lines(file: str, _: int) -> Mapping[SettingPath, int]:
    return locate_setting_lines(file)


def _lines_of(file: str) -> Mapping[SettingPath, int]:
    """The lines of a file as it is now."""
    try:
        return _load_lines(file, Path(file).stat().st_mtime_ns)
    except OSError:
        return {}


def _find_setting_value(settings: BaseModel, name: str) -> Any:
    value: Any = settings
    for part in name.split("."):
        value = getattr(value, part)
    return value


def _is_default(settings: BaseModel, name: str) -> bool:
    *groups, leaf = name.split(".")
    holder = _find_setting_value(settings, ".".join(groups)) if groups else settings
    field = type(holder).model_fields[leaf]
    return bool(getattr(holder, leaf) == field.get_default(call_default_factory=True, validated_data={}))


def _to_plain(value: Any) -> Any:
    """The value as JSON has it; of records only what was given."""
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json", exclude_unset=True, by_alias=True)
    if isinstance(value, SecretStr):
        return MASK
    if isinstance(value, Mapping):
        return {str(name): _to_plain(one) for name, one in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_to_plain(one) for one in value]
    return value if isinstance(value, str | int | float | bool) or value is None else str(value)


def _iterate_entries(path: SettingPath, value: Any) -> Iterator[tuple[SettingPath, Any]]:
    """The entries of a mapping, each by itself: they may be from several files. Any other value as a whole."""
    if isinstance(value, dict) and value:
        for name, one in value.items():
            yield from _iterate_entries((*path, name), one)
    else:
        yield path, value


def _is_secret_entry(name: str, path: SettingPath) -> bool:
    inner = path[name.count(".") + 1 :]
    return name not in _COLUMN_MAPPINGS and any(isinstance(part, str) and is_secret_name(part) for part in inner)


def _mask_named_secrets(value: Any) -> Any:
    """What is secret by its name in the mappings of a list; too short ones are known to nobody."""
    if isinstance(value, dict):
        masked = {name: MASK for name, one in value.items() if is_secret_name(str(name)) and one is not None}
        return {name: masked.get(name, _mask_named_secrets(one)) for name, one in value.items()}
    return [_mask_named_secrets(one) for one in value] if isinstance(value, list) else value


def _mask_sensitive(settings: Settings, name: str, value: Any) -> Any:
    """Values of columns in `source.sensitive` that conditions name are not shown."""
    if name == "source.where" and isinstance(value, list):
        hidden = settings.source.sensitive
        return [{**one, "value": MASK} if one.get("column") in hidden and "value" in one else one for one in value]
    is_hidden = (name == "labels.positive" or name.startswith("labels.positive.")) and value is not None
    return MASK if is_hidden and settings.labels.truth in settings.source.sensitive else value
