"""The page of the command line, from the table of verbs."""

import argparse
from collections.abc import Iterator

from ci.reference.markdown import escape_words, format_code, format_page, format_table

from sparkscore.cli.command import Command
from sparkscore.cli.command_parser import CommandParser
from sparkscore.cli.completion import USAGE
from sparkscore.cli.main import COMMANDS, CONSOLE_VERBS, VERBS
from sparkscore.cli.setting_flags import is_setting_flag

_INTRODUCTION = """\
`./spark-submit.sh jobs/<command>.py` and, in an environment where the package is installed, `sparkscore
<command>` take the same arguments. Every [setting](settings.md) is a flag of every command, too. `--help` shows
the same as this page, with all settings. {0} are commands of the console alone: they never start Spark."""
_SHARED = frozenset({"config", "result", "debug"})
_HEADER = ("argument", "required", "meaning")


def build_command_page() -> str:
    """The page."""
    shared = [action for action in list_arguments("score", VERBS["score"]) if action.dest in _SHARED]
    parts = ["## Arguments of all commands", _format_arguments(shared)]
    for name, command in COMMANDS.items():
        parts += _format_command(name, command, level=2)
    parts += ["## `sparkscore completion`", f"```text\n{USAGE}\n```"]
    console = " and ".join(format_code(name) for name in (*CONSOLE_VERBS, "completion"))
    return format_page("Command line", [_INTRODUCTION.format(console), *parts])


def list_arguments(name: str, command: Command) -> list[argparse.Action]:
    """The arguments of a command but its settings, in the order of its help."""
    parser = CommandParser(f"sparkscore {name}", command)
    left_out = (argparse._HelpAction, argparse._SubParsersAction)  # noqa: SLF001  argparse has no other way to ask
    return [one for one in parser._actions if not isinstance(one, left_out) and not is_setting_flag(one)]  # noqa: SLF001


def _format_command(name: str, command: Command, *, level: int) -> Iterator[str]:
    own = [action for action in list_arguments(name, command) if action.dest not in _SHARED]
    yield f"{'#' * level} `sparkscore {name}`"
    yield escape_words(command.summary[:1].upper() + command.summary[1:]) + "."
    yield _format_arguments(own) if own else ""
    yield f"```text\n{command.examples.format(program=f'sparkscore {name}')}\n```"
    for inner, subcommand in command.subcommands.items():
        yield from _format_command(f"{name} {inner}", subcommand, level=level + 1)


def _format_arguments(actions: list[argparse.Action]) -> str:
    return format_table(_HEADER, [_format_argument(action) for action in actions])


def _format_argument(action: argparse.Action) -> tuple[str, ...]:
    value = "" if action.nargs == 0 else str(action.metavar or action.dest.upper())
    words = " ".join([*action.option_strings, value]).strip()
    needed = action.required and action.nargs != "?"
    return format_code(words), "yes" if needed else "no", escape_words((action.help or "").replace("%%", "%"))
