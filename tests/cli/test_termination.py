"""SIGTERM of a process that drives Spark itself, and of one that has not started it, in each phase of a start."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from sparkscore.cli import termination
from sparkscore.errors import SessionLost, TemporaryError
from tests.faults.points import eventually

STUCK = """
import ctypes, sys, types
from sparkscore.cli import termination
termination._RESULT_S = 0.1
termination.end_jvm_on_sigterm()
{jvm}
print("ready", flush=True)
while True:
    ctypes.CDLL(None).sleep(60)  # where no handler of Python's runs
"""
WITH_JVM = """
import subprocess
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(300)"])
print(child.pid, flush=True)
gateway = types.SimpleNamespace(proc=child)
sys.modules["pyspark"] = types.SimpleNamespace(SparkContext=types.SimpleNamespace(_gateway=gateway))
"""
ON_ITS_WAY = WITH_JVM.partition("gateway")[0]
SLOW_JVM = """
import os, signal, sys, time
def end(*_):
    time.sleep(1)
    os.write(1, b"the JVM ends\\n")  # print may be what the signal has interrupted
    sys.exit()
signal.signal(signal.SIGTERM, end)
print("ready", flush=True)
time.sleep(300)
"""
TELLS = f"""
import subprocess, sys, types
from sparkscore.cli import main, termination
def tell(verb, argv):
    child = subprocess.Popen([sys.executable, "-c", {SLOW_JVM!r}])
    gateway = types.SimpleNamespace(proc=child)
    sys.modules["pyspark"] = types.SimpleNamespace(SparkContext=types.SimpleNamespace(_gateway=gateway))
    termination._terminated.wait(120)
    print("told", flush=True)
    return 75
main.run_verb = tell
sys.argv = ["job"]
main.main("score")
"""


@pytest.mark.parametrize("jvm", ["", WITH_JVM, ON_ITS_WAY])
def test_it_ends_with_143_wherever_python_is_and_its_jvm_before_it(jvm: str) -> None:
    command = [sys.executable, "-c", STUCK.format(jvm=jvm)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        lines = [process.stdout.readline().strip() for _ in range(2 if jvm else 1)]
        assert lines[-1] == "ready"
        process.send_signal(signal.SIGTERM)
        assert process.wait(120) == 143
        assert process.stdout.read() == ""  # nobody else holds it


def test_a_job_tells_its_result_and_ends_with_143_when_its_jvm_has_ended() -> None:
    with subprocess.Popen([sys.executable, "-c", TELLS], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(signal.SIGTERM)
        assert process.wait(120) == 143
        assert process.stdout.read() == "told\nthe JVM ends\n"


JOB = "job: j\nsource: {table: t, keys: [id]}\nmodel: {uri: models:/m@c}\noutput: {table: p}\n"
SHADOW = ("score", "--as-of", "2013-12-31", "--shadow")
FAKE_JAVA = """\
#!/bin/sh
case "$*" in
*launcher.Main*) [ "$STOPS_AT" = launcher ] || exec "$REAL_JAVA" "$@" ;;
esac
echo $$ >"$REACHED"
exec sleep 60
"""
"""Java that gets as far as the phase of a start that a test is about."""
SLOW_IMPORT = """
import sys, time
from pathlib import Path
class Slow:
    def find_spec(self, name, *_):
        if name == {name!r}:
            Path({reached!r}).touch()
            time.sleep(600)  # holding the lock of all imports
sys.meta_path.insert(0, Slow())
sys.argv = ["sparkscore", *{words!r}]
from sparkscore.cli.main import run_console
run_console()
"""


STARTING = """
import json, os, signal, sys
from pyspark.core.context import SparkContext
original = SparkContext._do_init
def make_context(self, *given, **options):
    victim = {victim}
    os.kill(victim, signal.SIGTERM)
    if victim != os.getpid():
        self._gateway.proc.wait()
    original(self, *given, **options)
