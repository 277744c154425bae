"""Command lines and what they become: no session starts here."""

from pathlib import Path

import pytest

from sparkscore.cli.command_parser import CommandParser, parse_command_arguments
from sparkscore.cli.main import VERBS, run_console, run_verb
from sparkscore.errors import ConfigError
from sparkscore.settings import Settings
from sparkscore.settings.layers import iterate_setting_fields

JOBS = Path(__file__).resolve().parents[2] / "jobs"
COMMANDS = [
    (name, *sub) for name, verb in VERBS.items() for sub in [(), *((subcommand,) for subcommand in verb.subcommands)]
]
"""Words of every verb and of every subcommand."""


def test_every_verb_of_the_table_is_a_job_and_every_job_a_verb() -> None:
    assert set(VERBS) == {file.stem for file in JOBS.glob("*.py")}


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_help_of_every_command_shows_an_example_and_ends_with_zero(
    words: tuple[str, ...], capfd: pytest.CaptureFixture[str]
) -> None:
    assert run_verb(words[0], [*words[1:], "--help"]) == 0
    shown = capfd.readouterr()
    assert shown.err == ""
    examples = shown.out.partition("examples:\n")[2]
    assert f"  sparkscore {' '.join(words)}" in examples


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_the_usage_line_is_short_and_has_one_word_for_all_settings(
    words: tuple[str, ...], capfd: pytest.CaptureFixture[str]
) -> None:
    run_verb(words[0], [*words[1:], "--help"])
    usage = capfd.readouterr().out.partition("\n\n")[0]
    assert usage.count("[--<setting> VALUE ...]") == 1
    assert not [name for name, _ in iterate_setting_fields(Settings) if f"--{name} VALUE" in usage]
    assert len(usage.splitlines()) <= 6


def test_settings_are_shown_by_their_groups(capfd: pytest.CaptureFixture[str]) -> None:
    run_console(["score", "--help"])
    shown = capfd.readouterr().out
    for group, description in (("source", "What is scored."), ("drift", "What the columns of a run are compared with")):
        section = shown.partition(f"settings: {group}:\n")[2].partition("settings: ")[0]
        assert section.strip().startswith(description)
        assert {word for word in section.split() if word.startswith("--")} == {
            f"--{name}" for name, _ in iterate_setting_fields(Settings) if name.startswith(f"{group}.")
        }


@pytest.mark.parametrize(
    ("command", "values"),
    [
        ("runs --config a", {"config": ["a"], "subcommand": None}),
        ("runs show 12345678 --config a", {"config": ["a"], "subcommand": "show", "run": "12345678"}),
        ("runs --config a show 12345678", {"config": ["a"], "subcommand": "show", "run": "12345678"}),
        ("runs --config a show --debug 12345678 --config=b", {"config": ["a", "b"], "run": "12345678", "debug": True}),
        ("runs --debug --home /x show 12345678", {"debug": True, "setting:home": "/x", "config": []}),
        ("rejects", {"config": [], "subcommand": None}),
        ("rejects --config a retry 12345678", {"config": ["a"], "subcommand": "retry", "run": "12345678"}),
        ("gate suggest t", {"table": "t", "suite": None}),
        ("gate suggest --suite f t", {"table": "t", "suite": "f"}),
        ("gate --suite f suggest t", {"table": "t", "suite": "f"}),
        ("gate --suite f check t --config a", {"table": "t", "suite": "f", "config": ["a"]}),
        ("gate --config a check t --suite=f", {"table": "t", "suite": "f", "config": ["a"]}),
        ("report --job --config a", {"of_job": True, "run": None}),
        ("report 12345678", {"of_job": False, "run": "12345678"}),
        ("score --as-of 2013-12-31 --home --x 1", None),
    ],
)
def test_flags_may_stand_before_and_after_a_subcommand(command: str, values: dict[str, object] | None) -> None:
    name, *words = command.split()
    if values is None:
        with pytest.raises(ConfigError):
            parse_command_arguments(name, VERBS[name], words)
        return
    args = parse_command_arguments(name, VERBS[name], words)
    assert args is not None
    assert values.items() <= vars(args).items()
    chosen = VERBS[name].subcommands.get(getattr(args, "subcommand", None) or "", VERBS[name])
    assert args.execute is chosen.execute


@pytest.mark.parametrize(
    "command",
    [
        "runs show",
        "runs hide 12345678",
        "runs show 12345678 more",
        "runs more show 12345678",
        "rejects retry",
        "gate",
        "gate flights",
        "gate suggest",
        "gate judge flights",
        "gate suggest flights more",
        "maintain more",
    ],
)
def test_wrong_words_are_refused_with_the_command_whose_help_tells_the_right_ones(command: str) -> None:
    name, *words = command.split()
    with pytest.raises(ConfigError) as caught:
        parse_command_arguments(name, VERBS[name], words)
    assert caught.value.do.startswith(f"sparkscore {name}")
    assert caught.value.do.endswith("--help")


