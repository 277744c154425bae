"""Judges the config of a job as far as files tell: all faults at once, and what is likely to be a mistake."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from sparkscore.errors import ConfigError
from sparkscore.gate.suite_loading import load_suite
from sparkscore.model.registry.model_uri import parse_model_uri
from sparkscore.settings import Settings
from sparkscore.settings.config_faults import ConfigFault, find_config_faults
from sparkscore.settings.identity_overrides import find_identity_overrides
from sparkscore.settings.layers import is_uri
from sparkscore.settings.scalar_texts import dotted_path
from sparkscore.settings.setting_layers import SettingLayers
from sparkscore.settings.setting_listing import SettingPath, find_setting_origin
from sparkscore.settings.setting_origins import SettingOrigins
from sparkscore.spark.identifiers import parse_table_ref


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
    _, origins = SettingLayers.read(Settings, files, flags).merge()
    found = [*_find_name_faults(settings, origins), *_find_suite_faults(settings, origins)]
    overrides = find_identity_overrides(files, flags)
    warnings = [
        f"{file} sets {name}, which makes another run of it: the same as_of is not the same in each environment"
        for file, name in overrides
    ]
    return ConfigVerdict(tuple(found), tuple(warnings), None if found else settings)


def _find_name_faults(settings: Settings, origins: SettingOrigins) -> Iterator[ConfigFault]:
    """Names of tables and models that are none."""
    tables: dict[SettingPath, str | None] = {
        ("source", "table"): None if settings.source.is_landed else settings.source.table,
        ("output", "table"): settings.output.table,
        ("labels", "table"): settings.labels.table,
        ("shadow", "against"): settings.shadow.against,
    }
    models: dict[SettingPath, str] = {}
    if not settings.model.by:  # else they are templates
        models |= {} if settings.llm.is_used else {("model", "uri"): settings.model.uri}
        models |= {("challengers", at, "uri"): one.uri for at, one in enumerate(settings.challengers)}
    parse_table = partial(parse_table_ref, home=settings.home_uri)
    named: list[tuple[SettingPath, Callable[[], object]]] = [
        *((path, partial(parse_table, name)) for path, name in tables.items() if name is not None),
        *((path, partial(parse_model_uri, uri)) for path, uri in models.items()),
    ]
    for path, parse in named:
        try:
            parse()
        except ConfigError as error:
            yield _to_fault(error, origins, path)


def _find_suite_faults(settings: Settings, origins: SettingOrigins) -> Iterator[ConfigFault]:
    for name, suite in (("input", settings.gate.input), ("output", settings.gate.output)):
        if suite is None or is_uri(suite):
            continue
        try:
            load_suite(suite, home=settings.home_uri)
        except ConfigError as error:
            yield _to_fault(error, origins, ("gate", name))


def _to_fault(error: ConfigError, origins: SettingOrigins, path: SettingPath) -> ConfigFault:
    origin, name = find_setting_origin(origins, path), dotted_path(path)
    return ConfigFault(origin.name, origin.line, name, f"{name}: {error.found}", error.expected, error.do)
