"""The layers of a job's settings as they were read: one for each file, one of the environment, one of the flags."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from pydantic import BaseModel

from sparkscore.redaction.known_secrets import register_named_secrets
from sparkscore.settings.layers import merge_layers, read_config_file, resolve_layer_paths
from sparkscore.settings.scalar_texts import separate_texts
from sparkscore.settings.setting_origins import SettingOrigins
from sparkscore.settings.setting_secrets import register_layer_secrets
from sparkscore.settings.setting_variables import (
    flag_of,
    parse_variables_layer,
    select_setting_variables,
    to_setting_variables,
)


@dataclass(frozen=True, slots=True)
class SettingLayers:
    """What was read, before it is merged: later layers win."""

    files: Sequence[str | Path]
    variables: Mapping[str, str]
    """The environment variables that name settings."""
    flags: Mapping[str, str]
    layers: Sequence[Mapping[str, Any]]

    @classmethod
    def read(
        cls,
        settings: type[BaseModel],
        files: Sequence[str | Path],
        flags: Mapping[str, str],
        environ: Mapping[str, str] | None = None,
    ) -> Self:
        """Read all layers; what is secret in them is masked from now on.

        Raises:  ConfigError for a file that cannot be read or is ambiguous, and for a variable that names no setting.
        """
        known = os.environ if environ is None else environ
        register_named_secrets({**known, **flags})
        env = select_setting_variables(settings, known)
        loaded = [read_file_layer(settings, Path(file)) for file in files]
        loaded.append(read_variables_layer(settings, env))
        loaded.append(read_flags_layer(settings, flags))
        for layer in loaded:
            register_layer_secrets(layer)
        return cls(files, env, flags, loaded)

    def merge(self) -> tuple[dict[str, Any], SettingOrigins]:
        """The values of all layers, and which of them each is from."""
        merged, texts = separate_texts(merge_layers(self.layers))
        return merged, SettingOrigins.of_layers(self.layers, self.files, (self.variables, self.flags), texts)


def read_file_layer(settings: type[BaseModel], file: Path) -> dict[str, Any]:
    """A config file's settings; relative paths become absolute, from its folder on."""
    return resolve_layer_paths(settings, read_config_file(file), file.resolve().parent)


def read_variables_layer(settings: type[BaseModel], variables: Mapping[str, str]) -> dict[str, Any]:
    """The settings that environment variables give; relative paths begin at the current folder."""
    return resolve_layer_paths(settings, parse_variables_layer(settings, variables), Path.cwd())


def read_flags_layer(settings: type[BaseModel], flags: Mapping[str, str]) -> dict[str, Any]:
    """The settings that flags give; relative paths begin at the current folder."""
    layer = parse_variables_layer(settings, to_setting_variables(flags), spell=flag_of)
    return resolve_layer_paths(settings, layer, Path.cwd())
