"""A Spark Connect server that is killed in the middle of a run, whose client may set what serverless lets one set."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.connect.connect_server import connect_server
from tests.faults.checker import Expected
from tests.faults.children import ROOT
from tests.faults.scene import ROWS, Scene, plain
from tests.faults.test_terminated import below
from tests.world import AS_OF

SCORE = "sparkscore.pipelines.scoring.staging:score_missing_rows"
PUBLISH = "sparkscore.publish.run_rows_commit:commit_run_rows"


class Client:
    """Runs verbs, each in a process that has nothing but the server's address."""

    def __init__(self, scene: Scene, address: str, log: Path) -> None:
        self.scene, self.address, self.log = scene, address, log

    def does(self, *flags: str, where: str = "", serverless: bool = True) -> tuple[int, Mapping[str, Any]]:
        """The exit code and the result line of a `score`; `where` the server is killed, if it is."""
        config, order = self.scene.world.home / "job.yaml", self.scene.world.home / "order.json"
        config.write_text(yaml.safe_dump(dict(plain(self.scene.settings()))))
        pid = below(os.getpid(), "SparkConnectServer").pid
        words = ["score", "--config", str(config), "--as-of", AS_OF, *flags]
        order.write_text(json.dumps({"words": words, "where": where, "pid": pid, "serverless": serverless}))
        environ = {name: value for name, value in os.environ.items() if not name.startswith(("PYSPARK_", "SPARK"))}
        with self.log.open("a") as out:
            command = [sys.executable, "-m", "tests.faults.connect_runner", str(order)]
            environ |= {"SPARK_REMOTE": self.address, "PYSPARK_PYTHON": sys.executable}
            subprocess.run(command, cwd=ROOT, env=environ, stdout=out, stderr=out, timeout=300, check=False)
        told = json.loads(order.read_text())
        assert "code" in told, self.log.read_text()[-3000:]
        return told["code"], told["result"]


@contextmanager
def client(scene: Scene, name: str) -> Iterator[Client]:
    folder = scene.world.home.parent / name
    folder.mkdir()
    with connect_server(folder) as address:
        yield Client(scene, address, folder / "client.log")


@pytest.mark.slow
def test_the_run_ends_75_the_next_one_goes_on_and_each_revision_is_published_once(scene: Scene) -> None:
    before = scene.traps.paid()
    with client(scene, "first") as first:
        code, told = first.does(where=SCORE)
        assert (code, (told["error"] or {}).get("class")) == (75, "SessionLost"), told
        assert "run the same command again" in told["error"]["message"]
    assert (scene.world.version(), scene.traps.paid()) == (-1, before)
    with client(scene, "second") as second:
        code, told = second.does()
        assert (code, told["status"], scene.traps.paid() - before) == (0, "published", ROWS), told
        scene.world.registry.alias(2)
        code, told = second.does("--replace", where=PUBLISH)
        assert (code, (told["error"] or {}).get("class")) == (75, "SessionLost"), told
        assert scene.traps.paid() - before == 2 * ROWS
    with client(scene, "third") as third:
        code, told = third.does()
        assert (code, told["status"], told["revision"], told["chunks_reused"]) == (0, "published", 2, 1), told
        assert scene.traps.paid() - before == 2 * ROWS
        code, told = third.does()
        assert (code, told["status"]) == (0, "already_published"), told
    scene.check(Expected(scene.rows, version=2))
