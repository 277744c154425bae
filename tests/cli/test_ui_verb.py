"""`sparkscore ui` as a process, and what it refuses before it answers anybody."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest

from sparkscore.cli.main import run_verb
from sparkscore.errors import ConfigError
from sparkscore.ui.served_jobs import JobShelf
from sparkscore.ui.web_server import open_web_server
from tests.ui.homes import JOB, list_run_events, make_run, write_events

CODE = "from sparkscore.cli.main import run_console; run_console()"
TOKEN = "a-token-of-a-test-that-is-long"
EVERYWHERE = "0.0.0.0"  # noqa: S104


@pytest.fixture
def home(tmp_path: Path) -> Path:
    write_events(tmp_path, list_run_events(make_run(0)))
    return tmp_path


@contextmanager
def started(*words: str) -> Iterator[tuple["subprocess.Popen[str]", dict[str, Any]]]:
    """The process when it listens, and its result line."""
    pipe = subprocess.PIPE
    environ = {name: value for name, value in os.environ.items() if name != "SPARKSCORE_UI_TOKEN"}
    process = subprocess.Popen(
        [sys.executable, "-c", CODE, "ui", *words], stdout=pipe, stderr=pipe, text=True, env=environ
    )
    try:
        assert process.stdout
        yield process, json.loads(process.stdout.readline())
    finally:
        process.kill()
        process.communicate()


def ask(port: int, path: str = "/") -> str:
    connection = HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request("GET", path)
    text = connection.getresponse().read().decode()
    connection.close()
    return text


def test_it_says_where_it_listens_and_ends_with_0_on_ctrl_c(home: Path) -> None:
    with started(str(home), "--port", "0") as (process, line):
        assert (line["url"], line["jobs"]) == (f"http://127.0.0.1:{line['port']}", 1)
        assert JOB in ask(line["port"])
        process.send_signal(signal.SIGINT)
        output, said = process.communicate(timeout=60)
    assert (process.returncode, output) == (0, "")
    assert line["url"] in said
    assert "Traceback" not in said


@pytest.mark.slow
def test_sigterm_ends_it_as_it_ends_every_verb(home: Path) -> None:
    with started(str(home), "--port", "0") as (process, line):
        assert JOB in ask(line["port"])
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)
    assert process.returncode == 143


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "no home folder"),
        (["{home}/nowhere"], "there is no home folder"),
        (["{home}", "--port", "70000"], "--port 70000"),
        (["{home}", "--port", "x"], "--port is 'x'"),
        (["{home}", "--port", "0", "--host", "203.0.113.9"], "cannot listen on 203.0.113.9"),
        (["{home}", "--port", "0", "--host", "a..b"], "cannot listen on a..b"),
        (["{home}", "--sla.every_hours", "24"], "--sla.every_hours without --config"),
        (["{home}", "--hots", "x"], "unknown flag --hots (did you mean --host?)"),
    ],
)
def test_what_it_cannot_do_it_says_with_2(
    words: list[str], said: str, home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SPARKSCORE_HOME", raising=False)
    assert run_verb("ui", [word.format(home=home) for word in words]) == ConfigError.exit_code
    assert said in capsys.readouterr().err


def test_the_home_may_be_that_of_the_environment(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SPARKSCORE_HOME", "/nowhere/at/all")
    assert run_verb("ui", []) == ConfigError.exit_code
    assert "there is no home folder /nowhere/at/all" in capsys.readouterr().err


def test_a_port_in_use_is_said_with_2(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        assert run_verb("ui", [str(home), "--port", str(other.getsockname()[1])]) == ConfigError.exit_code
    assert "is in use" in capsys.readouterr().err


class TestToken:
    def test_a_server_for_other_machines_makes_one(self, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("SPARKSCORE_UI_TOKEN", raising=False)
        servers = [open_web_server(JobShelf([str(home)]), host=EVERYWHERE, port=0) for _ in range(2)]
        try:
            tokens = {server.rules.token for server in servers}
            assert len(tokens) == 2
            assert all(token is not None and len(token) >= 40 for token in tokens)
            assert all(server.is_token_new for server in servers)
        finally:
            for server in servers:
                server.listener.close()

    def test_a_server_of_this_machine_asks_for_none(self, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("SPARKSCORE_UI_TOKEN", raising=False)
        server = open_web_server(JobShelf([str(home)]), host="127.0.0.1", port=0)
        server.listener.close()
        assert server.rules.token is None

    def test_the_one_of_the_variable_is_asked_for_everywhere(self, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("SPARKSCORE_UI_TOKEN", TOKEN)
        server = open_web_server(JobShelf([str(home)]), host="127.0.0.1", port=0)
        server.listener.close()
        assert (server.rules.token, server.is_token_new) == (TOKEN, False)
        assert TOKEN not in repr(server)

    def test_one_that_can_be_guessed_is_refused(self, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("SPARKSCORE_UI_TOKEN", "short")
        with pytest.raises(ConfigError, match="has 5 characters"):
            open_web_server(JobShelf([str(home)]), host="127.0.0.1", port=0)
