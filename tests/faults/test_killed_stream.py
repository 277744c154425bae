"""A stream that is killed or ended inside a micro-batch: the next start publishes each micro-batch once."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import yaml

from sparkscore.pipelines.stream import stream
from sparkscore.records import StreamReport
from tests.faults.checker import Expected
from tests.faults.children import ROOT
from tests.faults.points import eventually
from tests.faults.scene import ROWS, Scene, plain
from tests.faults.test_terminated import CONSOLE
from tests.world import source_rows

MORE = 200
POINTS = ["batch pinned", "batch landed", "started", "staged", "before publish", "in merge", "published"]
ONE_VERSION: dict[str, Any] = {"max_files_per_trigger": 2}


def second_rows() -> pa.Table:
    return source_rows(MORE, first=ROWS)


def follow(scene: Scene, **flags: Any) -> StreamReport:
    """An undisturbed call in the test's own session."""
    return stream(scene.world.spark, scene.settings(stream=ONE_VERSION), **flags)


def as_ofs(scene: Scene) -> list[str]:
    """Of the micro-batches, in their order."""
    folder = scene.world.home / "checkpoints" / "late-flights" / "batches"
    files = sorted(folder.glob("*.json"), key=lambda one: int(one.stem.split("-")[1]))
    return [json.loads(one.read_text())["as_of"] for one in files]


def check_both(scene: Scene) -> None:
    """Both micro-batches are published once, each under its as_of."""
    first, second = as_ofs(scene)
    scene.check(Expected(scene.rows, as_of=first), Expected(second_rows(), as_of=second))


@pytest.mark.parametrize("at", [*POINTS, pytest.param("batch published", marks=pytest.mark.smoke)])
def test_a_stream_that_is_killed_publishes_each_micro_batch_once_and_under_its_first_as_of(
    scene: Scene, at: str
) -> None:
    assert follow(scene).batches == 1
    scene.world.write_source(second_rows(), mode="append")
    scene.killed(at, verb="stream", stream=ONE_VERSION)
    pinned = as_ofs(scene)
    report = follow(scene)
    assert as_ofs(scene) == pinned
    assert report.first_batch == 1
    is_visible = at in ("published", "batch published")
    assert (report.batches, report.batches_repeated) == ((0, 1) if is_visible else (1, 0))
    check_both(scene)
    assert follow(scene).first_batch is None


def test_a_stream_that_is_ended_by_sigterm_ends_with_143_and_the_next_goes_on(scene: Scene, tmp_path: Path) -> None:
    config, log, result = tmp_path / "job.yaml", tmp_path / "log", tmp_path / "result.json"
    ticking = {**ONE_VERSION, "trigger": "1 second"}
    config.write_text(yaml.safe_dump(dict(plain(scene.settings(stream=ticking)))))
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("PYSPARK_", "SPARK"))}
    command = [*CONSOLE[:-1], "stream", "--config", str(config), "--result", str(result)]
    with log.open("w") as out:
        process = subprocess.Popen(command, cwd=ROOT, env=environ, stdout=out, stderr=out, stdin=subprocess.DEVNULL)
    try:
        assert eventually(lambda: scene.world.version() > 0 or process.poll() is not None), log.read_text()[-3000:]
        assert process.poll() is None, log.read_text()[-3000:]
        scene.traps.set("hold", after=1)
        scene.world.write_source(second_rows(), mode="append")
        assert eventually(lambda: bool(scene.traps.caught()) or process.poll() is not None)
        process.terminate()
        assert process.wait(240) == 143, log.read_text()[-3000:]
    finally:
        process.kill()
        process.wait()
    scene.traps.free()
    told = json.loads(result.read_text())
    assert (told["status"], told["batches"], told["job"]) == ("failed", 1, "late-flights")
    assert follow(scene).batches == 1
    check_both(scene)
