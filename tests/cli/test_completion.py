"""Completion, as the shells do it themselves: no Python starts when Tab is pressed."""

import shutil
import subprocess
from pathlib import Path

import pytest

from sparkscore.cli.main import COMMANDS, run_console
from sparkscore.errors import ConfigError
from sparkscore.settings import Settings
from sparkscore.settings.layers import iterate_setting_fields

_ASK_BASH = """\
source "$1"; shift
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1))
$(complete -p sparkscore | sed 's/.*-F \\([^ ]*\\) .*/\\1/')
printf '%s\\n' "${COMPREPLY[@]}"
"""


def script(shell: str, folder: Path, capfd: pytest.CaptureFixture[str]) -> Path:
    capfd.readouterr()
    run_console(["completion", shell])
    file = folder / f"completion.{shell}"
    file.write_text(capfd.readouterr().out)
    return file


@pytest.fixture
def bash(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> Path:
    return script("bash", tmp_path, capfd)


def ask_bash(file: Path, *words: str) -> list[str]:
    run = subprocess.run(
        ["bash", "--norc", "-c", _ASK_BASH, "bash", str(file), "sparkscore", *words],
        capture_output=True,
        text=True,
        check=True,
        cwd=file.parent,
    )
    assert run.stderr == ""
    return run.stdout.split()


def test_bash_completes_verbs(bash: Path) -> None:
    assert ask_bash(bash, "sco") == ["score"]
    assert set(ask_bash(bash, "")) == {*COMMANDS, "completion"}


def test_bash_completes_flags_of_the_verb_and_no_others(bash: Path) -> None:
    assert ask_bash(bash, "score", "--as") == ["--as-of"]
    assert ask_bash(bash, "maintain", "--as") == []
    assert ask_bash(bash, "check-sla", "--conf") == ["--config"]


def test_bash_completes_subcommands_and_their_flags_wherever_they_stand(bash: Path) -> None:
    assert ask_bash(bash, "gate", "sug") == ["suggest"]
    assert ask_bash(bash, "config", "--json", "ch") == ["check"]
    assert "--changed" in ask_bash(bash, "config", "--config", "a", "show", "--ch")
    assert "--changed" not in ask_bash(bash, "config", "check", "--ch")


def test_bash_completes_every_dotted_setting(bash: Path) -> None:
    offered = set(ask_bash(bash, "score", "--"))
    assert {f"--{name}" for name, _ in iterate_setting_fields(Settings)} <= offered
    assert ask_bash(bash, "score", "--scoring.tra") == ["--scoring.transport"]


def test_bash_completes_words_that_a_setting_takes(bash: Path) -> None:
    assert ask_bash(bash, "score", "--scoring.transport", "a") == ["auto", "arrow"]
    assert ask_bash(bash, "score", "--drift.fail", "") == ["true", "false"]
    assert ask_bash(bash, "completion", "f") == ["fish"]


def test_bash_completes_files_where_a_file_is_meant(bash: Path) -> None:
    (bash.parent / "job.yaml").touch()
    assert ask_bash(bash, "score", "--config", "jo") == ["job.yaml"]
    assert ask_bash(bash, "score", "--as-of", "jo") == []


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_other_shells_take_their_script(shell: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"there is no {shell} on this machine")
    file = script(shell, tmp_path, capfd)
    subprocess.run([shell, "-n", str(file)], check=True)


def test_fish_completes_verbs_settings_and_their_words(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    if shutil.which("fish") is None:
        pytest.skip("there is no fish on this machine")
    file = script("fish", tmp_path, capfd)

    def ask(line: str) -> list[str]:
        command = f"source {file}; complete -C '{line}'"
        run = subprocess.run(["fish", "--no-config", "-c", command], capture_output=True, text=True, check=True)
        return [one.partition("\t")[0] for one in run.stdout.splitlines()]

    assert ask("sparkscore sco") == ["score"]
    assert ask("sparkscore score --scoring.tra") == ["--scoring.transport"]
    assert ask("sparkscore score --scoring.transport a") == ["arrow", "auto"]
    assert "check" in ask("sparkscore config ")


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_every_verb_and_every_setting_is_in_every_script(
    shell: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    text = script(shell, tmp_path, capfd).read_text()
    assert all(name in text for name in COMMANDS)
    assert all(name in text for name, _ in iterate_setting_fields(Settings))


@pytest.mark.parametrize("words", [("bsh",), (), ("bash", "zsh")])
def test_another_word_is_refused_with_the_shells(words: tuple[str, ...], capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        run_console(["completion", *words])
    assert caught.value.code == ConfigError.exit_code
    shown = capfd.readouterr()
    assert shown.out == ""
    assert "one of bash, zsh, fish" in shown.err


def test_help_says_where_the_script_goes(capfd: pytest.CaptureFixture[str]) -> None:
    run_console(["completion", "--help"])
    assert 'eval "$(sparkscore completion bash)"' in capfd.readouterr().out
