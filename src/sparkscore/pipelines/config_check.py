"""Judges the config of a job as far as files tell: all faults at once, and what is likely to be a mistake."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from sparkscore.errors import ConfigError
from sparkscore.gate.suite_loading import load_suite
from sparkscore.settings import Settings
from sparkscore.settings.config_faults import ConfigFault, find_config_faults
from sparkscore.settings.identity_overrides import find_identity_overrides
from sparkscore.settings.layers import is_uri
from sparkscore.settings.setting_layers import SettingLayers
from sparkscore.settings.setting_listing import find_setting_origin


@dataclass(frozen=True, slots=True)
class ConfigVerdict:
    """What was found in a config."""

    faults: tuple[ConfigFault, ...]
    """What a run would end with 2 for."""
    warnings: tuple[str, ...]
    settings: Settings | None
    """None where there are faults."""


def check_config(files: Sequence[str | Path], flags: Mapping[str, str]) -> ConfigVerdict:
    """Every fault of the config and of the suites that it names; without Spark, registry or tables.

    Warns:   of overlays that make another run of it: another job, or other rows or values.
    Jobs:    none.
    """
    faults = find_config_faults(files, flags)
    if faults:
        return ConfigVerdict(tuple(faults), (), None)
    settings = Settings.load(*files, flags=flags)
    suites = _find_suite_faults(settings, files, flags)
    overrides = find_identity_overrides(files, flags)
    warnings = [
        f"{file} sets {name}, which makes another run of it: the same as_of is not the same in each environment"
        for file, name in overrides
    ]
    return ConfigVerdict(tuple(suites), tuple(warnings), None if suites else settings)


def _find_suite_faults(settings: Settings, files: Sequence[str | Path], flags: Mapping[str, str]) -> list[ConfigFault]:
    found = []
    _, origins = SettingLayers.read(Settings, files, flags).merge()
    for name, suite in (("input", settings.gate.input), ("output", settings.gate.output)):
        if suite is None or is_uri(suite):
            continue
        try:
            load_suite(suite, home=settings.home_uri)
        except ConfigError as error:
            origin = find_setting_origin(origins, ("gate", name))
            fault = ConfigFault(origin.name, origin.line, f"gate.{name}", error.found, error.expected, error.do)
            found.append(replace(fault, found=f"gate.{name}: {fault.found}"))
    return found
