"""What a verb is: its words on the command line, its help, and what it does."""

from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class CommandOutcome:
    """How a command ended that did not fail by an error."""

    exit_code: int
    line: str
    """The result, as JSON."""


def add_no_arguments(_: ArgumentParser) -> None:
    """A command that has no flags but those that all share."""


@dataclass(frozen=True, slots=True)
class Command:
    """A verb, or a subcommand of one. A verb with subcommands that are all required has no `execute` of its own."""

    summary: str
    examples: str
    """What `--help` shows last: `{program}` stands for the command."""
    execute: Callable[[Namespace], str | CommandOutcome] | None
    """Runs the command; gives its result line, with an outcome where the exit code may not be 0."""
    add_arguments: Callable[[ArgumentParser], None] = add_no_arguments
    subcommands: Mapping[str, "Command"] = field(default_factory=dict)
    """By name. Their flags may stand before the name, too: give the verb those that they do not all share."""
    hidden_settings: frozenset[str] = frozenset()
    """Settings without a flag: the verb has another flag of that name."""