SparkContext._do_init = make_context
sys.argv = ["sparkscore", *{words!r}]
from sparkscore.cli.main import run_console
run_console()
"""
"""The JVM is there, and the session is not yet."""


@contextmanager
def started(command: list[str], log: Path, environ: Mapping[str, str]) -> Iterator["subprocess.Popen[bytes]"]:
    """A process in a group of its own, as `timeout` and schedulers start one."""
    known = {name: value for name, value in os.environ.items() if not name.startswith(("PYSPARK_", "SPARK"))}
    with log.open("wb") as out:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, env=known | dict(environ), start_new_session=True
        )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def end(process: "subprocess.Popen[bytes]", *, whole_group: bool) -> int:
    """Send SIGTERM as a scheduler does, to the process, or as `timeout` does, to its group; what a shell sees then."""
    if whole_group:
        os.killpg(process.pid, signal.SIGTERM)
    else:
        process.terminate()
    code = process.wait(120)
    return 128 - code if code < 0 else code


@pytest.mark.parametrize(
    ("name", "whole_group"),
    [
        ("sparkscore.cli.config_verb", True),
        ("sparkscore.settings.job_settings", False),
        ("pyspark.sql", False),
        ("pyspark.sql", True),
    ],
)
def test_it_ends_with_143_while_modules_are_imported(name: str, whole_group: bool, tmp_path: Path) -> None:
    reached, config = tmp_path / "reached", tmp_path / "job.yaml"
    config.write_text(JOB)
    code = SLOW_IMPORT.format(name=name, reached=str(reached), words=[*SHADOW, "--config", str(config)])
    with started([sys.executable, "-c", code], tmp_path / "log", {}) as process:
        assert eventually(lambda: reached.exists() or process.poll() is not None)
        assert end(process, whole_group=whole_group) == 143, (tmp_path / "log").read_text()


@pytest.mark.parametrize("whole_group", [False, True], ids=["process", "group"])
def test_it_ends_with_143_while_a_config_is_read(whole_group: bool, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "job.yaml")
    command = [sys.executable, "-m", "sparkscore", *SHADOW, "--config", str(tmp_path / "job.yaml")]
    with started(command, tmp_path / "log", {}) as process, open_fifo(tmp_path / "job.yaml"):
        assert end(process, whole_group=whole_group) == 143


@contextmanager
def open_fifo(fifo: Path) -> Iterator[None]:
    """A block within which somebody else has opened the other end, and gets nothing."""
    opened: list[int] = []
    waiter = threading.Thread(target=lambda: opened.append(os.open(fifo, os.O_WRONLY)), daemon=True)
    waiter.start()
    waiter.join(120)
    assert opened
    try:
        yield
    finally:
        os.close(opened[0])


@pytest.mark.parametrize("whole_group", [False, True], ids=["process", "group"])
@pytest.mark.parametrize(("words", "phase"), [(SHADOW, "launcher"), (SHADOW, "jvm"), (("maintain",), "jvm")])
def test_it_ends_with_143_while_the_jvm_is_on_its_way_and_the_jvm_with_it(
    words: tuple[str, ...], phase: str, whole_group: bool, tmp_path: Path
) -> None:
    reached, config, java = tmp_path / "reached", tmp_path / "job.yaml", tmp_path / "java" / "bin" / "java"
    config.write_text(JOB)
    java.parent.mkdir(parents=True)
    java.write_text(FAKE_JAVA)
    java.chmod(0o755)
    real = f"{os.environ['JAVA_HOME']}/bin/java" if "JAVA_HOME" in os.environ else "java"
    environ = {"JAVA_HOME": str(tmp_path / "java"), "REAL_JAVA": real, "STOPS_AT": phase, "REACHED": str(reached)}
    command = [sys.executable, "-m", "sparkscore", *words, "--config", str(config), "--home", str(tmp_path)]
    with started(command, tmp_path / "log", environ) as process:
        assert eventually(lambda: (reached.exists() and bool(reached.read_text())) or process.poll() is not None)
        assert end(process, whole_group=whole_group) == 143, (tmp_path / "log").read_text()
        if phase == "jvm" or whole_group:
            assert eventually(lambda: not Path(f"/proc/{reached.read_text().strip()}").exists())


@pytest.mark.parametrize(
    ("victim", "code"),
    [("os.getpid()", 143), pytest.param("self._gateway.proc.pid", 75, marks=pytest.mark.slow)],
    ids=["the process", "its JVM"],
)
def test_what_fails_because_the_jvm_was_ended_while_the_session_starts_says_that_a_retry_may_help(
    victim: str, code: int, tmp_path: Path
) -> None:
    config, result = tmp_path / "job.yaml", tmp_path / "result.json"
    config.write_text(JOB)
    words = [*SHADOW, "--config", str(config), "--home", str(tmp_path), "--result", str(result)]
    command = [sys.executable, "-c", STARTING.format(victim=victim, words=words)]
    with started(command, tmp_path / "log", {}) as process:
        assert process.wait(240) == code, (tmp_path / "log").read_text()
    told = json.loads(result.read_text())
    assert (told["exit_code"], told["error"]["retryable"]) == (75, True)


def test_what_fails_after_a_sigterm_says_that_a_retry_may_help(monkeypatch: pytest.MonkeyPatch) -> None:
    told = termination.name_termination(ValueError("Connection refused"))
    assert isinstance(told, ValueError)
    monkeypatch.setattr(termination, "_terminated", threading.Event())
    termination._terminated.set()
    told = termination.name_termination(ValueError("Connection refused"))
    assert isinstance(told, TemporaryError)
    assert "SIGTERM" in str(told)
    lost = SessionLost("Spark ended while publishing")
    assert termination.name_termination(lost) is lost
