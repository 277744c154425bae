"""Finds everything that is wrong with the config of a job, at once: `Settings.load` raises the first kind of fault."""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from sparkscore.errors import ConfigError
from sparkscore.settings.job_settings import PROMPT_TEMPLATES, Settings
from sparkscore.settings.layers import iterate_setting_fields, merge_layers, refuse_templates
from sparkscore.settings.scalar_texts import dotted_path, refuse_other_numbers
from sparkscore.settings.setting_layers import (
    SettingLayers,
    read_file_layer,
    read_flags_layer,
    read_variables_layer,
)
from sparkscore.settings.setting_origins import SettingOrigins
from sparkscore.settings.setting_secrets import register_layer_secrets
from sparkscore.settings.setting_variables import select_setting_variables
from sparkscore.settings.settings_errors import Mistake, find_mistakes
from sparkscore.settings.yaml_lines import find_line, locate_setting_lines


@dataclass(frozen=True, slots=True)
class ConfigFault:
    """One thing that is wrong with the config of a job."""

    origin: str
    """The file, variable or flag that gives it; empty where several do."""
    line: int | None
    """In the file."""
    setting: str
    """Its dotted name; empty where a whole file is wrong."""
    found: str
    expected: str
    do: str

    @property
    def location(self) -> str:
        """`conf/prod.yaml:7`."""
        return f"{self.origin}:{self.line}" if self.line is not None else self.origin


def find_config_faults(
    files: Sequence[str | Path], flags: Mapping[str, str], environ: Mapping[str, str] | None = None
) -> list[ConfigFault]:
    """Every fault of the files, the environment and the flags; empty for settings that `Settings.load` takes."""
    found = _CollectedFaults()
    known = dict(os.environ if environ is None else environ)
    layers = [found.try_to(_read_config_layer, file, str(file)) for file in files]
    lost_files = bool(found.faults)
    variables: dict[str, str] = {}
    for name, value in sorted(known.items()):
        variables |= found.try_to(_select_variables, {name: value}, name)
    found.try_to(_select_variables, variables, "")
    layers.append(_read_each(found, variables, _read_variables, str))
    layers.append(_read_each(found, flags, _read_flags, "--{}".format))
    for layer in layers:
        register_layer_secrets(layer)
    merged, origins = SettingLayers(files, variables, flags, layers).merge()
    found.faults += _find_template_faults(merged, origins)
    found.faults += [
        _locate_mistake(one, files)
        for one in _find_setting_mistakes(merged, origins)
        if not (lost_files and one.found.endswith(" is missing"))  # it may stand in the file that cannot be read
    ]
    found.faults += _find_number_faults(origins)
    return list(dict.fromkeys(found.faults))


@dataclass(slots=True)
class _CollectedFaults:
    faults: list[ConfigFault] = field(default_factory=list)

    def try_to(self, read: Callable[[Any], dict[str, Any]], given: Any, origin: str) -> dict[str, Any]:
        """What is read; nothing where it is a fault, which is kept."""
        try:
            return read(given)
        except ConfigError as error:
            found = error.found.removeprefix(f"{origin}: ")
            self.faults.append(ConfigFault(origin, None, "", found, error.expected, error.do))
            return {}


def _read_each(
    found: _CollectedFaults,
    given: Mapping[str, str],
    read: Callable[[Any], dict[str, Any]],
    spell: Callable[[str], str],
) -> dict[str, Any]:
    """The layer of variables or flags without those that are wrong."""
    return merge_layers([found.try_to(read, {name: text}, spell(name)) for name, text in given.items()])


def _read_config_layer(file: str | Path) -> dict[str, Any]:
    return read_file_layer(Settings, Path(file))


def _select_variables(given: Mapping[str, str]) -> dict[str, Any]:
    return dict(select_setting_variables(Settings, given))


def _read_variables(given: Mapping[str, str]) -> dict[str, Any]:
    return read_variables_layer(Settings, given)


def _read_flags(given: Mapping[str, str]) -> dict[str, Any]:
    return read_flags_layer(Settings, given)


def _find_template_faults(merged: Mapping[str, Any], origins: SettingOrigins) -> Iterator[ConfigFault]:
    for name, _ in iterate_setting_fields(Settings):
        path, value = tuple(name.split(".")), _value_at(merged, name)
        try:
            refuse_templates(value, name, allowed=PROMPT_TEMPLATES)
        except ConfigError as error:
            origin = origins.find_origin(path)
            yield ConfigFault(origin, _line_in(origin, path), name, error.found, error.expected, error.do)


def _find_number_faults(origins: SettingOrigins) -> Iterator[ConfigFault]:
    for path, scalar in origins.texts.items():
        try:
            refuse_other_numbers({path: scalar})
        except ConfigError as error:
            origin, found = origins.find_origin(path), error.found.removeprefix(f"{scalar.location}: ")
            yield ConfigFault(origin, _line_in(origin, path), dotted_path(path), found, error.expected, error.do)


def _value_at(merged: Mapping[str, Any], name: str) -> Any:
    value: Any = merged
    for part in name.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return value


def _find_setting_mistakes(merged: Mapping[str, Any], origins: SettingOrigins) -> list[Mistake]:
    try:
        Settings(**merged)
    except ValidationError as error:
        found = find_mistakes(Settings, error, origins)
        return _find_misfits(merged) if _is_about_whole(error) and len(error.errors()) == 1 else found
    return []


def _is_about_whole(error: ValidationError) -> bool:
    return all(one["loc"] == () and one["type"] == "value_error" for one in error.errors())


def _find_misfits(merged: Mapping[str, Any]) -> list[Mistake]:
    """What does not fit together in settings that are right each by itself: pydantic ends at the first."""
    given: Any = dict(merged)
    checks = getattr(Settings, "__pydantic_decorators__").model_validators  # noqa: B009  no other way to ask
    found = []
    for name in (name for name, one in checks.items() if one.info.mode == "before"):
        try:
            given = getattr(Settings, name)(given)
        except ValueError as error:
            return [_to_misfit(error)]
    values = {
        name: TypeAdapter[Any](info.annotation).validate_python(given[name])
        for name, info in Settings.model_fields.items()
        if name in given and info.annotation is not None
    }
    settings = Settings.model_construct(_fields_set=set(values), **values)
    for name in (name for name, one in checks.items() if one.info.mode == "after"):
        try:
            getattr(settings, name)()
        except ValueError as error:
            found.append(_to_misfit(error))
    return found


def _to_misfit(error: ValueError) -> Mistake:
    return Mistake("", str(error), "settings that fit together", "change one of them")


def _locate_mistake(mistake: Mistake, files: Sequence[str | Path]) -> ConfigFault:
    origin = mistake.origin if mistake.path or len(files) != 1 else str(files[0])
    return ConfigFault(
        origin,
        _line_in(origin, mistake.path),
        dotted_path(mistake.path),
        mistake.found,
        mistake.expected,
        mistake.do,
    )


def _line_in(origin: str, path: Sequence[str | int]) -> int | None:
    return find_line(locate_setting_lines(origin), path) if path and Path(origin).is_file() else None
