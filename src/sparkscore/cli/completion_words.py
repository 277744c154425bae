"""What a shell may complete: verbs, their subcommands and flags, settings, and the words that these take."""

import argparse
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args, get_origin

from sparkscore.cli.command import Command
from sparkscore.cli.command_parser import CommandParser
from sparkscore.cli.setting_flags import is_setting_flag
from sparkscore.settings import Settings
from sparkscore.settings.layers import iterate_setting_fields

_FILE_METAVARS = frozenset({"FILE", "DIR", "FOLDER", "PATH"})


@dataclass(frozen=True, slots=True)
class FlagWords:
    """A flag."""

    name: str
    summary: str
    takes_value: bool
    takes_file: bool = False
    choices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CommandWords:
    """A verb, or a subcommand of one."""

    name: str
    summary: str
    flags: tuple[FlagWords, ...]
    """Its own; settings are not among them."""
    subcommands: tuple["CommandWords", ...] = ()
    choices: tuple[str, ...] = ()
    """What may stand after it that is no flag."""
    takes_settings: bool = True


def collect_command_words(verbs: Mapping[str, Command]) -> tuple[CommandWords, ...]:
    """The words of each verb."""
    return tuple(_describe_command(name, verb) for name, verb in verbs.items())


def collect_setting_words() -> tuple[FlagWords, ...]:
    """A flag for each setting."""
    return tuple(
        FlagWords(
            f"--{name}",
            info.description or "",
            takes_value=True,
            takes_file=_is_path(info.json_schema_extra),
            choices=_list_choices(info.annotation),
        )
        for name, info in iterate_setting_fields(Settings)
    )


def _describe_command(name: str, command: Command) -> CommandWords:
    parser = CommandParser(f"sparkscore {name}", command)
    actions = [one for one in parser._actions if one.option_strings and not is_setting_flag(one)]  # noqa: SLF001
    positional = [one for one in parser._actions if not one.option_strings and one.dest != "subcommand"]  # noqa: SLF001
    return CommandWords(
        name.rpartition(" ")[2],
        command.summary,
        tuple(_describe_action(one) for one in actions),
        tuple(_describe_command(f"{name} {inner}", one) for inner, one in command.subcommands.items()),
        tuple(str(word) for one in positional for word in one.choices or ()),
        command.takes_settings,
    )


def _describe_action(action: argparse.Action) -> FlagWords:
    return FlagWords(
        action.option_strings[-1],
        (action.help or "").replace("%%", "%"),
        takes_value=action.nargs != 0,
        takes_file=str(action.metavar) in _FILE_METAVARS,
        choices=tuple(map(str, action.choices or ())),
    )


def _is_path(extra: object) -> bool:
    return isinstance(extra, dict) and bool(extra.get("path"))


def _list_choices(annotation: Any) -> tuple[str, ...]:
    if annotation is bool:
        return ("true", "false")
    if get_origin(annotation) is Literal:
        return tuple(map(str, get_args(annotation)))
    if get_origin(annotation) in (tuple, dict, list):
        return ()
    return tuple(dict.fromkeys(word for inner in get_args(annotation) for word in _list_choices(inner)))
