"""SIGTERM: what a cluster, a scheduler or a person sends first."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml

from sparkscore import backfill
from sparkscore.model.host.executor_process import Process, find_process
from tests.faults.checker import Expected
from tests.faults.children import ROOT
from tests.faults.points import eventually
from tests.faults.scene import BATCH_ROWS, ROWS, Scene, plain
from tests.world import AS_OF

SUBMITTED = ("./spark-submit.sh", "--master", "local[2,4]", "jobs/score.py")
PYTHON_FIRST = ("./spark-submit.sh", "jobs/score.py")
CONSOLE = (sys.executable, "-c", "from sparkscore.cli.main import run_console; run_console()", "score")


def below(pid: int, word: str) -> Process:
    """The one process below another whose command holds a word."""
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parent = int(folder.joinpath("stat").read_text().rpartition(")")[2].split()[1])
            if parent == pid and word in folder.joinpath("cmdline").read_text():
                return find_process(int(folder.name))
        except (OSError, ValueError):
            continue
    raise AssertionError(f"no {word} below {pid}")


@contextmanager
def in_the_middle(
    scene: Scene, command: Sequence[str], *words: str, after: int = 3
) -> Iterator[subprocess.Popen[bytes]]:
    """A job that is scoring: the model is held in its fourth batch, or a later one."""
    config = scene.world.home / "job.yaml"
    config.write_text(yaml.safe_dump(dict(plain(scene.settings()))))
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("PYSPARK_", "SPARK"))}
    environ |= {} if command[0] == sys.executable else {"SPARKSCORE_PYTHON": sys.executable}
    scene.traps.set("hold", after=after)
    log = scene.world.home / "job.log"
    with log.open("w") as out:
        given = [*command, "--config", str(config), *(words or ("--as-of", AS_OF))]
        given += ["--result", str(scene.world.home / "result.json")]
        process = subprocess.Popen(given, cwd=ROOT, env=environ, stdout=out, stderr=out, stdin=subprocess.DEVNULL)
    try:
        assert eventually(lambda: bool(scene.traps.caught()) or process.poll() is not None)
        assert process.poll() is None, log.read_text()[-3000:]
        yield process
    finally:
        process.kill()
        process.wait()


@pytest.mark.parametrize(
    ("command", "victim", "code"),
    [
        (SUBMITTED, "the job", 143),
        (PYTHON_FIRST, "the job", 143),
        pytest.param(CONSOLE, "the job", 143, marks=pytest.mark.smoke),
        pytest.param(CONSOLE, "its JVM", 75, marks=pytest.mark.smoke),
    ],
)
def test_a_job_that_is_ended_ends_wholly_and_the_next_start_closes_its_attempt_and_goes_on(
    scene: Scene, command: Sequence[str], victim: str, code: int
) -> None:
    with in_the_middle(scene, command) as process:
        other = below(process.pid, "jobs/score.py" if command == SUBMITTED else "java")
        if victim == "the job":
            process.terminate()
        else:
            other.kill()  # as a system does that runs out of memory
        assert process.wait(240) == code
        assert eventually(lambda: not other.is_alive)
        workers = [find_process(pid) for pid in scene.traps.caught()]
        assert eventually(lambda: not any(worker.is_alive for worker in workers))
    assert "BrokenPipeError" not in (scene.world.home / "job.log").read_text()
    result = json.loads((scene.world.home / "result.json").read_text())
    assert (result["status"], result["exit_code"], result["error"]["retryable"]) == ("failed", 75, True)
    assert "Spark ended" in result["error"]["message"]
    scene.traps.free()
    assert scene.world.version() == -1
    assert scene.run().attempt == 2
    assert scene.world.events() == ["started", "aborted", "started", "staged", "published"]
    scene.check()


def test_a_backfill_that_is_ended_ends_with_143_and_the_same_command_goes_on(scene: Scene) -> None:
    words = ("--from", "2013-01-01", "--to", "2013-01-04", "--source-as-it-is", "--model-as-it-is", "--parallel", "2")
    with in_the_middle(scene, (*CONSOLE[:-1], "backfill"), *words, after=3 * ROWS // BATCH_ROWS - 3) as process:
        jvm = below(process.pid, "java")
        process.terminate()
        assert process.wait(240) == 143
        assert eventually(lambda: not jvm.is_alive)
    result = json.loads((scene.world.home / "result.json").read_text())
    assert (result["status"], result["exit_code"], result["error"]["retryable"]) == ("failed", 75, True)
    told = {run["status"] for run in result["runs"]}
    assert told <= {"published", "failed", "not_started"}
    scene.traps.free()
    again = backfill(
        scene.world.spark, scene.settings(), first=words[1], last=words[3], source="as_it_is", model="as_it_is"
    )
    assert {run.status for run in again.runs} == {"already_published", "published"}
    scene.check(*[Expected(scene.rows, f"2013-01-0{day}") for day in range(1, 5)])
