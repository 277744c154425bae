"""Parses a command line: flags that all commands share, subcommands, help."""

import argparse
import difflib
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import redirect_stdout
from itertools import pairwise, takewhile
from typing import Any, NoReturn, TextIO

from sparkscore.cli.argument_secrets import describe_flag, describe_template, hide_web_addresses
from sparkscore.cli.command import Command
from sparkscore.cli.setting_flags import HIDDEN_VALUES, add_setting_flags, is_setting_flag
from sparkscore.errors import ConfigError
from sparkscore.monitor.screen import SteadyStream

_FLAG = re.compile(r"(--?[A-Za-z][^\s=]*)(=.*)?", re.DOTALL)

_ARGPARSE_MESSAGES = tuple(
    (re.compile(pattern, re.DOTALL), found, expected)
    for pattern, found, expected in (
        (r"argument (--\S+): expected one argument", r"\1 has no value", "a value after it"),
        (r"argument (--\S+): invalid int value: (.*)", r"\1 is \2", "a whole number"),
        (r"argument (--\S+): ignored explicit argument .*", r"\1 has a value", r"\1 alone"),
        (r"argument (--\S+): not allowed with argument (--\S+)", r"\1 together with \2", "one of them"),
        (r"argument \S+: invalid choice: (.*) \(choose from (.*)\)", r"unknown subcommand \1", r"one of \2"),
        (r"the following arguments are required: (.*)", r"\1 is missing", r"\1 with its value"),
        (r"unrecognized arguments: .*", "words that belong to no flag; one may be secret, so none is shown", "flags"),
    )
)
"""What argparse says, what was found, what was expected."""


def parse_command_arguments(
    name: str, command: Command, argv: Sequence[str], stdout: TextIO | None = None
) -> argparse.Namespace | None:
    """The arguments, with what to do in `execute`; None after --help, whose text goes to `stdout` (None: nowhere).

    Raises:  ConfigError.
    """
    unfilled = [word for word in argv if "{{" in word]
    if unfilled:
        raise ConfigError(
            f"the argument {describe_template(unfilled[0])} still holds a template",
            "a value",
            "check the scheduler's template",
        )
    parser = CommandParser(f"sparkscore {name}", command)
    if not {"--help", "-h"} & set(argv):
        parser.refuse_unknown_flags(argv)
        parser.refuse_empty_values(argv)
    steady: Any = SteadyStream(stdout)
    try:
        with redirect_stdout(steady):
            return parser.parse_args(list(argv))
    except SystemExit:
        return None


class StoreOnce(argparse.Action):
    """Stores the value of a flag that is given once: argparse would take the last one and drop the others."""

    def __call__(
        self, parser: argparse.ArgumentParser, namespace: argparse.Namespace, values: Any, option: str | None = None
    ) -> None:
        """Store the value.

        Raises:  ConfigError if the flag already has one.
        """
        earlier = getattr(namespace, self.dest, None)
        if option is not None and earlier is not None:
            both = f"{earlier} and {values}" if self.dest not in HIDDEN_VALUES else "two values that are not shown"
            raise ConfigError(
                f"{option} is given twice: {both}",
                "each flag once; only --config may be repeated",
                "remove one of them",
            )
        setattr(namespace, self.dest, values)


class _CommandHelp(argparse.RawDescriptionHelpFormatter):
    """Help with one placeholder for all settings in its usage line."""

    def add_usage(
        self,
        usage: str | None,
        actions: Iterable[argparse.Action],
        groups: Iterable[Any],
        prefix: str | None = None,
    ) -> None:
        given = list(actions)
        named = [action for action in given if not is_setting_flag(action)]
        if len(named) < len(given):
            named.append(argparse.Action(["--<setting>"], "any_setting", metavar="VALUE ..."))
        super().add_usage(usage, named, groups, prefix)


