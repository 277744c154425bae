"""Settings on the command line: one flag for each, grouped as in the config file."""

import argparse
from collections.abc import Collection, Sequence
from itertools import groupby
from pathlib import Path

from sparkscore.errors import ConfigError
from sparkscore.records import parse_as_of
from sparkscore.settings import Settings
from sparkscore.settings.layers import find_setting_group, iterate_setting_fields, secret_names

_PREFIX = "setting:"
HIDDEN_VALUES = frozenset(
    f"{_PREFIX}{name}" for name in (*secret_names(Settings), "source.where", "optimize.label", "labels.positive")
)
"""Destinations of flags with a secret, or with values of a column that may be in source.sensitive."""


def add_setting_flags(parser: argparse.ArgumentParser, *, hidden: Collection[str] = ()) -> None:
    """Give a parser a flag for each setting, in one group of the help for each group of the config."""
    for group, fields in groupby(iterate_setting_fields(Settings), key=lambda named: named[0].rpartition(".")[0]):
        section = parser.add_argument_group(*_describe_group(group))
        for name, info in fields:
            if name not in hidden:
                section.add_argument(
                    f"--{name}", dest=f"{_PREFIX}{name}", metavar="VALUE", help=_escape_percent(info.description or "")
                )


def is_setting_flag(action: argparse.Action) -> bool:
    """Whether a flag sets a setting."""
    return action.dest.startswith(_PREFIX)


def add_as_of_argument(parser: argparse.ArgumentParser, text: str, *, required: bool = True) -> None:
    """Add `--as-of`, which takes a time that a run may stand for: checked before Spark starts."""
    parser.add_argument("--as-of", type=_check_as_of, required=required, metavar="TIME", help=text)


def _check_as_of(text: str) -> str:
    parse_as_of(text)
    return text


def load_job_settings(args: argparse.Namespace, files: Sequence[str | Path]) -> Settings:
    """The settings of the job that the arguments name; also stores the job's name in the arguments, for a report.

    Raises:  ConfigError.
    """
    flags = setting_values(args)
    if not files and not flags:
        raise ConfigError(
            "no --config", "a YAML file that describes the job", "name one, for example --config conf/quickstart.yaml"
        )
    loaded = Settings.load(*files, flags=flags)
    args.job = loaded.job
    return loaded


def setting_values(args: argparse.Namespace) -> dict[str, str]:
    """Settings that flags give, by name."""
    return {
        name.removeprefix(_PREFIX): value
        for name, value in vars(args).items()
        if name.startswith(_PREFIX) and value is not None
    }


def _describe_group(group: str) -> tuple[str, str]:
    """Title and description of a group of settings in the help."""
    if not group:
        return "settings", "the same as in the config file; lists and mappings as YAML"
    described = find_setting_group(Settings, group).__doc__ or ""
    return f"settings: {group}", _escape_percent(described.partition("\n")[0])


def _escape_percent(text: str) -> str:
    """The text as argparse takes it literally."""
    return text.replace("%", "%%")
