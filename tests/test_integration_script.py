"""What ci/integration.sh makes of the run.sh of a system, in a repository that has only that."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

REPOSITORY = Path(__file__).parents[1]
Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A repository with the scripts and no systems."""
    root = tmp_path / "a tree"
    (root / "ci" / "integration").mkdir(parents=True)
    for name in ("ci/setup.sh", "ci/integration.sh", "ci/integration/supervise.py"):
        shutil.copy(REPOSITORY / name, root / name)
    return root


@pytest.fixture
def run(tree: Path) -> Run:
    def start(*names: str, **environment: str) -> "subprocess.CompletedProcess[str]":
        command = ["bash", str(tree / "ci" / "integration.sh"), *names]
        told = os.environ | {"SPARKSCORE_PYTHON": sys.executable} | environment
        return subprocess.run(command, env=told, capture_output=True, text=True, check=False, timeout=300)

    return start


def add_system(tree: Path, name: str, script: str) -> None:
    folder = tree / "ci" / "integration" / name
    folder.mkdir()
    (folder / "run.sh").write_text(script + "\n", encoding="utf-8")


def load_result(tree: Path, name: str) -> Any:
    results = json.loads((tree / "build" / "integration" / "results.json").read_text(encoding="utf-8"))
    return next(result for result in results if result["name"] == name)


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 240
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def is_running(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


def test_an_unknown_name_ends_with_2_and_the_names_that_are_there(tree: Path, run: Run) -> None:
    add_system(tree, "one", "true")
    add_system(tree, "two", "true")
    ended = run("three")
    assert ended.returncode == 2
    assert "there is no three; there are: one two" in ended.stderr


def test_list_names_the_systems_with_what_their_locks_pin(tree: Path, run: Run) -> None:
    add_system(tree, "one", "false")
    folder = tree / "ci" / "integration" / "one"
    (folder / "requirements.in").write_text("# why\nthing[extra]>=1\n", encoding="utf-8")
    (folder / "requirements.lock").write_text("below==9\nthing[extra]==1.2 \\\n    --hash=sha256:0\n", encoding="utf-8")
    ended = run("--list")
    assert (ended.returncode, ended.stdout.split()) == (0, ["name", "versions", "one", "thing", "1.2"])


def test_a_run_that_passes_is_in_the_table_with_its_checks_and_versions(tree: Path, run: Run) -> None:
    add_system(tree, "one", 'echo "thing 3.4" >"$INTEGRATION_WORK/versions"; echo "it was shown"; ls ci >&2')
    ended = run()
    result = load_result(tree, "one")
    assert (ended.returncode, result["outcome"]) == (0, "passed")
    assert (result["versions"], result["checks"]) == ({"thing": "3.4"}, ["it was shown"])
    assert ended.stdout.splitlines()[-1].split()[2:] == ["passed,", "1", "checks", "thing", "3.4"]


def test_a_run_that_fails_ends_with_1_and_the_others_are_run(tree: Path, run: Run) -> None:
    add_system(tree, "one", "echo 'what went wrong' >&2; exit 9")
    add_system(tree, "two", "exit 0")
    ended = run()
    assert ended.returncode == 1
    assert "what went wrong" in ended.stdout
    assert load_result(tree, "one")["remark"] == "exit code 9"
    assert load_result(tree, "two")["outcome"] == "passed"


def test_a_skipped_run_says_why_and_is_no_failure(tree: Path, run: Run) -> None:
    add_system(tree, "one", "echo 'there is no systemd here'; exit 77")
    ended = run("one")
    assert ended.returncode == 0
    assert "skipped: there is no systemd here" in ended.stdout


def test_a_run_without_an_end_is_stopped_and_failed(tree: Path, run: Run) -> None:
    add_system(tree, "one", "sleep 600")
    ended = run("one", INTEGRATION_LIMIT="0.3")
    assert ended.returncode == 1
    assert "failed: no end after 0.3 s" in ended.stdout


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux lets a process adopt orphans")
def test_a_daemon_that_a_run_leaves_is_stopped(tree: Path, run: Run) -> None:
    add_system(
        tree, "one", 'setsid bash -c "echo \\$\\$ >pid; exec sleep 600" & until [[ -s pid ]]; do sleep 0.05; done'
    )
    ended = run("one")
    assert "stopped what ci/integration/one/run.sh had left: 1" in ended.stdout
    assert not is_running(int((tree / "pid").read_text(encoding="utf-8")))


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux lets a process adopt orphans")
def test_an_interrupted_call_stops_what_runs_and_shows_its_table(tree: Path) -> None:
    add_system(tree, "one", 'echo $$ >"$PWD/pid.new"; mv pid.new pid; sleep 600')
    command = ["bash", str(tree / "ci" / "integration.sh")]
    environment = os.environ | {"SPARKSCORE_PYTHON": sys.executable}
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as called:
        wait_until((tree / "pid").exists)
        called.send_signal(signal.SIGTERM)
        said, _ = called.communicate(timeout=300)
    assert called.returncode == 143
    assert "failed: interrupted (SIGTERM)" in said
    assert not is_running(int((tree / "pid").read_text(encoding="utf-8")))
