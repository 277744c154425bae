"""No space left, on a real file system that is full: the place is named, nothing is visible, and a retry works."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sparkscore.errors import TemporaryError
from tests.faults.checker import Expected
from tests.faults.children import Child
from tests.faults.disk import small_disk
from tests.faults.points import hurt
from tests.faults.scene import Scene
from tests.world import source_rows


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    with small_disk(tmp_path / "disk") as folder:
        yield folder


def free(disk: Path) -> None:
    (disk / "filler").unlink()


def fails(scene: Scene, disk: Path, at: str, **groups: Any) -> str:
    """What a run says whose disk is full from a point on, in the test's own session."""
    order = scene.order(at, "fill", place=str(disk), **groups)
    with hurt(scene.world.spark, order), pytest.raises(TemporaryError, match="no space left") as caught:
        scene.run(**groups)
    assert scene.marker.exists()
    assert caught.value.exit_code == 75
    return str(caught.value)


@pytest.mark.parametrize(("at", "transport"), [("started", "scan"), ("before stage", "scan"), ("started", "arrow")])
def test_for_the_stage(scene: Scene, disk: Path, at: str, transport: str) -> None:
    groups: dict[str, Any] = {"output": {"stage": str(disk / "stage")}, "scoring": {"transport": transport}}
    assert str(disk) in fails(scene, disk, at, **groups)
    assert scene.world.version() == -1
    free(disk)
    assert scene.run(**groups).status == "published"
    scene.check()


@pytest.mark.smoke
def test_for_the_prediction_table(scene: Scene, disk: Path) -> None:
    table = str(disk / "predictions")
    assert table in fails(scene, disk, "before publish", output={"table": table})
    assert scene.world.table(table).count() == 0
    free(disk)
    report = scene.run(output={"table": table})
    assert (report.status, report.model_loads) == ("published", 0)
    scene.check(table=table)


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Where a driver of its own keeps its files."""
    with small_disk(tmp_path_factory.mktemp("local") / "disk", megabytes=32) as folder:
        yield folder


@pytest.fixture(scope="module")
def child(local: Path) -> Iterator[Child]:
    """That driver; it takes one megabyte of results."""
    conf = {"spark.local.dir": str(local / "spark"), "spark.driver.maxResultSize": "1m"}
    child = Child(local.parent / "log", conf=conf)
    yield child
    child.end()


class TestDriver:
    def test_no_space_for_sparks_own_files(self, scene: Scene, local: Path, child: Child) -> None:
        answer = child.does(scene.order("started", "fill", place=str(local)))
        assert scene.marker.exists()
        assert (answer["status"], answer["exit_code"]) == ("failed", 75), answer
        assert "no space left" in answer["error"]["message"]
        assert scene.world.version() == -1
        free(local)
        assert child.does(scene.order())["status"] == "published"
        scene.check()

    def test_no_rows_are_sent_to_it_however_many_there_are(self, scene: Scene, child: Child) -> None:
        rows = source_rows(200_000)
        assert rows.nbytes > 4 << 20
        scene.world.write_source(rows)
        report = child.does(scene.order(scoring={"batch_rows": 20_000}))
        assert report["status"] == "published", report
        scene.check(Expected(rows))
