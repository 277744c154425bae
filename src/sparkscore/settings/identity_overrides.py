"""Which settings of an overlay make of a job's run another one: other rows, other values, another table's owner."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from sparkscore.settings.job_settings import Settings
from sparkscore.settings.layers import merge_layers
from sparkscore.settings.scalar_texts import dotted_path, separate_texts
from sparkscore.settings.setting_layers import SettingLayers


def find_identity_overrides(files: Sequence[str | Path], flags: Mapping[str, str]) -> list[tuple[str, str]]:
    """The overlay and the dotted name of each setting by which a later file overrides what is scored, or the job.

    What a job needs and only the overlay gives is no override.

    Needs:   settings that `Settings.load` takes.
    """
    read = SettingLayers.read(Settings, files, flags)
    whole = _load_merged(read.layers)
    found = []
    for index in range(1, len(files)):
        for path in _iterate_setting_paths(read.layers[index]):
            layers = [*read.layers[:index], _drop_path(read.layers[index], path), *read.layers[index + 1 :]]
            without = _load_merged(layers)
            if whole is not None and without is not None and _identity(without) != _identity(whole):
                found.append((str(files[index]), dotted_path(path)))
    return found


def _load_merged(layers: Sequence[Mapping[str, Any]]) -> Settings | None:
    try:
        return Settings(**separate_texts(merge_layers(layers))[0])
    except ValidationError:
        return None


def _identity(settings: Settings) -> tuple[str, str]:
    return settings.job, settings.scoring_digest()


def _iterate_setting_paths(layer: Mapping[str, Any], above: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for name, value in layer.items():
        if isinstance(value, Mapping) and value:
            yield from _iterate_setting_paths(value, (*above, name))
        else:
            yield (*above, name)


def _drop_path(layer: Mapping[str, Any], path: Sequence[str]) -> dict[str, Any]:
    first, *rest = path
    if not rest:
        return {name: value for name, value in layer.items() if name != first}
    return {name: _drop_path(value, rest) if name == first else value for name, value in layer.items()}
