"""Whole processes, as a shell or a scheduler starts them: seconds from the start to the exit code."""

import json
import os
import shutil
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from bench.ways.quickstart_home import job_flags
from bench.ways.serve import Answer, Turn, Way, serve

ROOT = Path(__file__).resolve().parents[3]
SUBMIT, JOBS, SCRIPTS = str(ROOT / "spark-submit.sh"), ROOT / "jobs", ROOT / "ci" / "bench" / "submits"
PUBLISHED = "2013-12-31"


def start() -> Mapping[str, Way]:
    """Nothing is kept but a home in which one as_of is published, to ask questions of."""
    asked = mkdtemp(prefix="bench-shell-")
    return {
        "empty": lambda _: _answer([SUBMIT, str(SCRIPTS / "empty.py")]),
        "naive": _submit_naive,
        "score": _score_new,
        "ask": lambda turn: _ask(turn, asked),
    }


def _submit_naive(turn: Turn) -> Answer:
    options = turn["options"]
    arguments = [options["source"], options["tracking_uri"], options["uri"], str(Path(turn["out"], "flights"))]
    return _answer([SUBMIT, str(SCRIPTS / "naive.py"), *arguments])


def _score_new(turn: Turn) -> Answer:
    """A job's first run, in a home of its own."""
    home = Path(turn["home"])
    shutil.rmtree(home, ignore_errors=True)
    return _publish(turn, str(home))


def _ask(turn: Turn, home: str) -> Answer:
    question = turn["options"]["question"]
    if not Path(home, "tables").exists():
        _publish(turn, home)
    commands: Mapping[str, Sequence[str]] = {
        "already_published": _command("score", turn, home, "--as-of", PUBLISHED),
        "dry_run": _command("score", turn, home, "--as-of", PUBLISHED, "--dry-run"),
        "dry_run_new": _command("score", turn, home, "--as-of", "2014-01-01", "--dry-run"),
        "runs": _command("runs", turn, home),
        "check_sla": _command("check_sla", turn, home, "--sla.published_within_hours", "1000000"),
    }
    return _answer(commands[question])


def _command(verb: str, turn: Turn, home: str, *arguments: str) -> list[str]:
    flags = [text for name, value in job_flags(turn, home).items() for text in (f"--{name}", value)]
    return [SUBMIT, str(JOBS / f"{verb}.py"), "--config", turn["options"]["config"], *arguments, *flags]


def _answer(command: Sequence[str]) -> Answer:
    environment = {name: value for name, value in os.environ.items() if name != "PYSPARK_SUBMIT_ARGS"}
    started = time.monotonic()
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, cwd=ROOT)
    seconds = time.monotonic() - started
    if done.returncode:
        raise RuntimeError(f"{' '.join(command[:2])} ended with {done.returncode}: {done.stderr[-300:]}")
    return {"seconds": seconds, "rows": None, "output": {"kind": "none"}, "notes": {"result": done.stdout}}


def _publish(turn: Turn, home: str) -> Answer:
    answer = _answer(_command("score", turn, home, "--as-of", PUBLISHED))
    found: dict[str, Any] = json.loads(answer["notes"]["result"])
    if found["status"] != "published":
        raise RuntimeError(f"the job ended as {found['status']}")
    return answer


if __name__ == "__main__":
    serve(start)