def test_a_flag_given_once_on_each_side_of_a_subcommand_is_given_twice() -> None:
    with pytest.raises(ConfigError, match="--home is given twice: /a and /b"):
        parse_command_arguments("runs", VERBS["runs"], ["--home", "/a", "show", "12345678", "--home", "/b"])


@pytest.mark.parametrize("name", [name for name, verb in VERBS.items() if verb.subcommands])
def test_a_verb_knows_all_flags_of_its_subcommands(name: str) -> None:
    verb = CommandParser(name, VERBS[name])
    for subcommand in VERBS[name].subcommands.values():
        assert set(CommandParser(name, subcommand)._option_string_actions) <= set(verb._option_string_actions)


def test_a_parser_starts_from_nothing_each_time() -> None:
    parser = CommandParser("sparkscore runs", VERBS["runs"])
    assert parser.parse_args(["show", "12345678", "--config", "a"]).config == ["a"]
    assert parser.parse_args(["--config", "b"]).config == ["b"]


@pytest.mark.parametrize(
    ("command", "found"),
    [
        ("score --sourec.table x", "unknown flag --sourec.table (did you mean --source.table?)"),
        ("score --source.tab=x", "unknown flag --source.tab (did you mean --source.table?)"),
        ("score --as_of 2013-12-31", "unknown flag --as_of (did you mean --as-of?)"),
        ("score -config a", "unknown flag -config (did you mean --config?)"),
        ("score --threshold 0.5", "unknown flag --threshold (did you mean --output.threshold?)"),
        (
            "score --replcae --dryrun",
            "--replcae (did you mean --replace?); unknown flag --dryrun (did you mean --dry-run?)",
        ),
        ("runs --confg a show 12345678", "unknown flag --confg (did you mean --config?)"),
        ("runs show 12345678 --confg a", "unknown flag --confg (did you mean --config?)"),
        ("gate check t --siute f", "unknown flag --siute (did you mean --suite?)"),
        ("maintain --qqqqqqqqqqqq", "unknown flag --qqqqqqqqqqqq"),
    ],
)
def test_an_unknown_flag_is_refused_with_the_nearest_right_one(
    command: str, found: str, capfd: pytest.CaptureFixture[str]
) -> None:
    name, *words = command.split()
    assert run_verb(name, words) == ConfigError.exit_code
    assert found in capfd.readouterr().err


@pytest.mark.parametrize(
    "words",
    [
        ["--monitor.webhok=https://hidden"],
        ["--monitor.webhok", "https://hidden"],
        ["--debug", "--monitor.webhok=a hidden"],
    ],
)
def test_the_value_of_an_unknown_flag_is_not_shown(words: list[str], capfd: pytest.CaptureFixture[str]) -> None:
    assert run_verb("score", ["--as-of", "2013-12-31", *words]) == ConfigError.exit_code
    shown = "".join(capfd.readouterr())
    assert "did you mean --monitor.webhook?" in shown
    assert "hidden" not in shown


@pytest.mark.parametrize("value", ["-5", "-0.5", "--x y", "--x=y z", "x=--confg"])
def test_a_value_is_no_unknown_flag(value: str) -> None:
    args = parse_command_arguments("maintain", VERBS["maintain"], ["--scoring.deadline", value])
    assert args is not None
    assert vars(args)["setting:scoring.deadline"] == value


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (["--config", ""], "--config is empty"),
        (["--as-of="], "--as-of is empty"),
        (["--as-of", "2013-12-31", "--home", " "], "--home is empty"),
        (["--as-of", "2013-12-31", "--result", ""], "--result is empty"),
        (["--as-of", "2262-01-01"], "as_of 2262-01-01T00:00:00Z is a time that many readers of Parquet cannot hold"),
        (["--as-of", "yesterday"], "as_of 'yesterday' is no date or timestamp"),
        (["--as-of"], "--as-of has no value"),
        (["--config", "a"], "--as-of is missing"),
        (["--as-of", "2013-12-31", "--sample", "x"], "--sample is 'x'"),
        (["--as-of", "2013-12-31", "--dry-run=yes"], "--dry-run has a value"),
        (["--as-of", "2013-12-31", "--dry-run", "--sample", "1"], "--sample together with --dry-run"),
        (["--as-of", "2013-12-31", "hunter2"], "words that belong to no flag; one may be secret, so none is shown"),
    ],
)
def test_a_wrong_command_line_is_told_in_plain_words_before_spark_starts(words: list[str], found: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_command_arguments("score", VERBS["score"], words)
    assert caught.value.found == found
