"""`sparkscore completion SHELL`: the one command whose stdout is a script, and no result line."""

import difflib
from collections.abc import Mapping, Sequence

from sparkscore.cli.command import Command
from sparkscore.cli.completion_scripts import SCRIPT_WRITERS
from sparkscore.cli.completion_words import CommandWords, collect_command_words, collect_setting_words
from sparkscore.errors import ConfigError

SUMMARY = "the script by which bash, zsh or fish complete verbs, flags and settings"
USAGE = f"""usage: sparkscore completion bash|zsh|fish

{SUMMARY}

examples:
  eval "$(sparkscore completion bash)"                                           # in ~/.bashrc
  eval "$(sparkscore completion zsh)"                                            # in ~/.zshrc, after compinit
  sparkscore completion fish > ~/.config/fish/completions/sparkscore.fish"""


def build_completion_script(words: Sequence[str], verbs: Mapping[str, Command]) -> str:
    """The script for the shell that the words name.

    Raises:  ConfigError for anything but the name of one shell.
    """
    shells = list(SCRIPT_WRITERS)
    if len(words) != 1 or words[0] not in SCRIPT_WRITERS:
        near = difflib.get_close_matches(words[0], shells, n=1) if words else []
        hint = f" (did you mean {near[0]}?)" if near else ""
        raise ConfigError(
            f"completion of {words[0]!r}{hint}" if len(words) == 1 else f"completion with {len(words)} words",
            f"one of {', '.join(shells)}",
            "sparkscore completion --help",
        )
    itself = CommandWords("completion", SUMMARY, (), choices=tuple(shells), takes_settings=False)
    return SCRIPT_WRITERS[words[0]]([*collect_command_words(verbs), itself], collect_setting_words())
