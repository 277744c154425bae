"""A driver that is killed with its JVM and its workers: nothing is paid twice but what was under way."""

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from tests.workloads.endpoints.misbehaving_server import MODEL, complete, serving, wait

pytestmark = pytest.mark.slow

ROWS, OPEN = 60, 4


def test_what_was_answered_before_the_driver_was_killed_is_not_paid_again(tmp_path: Path) -> None:
    texts = tmp_path / "texts.jsonl"
    texts.write_text("".join(json.dumps({"id": n, "text": f"row {n}"}) + "\n" for n in range(ROWS)))
    with serving(lambda asked: wait(0.3, complete())) as script:
        flags = {
            "job": "killed",
            "source.table": texts,
            "source.format": "json",
            "source.schema": "id bigint, text string",
            "source.keys": "[id]",
            "output.table": "answers",
            "llm.base_url": script.url,
            "llm.model": MODEL,
            "llm.prompt": "Say {text}",
            "llm.executor_concurrency": OPEN,
        }
        words = [f"--{name}={value}" for name, value in flags.items()]
        command = [str(Path(sys.executable).with_name("sparkscore")), "score", "--as-of", "2026-01-31", *words]
        environ = {name: value for name, value in os.environ.items() if name != "PYSPARK_SUBMIT_ARGS"}
        environ["SPARKSCORE_HOME"] = str(tmp_path / "home")
        with (tmp_path / "log").open("wb") as log:
            driver = subprocess.Popen(command, env=environ, stdout=log, stderr=log, start_new_session=True)
            deadline = time.monotonic() + 300
            while len(script.paid) < ROWS // 2:
                assert driver.poll() is None, (tmp_path / "log").read_text()
                assert time.monotonic() < deadline
                time.sleep(0.05)
            os.killpg(driver.pid, signal.SIGKILL)
            driver.wait()
        paid = len(script.paid)
        done = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=400, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    counts = json.loads(done.stdout.splitlines()[-1])["model_counts"]
    twice = [prompt for prompt, times in Counter(asked.prompt for asked in script.paid).items() if times > 1]
    assert ROWS // 2 <= paid < ROWS
    assert len(twice) <= OPEN
    assert len(script.paid) <= ROWS + OPEN
    assert counts["recovered_answers"] >= paid - OPEN
    assert counts["requests"] + counts["recovered_answers"] == ROWS
