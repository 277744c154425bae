"""What predicts is killed: a Python worker, the model's own process, an executor."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from sparkscore.errors import PredictError
from tests.faults.checker import Expected
from tests.faults.children import Child
from tests.faults.scene import BATCH_ROWS, ROWS, Scene
from tests.standalone import standalone

SPLITS, OLD = 8, "2013-11-30"
ATTEMPTS = 4
"""Of a task, in `local[2,4]` and by default on a cluster."""


class TestPythonWorker:
    @pytest.mark.parametrize("transport", [pytest.param("scan", marks=pytest.mark.smoke), "arrow"])
    def test_killed_once_its_task_is_tried_again_and_the_result_is_right(self, scene: Scene, transport: str) -> None:
        scene.traps.set("die once", after=3)
        report = scene.run(scoring={"transport": transport})
        assert len(scene.traps.caught()) == 1
        assert (report.status, report.attempt) == ("published", 1)
        scene.check()

    @pytest.mark.smoke
    def test_killed_always_the_run_fails_after_four_attempts_and_says_what_happened(self, scene: Scene) -> None:
        scene.traps.set("die", after=3)
        with pytest.raises(PredictError, match="worker") as caught:
            scene.run()
        assert caught.value.do
        assert len(scene.traps.caught()) == ATTEMPTS
        assert scene.world.version() == -1
        assert scene.world.events() == ["started", "failed"]
        scene.traps.free()
        assert scene.run().status == "published"
        scene.check()


class TestModelProcess:
    @pytest.mark.smoke
    def test_killed_once_it_is_started_again_and_the_batch_is_predicted(self, scene: Scene) -> None:
        scene.traps.set("die once", after=3)
        report = scene.run(model={"residency": "executor"})
        assert len(scene.traps.caught()) == 1
        assert report.status == "published"
        scene.check()

    def test_killed_always_the_run_fails_and_names_the_batch(self, scene: Scene) -> None:
        scene.traps.set("die", after=3)
        with pytest.raises(PredictError) as caught:
            scene.run(model={"residency": "executor"})
        assert caught.value.do
        assert len(scene.traps.caught()) <= 3 * ATTEMPTS
        assert scene.world.version() == -1
        scene.traps.free()
        assert scene.run().status == "published"
        scene.check()


@contextmanager
def driver_on_cluster(folder: Path, *, hosts: int = 1, **conf: str) -> Iterator[Child]:
    """A driver on a standalone cluster of two executors with a core each."""
    conf = {name.replace("_", "."): value for name, value in conf.items()}
    conf |= {"spark.executor.cores": "1", "spark.executor.memory": "512m", "spark.cores.max": "2"}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYSPARK_PYTHON", sys.executable)
        patch.setenv("SPARK_LOCAL_IP", "127.0.0.1")
        with standalone(folder, cores=2 // hosts, hosts=hosts) as address:
            child = Child(folder / "driver.log", master=address, conf=conf)
            yield child
            child.end()


@pytest.fixture(scope="class")
def on_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Child]:
    """A driver on a cluster of one machine."""
    with driver_on_cluster(tmp_path_factory.mktemp("cluster")) as child:
        yield child


@pytest.fixture(scope="class")
def speculating(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Child]:
    """A driver that starts a task a second time where it is slow: only ever on another machine."""
    conf = {"spark_speculation": "true", "spark_speculation_interval": "100ms", "spark_speculation_quantile": "0.5"}
    with driver_on_cluster(tmp_path_factory.mktemp("cluster"), hosts=2, **conf) as child:
        yield child


class TestExecutor:
    @pytest.mark.smoke
    def test_lost_while_it_scores_at_most_its_part_is_scored_again(self, scene: Scene, on_cluster: Child) -> None:
        frame = scene.world.spark.createDataFrame(scene.rows).repartitionByRange(SPLITS, "id")
        frame.write.format("delta").mode("overwrite").save(scene.world.path("flights"))
        before = scene.traps.paid()
        scene.traps.set("executor", after=12)  # of 24 batches
        report = on_cluster.does(scene.order(split_bytes=1 << 20))  # a task for each split
        assert scene.traps.caught()
        assert (report["status"], report["attempt"]) == ("published", 1), report
        assert 0 < scene.traps.paid() - before - ROWS <= ROWS // SPLITS + BATCH_ROWS
        scene.check()

    def test_lost_while_the_run_is_monitored_the_monitoring_is_as_without_it(
        self, scene: Scene, on_cluster: Child
    ) -> None:
        watched: dict[str, Any] = {"profile": {"rows": "all"}, "monitor": {"mlflow": True}}
        scene.run(as_of=OLD, **watched)
        report = on_cluster.does(scene.order("before monitoring", "kill executors", **watched))
        assert scene.marker.exists()
        assert report["status"] == "published", report
        assert [text for text in report["warnings"] if text.startswith("no ")] == []  # a step that failed
        assert scene.world.events()[4:] == ["started", "staged", "published", "monitored"]
        scene.check_monitoring(report["run_id"])
        scene.check(Expected(scene.rows), Expected(scene.rows, OLD))

    def test_lost_inside_the_merge_no_row_is_predicted_again(self, scene: Scene, on_cluster: Child) -> None:
        before = scene.traps.paid()
        report = on_cluster.does(scene.order("in merge", "kill executors"))
        assert scene.marker.exists()
        assert (report["status"], report["attempt"]) == ("published", 1), report
        assert scene.traps.paid() - before == ROWS
        scene.check()


class TestSpeculation:
    @pytest.mark.parametrize("transport", ["scan", "arrow"])
    def test_of_a_task_that_runs_twice_the_rows_are_published_and_counted_once(
        self, scene: Scene, speculating: Child, transport: str
    ) -> None:
        frame = scene.world.spark.createDataFrame(scene.rows).repartitionByRange(SPLITS, "id")
        frame.write.format("delta").mode("overwrite").save(scene.world.path("flights"))
        before = scene.traps.paid()
        scene.traps.set("hold once", after=12)  # of 24 batches
        order = scene.order(scoring={"transport": transport}, split_bytes=1 << 20)
        report = speculating.does(order)  # it ends although the held task does not
        assert len(scene.traps.caught()) == 1
        assert (report["status"], report["attempt"], report["transport"]) == ("published", 1, transport), report
        assert scene.traps.paid() - before > ROWS
        assert report["executors"]["rows"] == report["rows_scored"] == ROWS
        scene.check()
