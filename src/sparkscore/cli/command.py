"""What a verb is: its arguments, its help, and what it does."""

from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class CommandOutcome:
    """How a command ended that raised no error."""

    exit_code: int
    line: str
    """The result, as JSON."""
    then: Callable[[], None] | None = None
    """What goes on after the result is out: a server that answers."""


def add_no_arguments(_: ArgumentParser) -> None:
    """Add nothing: the command has only the flags that all commands share."""


@dataclass(frozen=True, slots=True)
class Command:
    """A verb, or a subcommand of one. A verb with subcommands that are all required has no `execute` of its own."""

    summary: str
    examples: str
    """What `--help` shows last: `{program}` stands for the command."""
    execute: Callable[[Namespace], str | CommandOutcome] | None
    """Runs the command; returns its result line, as an outcome if the exit code may differ from 0."""
    add_arguments: Callable[[ArgumentParser], None] = add_no_arguments
    subcommands: Mapping[str, "Command"] = field(default_factory=dict)
    """By name. Their flags may also stand before the name: give the verb the flags that not all of them share."""
    hidden_settings: frozenset[str] = frozenset()
    """Settings without a flag: the verb has another flag of that name."""
    takes_settings: bool = True
    """False: the verb is not about one job, and has neither `--config` nor a flag for each setting."""