class CommandParser(argparse.ArgumentParser):
    """The parser of a verb. Wrong arguments are an error of the config: a result line and exit code 2."""

    def __init__(self, program: str, command: Command) -> None:
        super().__init__(
            prog=program,
            description=command.summary,
            epilog=command.examples.format(program=program),
            formatter_class=_CommandHelp,
            allow_abbrev=False,
        )
        self.register("action", None, StoreOnce)
        if command.takes_settings:
            self.add_argument(
                "--config",
                action="append",
                default=[],
                metavar="FILE",
                help="a YAML file of the job; later ones override, merged deeply",
            )
        self.add_argument("--result", metavar="FILE", help="also write the result line to this file")
        self.add_argument("--debug", action="store_true", help="show the stack trace of an error")
        command.add_arguments(self)
        self._add_subcommands(command)
        if command.takes_settings:
            add_setting_flags(self, hidden=command.hidden_settings)
        self.execute = command.execute
        self.arguments = argparse.Namespace()

    def _add_subcommands(self, command: Command) -> None:
        if not command.subcommands:
            return
        names = "|".join(command.subcommands)
        subparsers = self.add_subparsers(
            title="subcommands",
            dest="subcommand",
            metavar=names if command.execute is None else f"[{names}]",
            required=command.execute is None,
            parser_class=_SubcommandParser,
        )
        for name, subcommand in command.subcommands.items():
            subparsers.add_parser(
                name, help=subcommand.summary, program=f"{self.prog} {name}", command=subcommand, verb=self
            )

    def error(self, message: str) -> NoReturn:
        """Raise the fault that argparse found as a ConfigError."""
        for pattern, found, expected in _ARGPARSE_MESSAGES:
            match = pattern.fullmatch(message)
            if match is not None:
                shown = hide_web_addresses(match.expand(found))
                raise ConfigError(shown, match.expand(expected), f"{self.prog} --help") from None
        # argparse's own error quotes what was given
        raise ConfigError(hide_web_addresses(message), "flags that --help lists", f"{self.prog} --help") from None

    def refuse_empty_values(self, argv: Sequence[str]) -> None:
        """Refuse flags with an empty value, as a variable that a script did not set leaves them.

        Raises:  ConfigError.
        """
        for before, word in pairwise(["", *takewhile(lambda word: word != "--", argv)]):
            flag, assigned, value = word.partition("=")
            given = (before, word) if before in self._option_string_actions and not assigned else (flag, value)
            action = self._option_string_actions.get(given[0])
            if action is not None and action.nargs != 0 and (assigned or given[0] == before) and not given[1].strip():
                raise ConfigError(
                    f"{given[0]} is empty", "a value", "give it one, or leave it out: is a variable of the shell unset?"
                )

    def refuse_unknown_flags(self, argv: Sequence[str]) -> None:
        """Refuse flags that do not exist, before argparse takes what follows one for a subcommand.

        Raises:  ConfigError with the nearest right name of each. Values stay unseen: they may be secret.
        """
        known = self._option_string_actions
        unknown = [_describe_unknown_flag(flag, known) for flag in self._find_flags(argv) if flag not in known]
        if unknown:
            raise ConfigError("; ".join(dict.fromkeys(unknown)), "flags that --help lists", f"{self.prog} --help")

    def _find_flags(self, argv: Sequence[str]) -> Iterator[str]:
        """Words that are meant as flags. What follows a flag that takes a value is one, where it holds a space."""
        for before, word in pairwise(["", *takewhile(lambda word: word != "--", argv)]):
            found, flag = _FLAG.fullmatch(word), self._option_string_actions.get(before)
            if found is not None and not (" " in word and flag is not None and flag.nargs != 0):
                yield found[1]

    def parse_known_args(  # type: ignore[override]  # argparse has overloads for namespaces of other types
        self, args: Sequence[str] | None = None, namespace: argparse.Namespace | None = None
    ) -> tuple[argparse.Namespace, list[str]]:
        """As argparse; a subcommand's parser continues with these arguments."""
        self.arguments = argparse.Namespace() if namespace is None else namespace
        self.arguments.execute = self.execute
        return super().parse_known_args(args, self.arguments)


class _SubcommandParser(CommandParser):
    """The parser of a subcommand: it adds to the verb's arguments.

    argparse would give it arguments of its own and then copy them over the verb's: `--config a show ID --config b`
    would lose a, and a flag could be given twice.
    """

    def __init__(self, program: str, command: Command, verb: CommandParser, **_: Any) -> None:
        super().__init__(program, command)
        self.verb = verb

    def parse_known_args(  # type: ignore[override]
        self, args: Sequence[str] | None = None, namespace: argparse.Namespace | None = None
    ) -> tuple[argparse.Namespace, list[str]]:
        """As argparse, with the arguments of the verb."""
        given, rest = super().parse_known_args(args, self.verb.arguments)
        self._refuse_flags_of_others(given)
        return given, rest

    def _refuse_flags_of_others(self, given: argparse.Namespace) -> None:
        """Refuse a flag before the subcommand's name that only other subcommands take: it would do nothing."""
        own = {action.dest for action in self._actions}
        for action in self.verb._actions:  # noqa: SLF001
            is_given = getattr(given, action.dest, action.default) != action.default
            if action.option_strings and action.dest not in own and is_given:
                raise ConfigError(
                    f"{self.prog} with {action.option_strings[-1]}, which has no effect there",
                    "flags of this subcommand",
                    f"{self.prog} --help",
                )


def _describe_unknown_flag(flag: str, known: Iterable[str]) -> str:
    names = [name.lstrip("-") for name in known]
    near = difflib.get_close_matches(flag.lstrip("-"), names, n=1, cutoff=0.5)
    return f"unknown flag {describe_flag(flag)}" + (f" (did you mean --{near[0]}?)" if near else "")
