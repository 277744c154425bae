"""Scripts by which bash, zsh and fish complete the command `sparkscore`; they start no Python when Tab is pressed."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from sparkscore.cli.completion_words import CommandWords, FlagWords

_MAX_SUMMARY = 70


def write_bash_script(commands: Sequence[CommandWords], settings: Sequence[FlagWords]) -> str:
    """For bash 3.2 and newer."""
    return "\n".join(
        [
            '# completion of sparkscore for bash: eval "$(sparkscore completion bash)"',
            "_sparkscore() {",
            '    local cur="${COMP_WORDS[COMP_CWORD]}" prev="${COMP_WORDS[COMP_CWORD-1]}"',
            '    local verb="${COMP_WORDS[1]//-/_}" sub="" word words="" settings=""',
            "    COMPREPLY=()",
            '    if [ "$COMP_CWORD" -eq 1 ]; then',
            f'        COMPREPLY=($(compgen -W {_quote_word(_join_words(one.name for one in commands))} -- "$cur"))',
            "        return",
            "    fi",
            '    case "$prev" in',
            *_value_cases(
                commands,
                settings,
                lambda words: f'COMPREPLY=($(compgen -W {_quote_word(words)} -- "$cur"))',
                'COMPREPLY=($(compgen -f -- "$cur"))',
            ),
            "    esac",
            *_find_subcommand("${COMP_WORDS[@]:2:COMP_CWORD-2}", commands),
            *_word_cases(commands),
            f'    [ -n "$settings" ] && words="$words "{_quote_word(_join_words(one.name for one in settings))}',
            '    COMPREPLY=($(compgen -W "$words" -- "$cur"))',
            "}",
            "complete -o default -F _sparkscore sparkscore",
            "",
        ]
    )


def write_zsh_script(commands: Sequence[CommandWords], settings: Sequence[FlagWords]) -> str:
    """For zsh 5 and newer: by `eval`, or as the file `_sparkscore` in a folder of `fpath`."""
    described = " ".join(_quote_word(f"{one.name}:{_shorten(one.summary)}") for one in commands)
    return "\n".join(
        [
            "#compdef sparkscore",
            "_sparkscore() {",
            '    local cur="${words[CURRENT]}" prev="${words[CURRENT-1]}"',
            '    local verb="${words[2]//-/_}" sub="" word settings=""',
            "    local -a reply_words",
            "    if (( CURRENT == 2 )); then",
            f"        local -a verbs; verbs=({described})",
            "        _describe 'verb' verbs",
            "        return",
            "    fi",
            '    case "$prev" in',
            *_value_cases(commands, settings, lambda words: f"compadd -- {words}", "_files"),
            "    esac",
            *_find_subcommand("${(@)words[3,CURRENT-1]}", commands),
            *(line.replace('words="', "reply_words=(").replace('";', ");") for line in _word_cases(commands, quote="")),
            f'    [ -n "$settings" ] && reply_words+=({_join_words(one.name for one in settings)})',
            "    compadd -- $reply_words",
            "}",
            'if [ "${funcstack[1]}" = "_sparkscore" ]; then _sparkscore "$@"; else compdef _sparkscore sparkscore; fi',
            "",
        ]
    )


def write_fish_script(commands: Sequence[CommandWords], settings: Sequence[FlagWords]) -> str:
    """For fish 3 and newer."""
    lines = ["# completion of sparkscore for fish: sparkscore completion fish | source", "complete -c sparkscore -f"]
    for verb in commands:
        lines.append(
            f"complete -c sparkscore -n __fish_use_subcommand -a {verb.name} -d {_quote_word(_shorten(verb.summary))}"
        )
        seen = f"__fish_seen_subcommand_from {verb.name}"
        lines += [
            f"complete -c sparkscore -n '{seen}' -a {inner.name} -d {_quote_word(_shorten(inner.summary))}"
            for inner in verb.subcommands
        ]
        if verb.choices:
            lines.append(f"complete -c sparkscore -n '{seen}' -a {_quote_word(_join_words(verb.choices))}")
        flags = {one.name: one for command in (verb, *verb.subcommands) for one in command.flags}
        lines += [_fish_flag(one, seen) for one in flags.values()]
    without = _join_words(one.name for one in commands if not one.takes_settings)
    here = "not __fish_use_subcommand" + (f"; and not __fish_seen_subcommand_from {without}" if without else "")
    lines += [_fish_flag(one, here) for one in settings]
    return "\n".join([*lines, ""])


SCRIPT_WRITERS: Mapping[str, Callable[[Sequence[CommandWords], Sequence[FlagWords]], str]] = {
    "bash": write_bash_script,
    "zsh": write_zsh_script,
    "fish": write_fish_script,
}
"""By shell."""


def _fish_flag(flag: FlagWords, condition: str) -> str:
    value = ""
    if flag.takes_value:
        value = (
            " -r -F"
            if flag.takes_file
            else f" -x{f' -a {_quote_word(_join_words(flag.choices))}' if flag.choices else ''}"
        )
    name = flag.name.removeprefix("--")
    return f"complete -c sparkscore -n '{condition}' -l {name}{value} -d {_quote_word(_shorten(flag.summary))}"


def _value_cases(
    commands: Sequence[CommandWords],
    settings: Sequence[FlagWords],
    offer: Callable[[str], str],
    offer_files: str,
) -> Iterator[str]:
    """What follows a flag: its words, files, or whatever a person types."""
    flags = {one.name: one for one in settings}
    flags |= {one.name: one for verb in commands for command in (verb, *verb.subcommands) for one in command.flags}
    by_words: dict[str, list[str]] = {}
    for one in flags.values():
        if one.takes_value:
            by_words.setdefault("\0" if one.takes_file else _join_words(one.choices), []).append(one.name)
    for words, names in sorted(by_words.items()):
        act = offer_files if words == "\0" else offer(words) if words else ":"
        yield f"        {'|'.join(names)}) {act}; return;;"


def _find_subcommand(typed: str, commands: Sequence[CommandWords]) -> Iterator[str]:
    """Sets `sub` to the subcommand among what was typed: flags of the verb may stand before it."""
    yield f'    for word in "{typed}"; do'
    yield '        case "$verb:$word" in'
    for verb in commands:
        if verb.subcommands:
            yield f'            {"|".join(f"{verb.name}:{one.name}" for one in verb.subcommands)}) sub="$word";;'
    yield "        esac"
    yield "    done"


def _word_cases(commands: Sequence[CommandWords], *, quote: str = '"') -> Iterator[str]:
    yield '    case "$verb:$sub" in'
    for verb in commands:
        inner = [one.name for one in verb.subcommands]
        yield _word_case(f"{verb.name}:", [*inner, *verb.choices], verb)
        for one in verb.subcommands:
            yield _word_case(f"{verb.name}:{one.name}", one.choices, one)
    yield "    esac"


def _word_case(pattern: str, first: Iterable[str], command: CommandWords) -> str:
    words = _join_words([*first, *(flag.name for flag in command.flags)])
    settings = "settings=1" if command.takes_settings else ":"
    return f'        {pattern}) words="{words}"; {settings};;'


def _join_words(words: Iterable[str]) -> str:
    return " ".join(words)


def _quote_word(text: str) -> str:
    """A word of any shell."""
    return "'" + text.replace("'", "").replace("\\", "") + "'"


def _shorten(text: str) -> str:
    """The beginning of a summary, without what shells would take for something else."""
    plain = re.sub(r"[`'\"\\$]", "", " ".join(text.split())).replace(":", " -")
    return plain if len(plain) <= _MAX_SUMMARY else plain[: _MAX_SUMMARY - 1].rstrip() + "…"
