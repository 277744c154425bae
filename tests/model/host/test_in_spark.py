"""Loads per executor, in a local session and on a standalone Spark."""

import json
import os
import pickle
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pytest
from pyspark.sql import SparkSession

from tests.model.host.driver import Application, Outcome, Residency, scored
from tests.model.host.models import Tells, doubles, pinned
from tests.model.host.node import eventually, runs
from tests.standalone import standalone

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def application(tmp_path: Path) -> Application:
    """Two hundred tasks of a row each; the model doubles it."""
    loads = tmp_path / "loads"
    loads.mkdir()
    model = Tells(lambda frame: frame["x"] * 2, loads)
    placed = pinned(tmp_path / "files", model, inputs=doubles("x"), output=pa.float64())
    return Application(placed, loads, ["worker", "executor"])


class TestLocally:
    @pytest.mark.parametrize(("residency", "most"), [("worker", 2), ("executor", 1)])
    def test_two_hundred_tasks(
        self, spark: SparkSession, application: Application, residency: Residency, most: int
    ) -> None:
        outcome = scored(spark, application, residency)
        assert 1 <= len(outcome.pids) <= most
        assert outcome.counted == len(outcome.pids)
        assert outcome.total == 200 * 199

    def test_another_job_finds_the_process_of_the_one_before(
        self, spark: SparkSession, application: Application
    ) -> None:
        assert [scored(spark, replace(application, tasks=8), "executor").counted for _ in range(2)] == [1, 0]


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Four cores, two GPUs; executors have a temporary folder of their own."""
    with standalone(tmp_path_factory.mktemp("cluster"), cores=4, gpus=2) as address:
        yield address


class TestOnACluster:
    def submitted(self, cluster: str, application: Application, folder: Path, **conf: str) -> list[Outcome]:
        """The outcomes of an application with one executor, of two slots unless it says otherwise."""
        (folder / "tmp").mkdir()
        conf = {name.replace("_", "."): value for name, value in conf.items()}
        conf = {"spark.executor.cores": "2", "spark.cores.max": conf.get("spark.executor.cores", "2")} | conf
        conf |= {
            "spark.master": cluster,
            "spark.executorEnv.TMPDIR": str(folder / "tmp"),
            "spark.executor.memory": "512m",
            "spark.ui.enabled": "false",
        }
        (folder / "application").write_bytes(pickle.dumps(replace(application, conf=conf)))
        environ = os.environ | {"PYSPARK_PYTHON": sys.executable, "SPARK_LOCAL_IP": "127.0.0.1"}
        files = [str(folder / "application"), str(folder / "outcomes")]
        command = [sys.executable, "-m", "tests.model.host.driver", *files]
        done = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, timeout=900, check=False)
        assert done.returncode == 0, done.stderr[-3000:]
        return [Outcome(**outcome) for outcome in json.loads((folder / "outcomes").read_text())]

    def test_two_slots_load_twice_in_workers_and_once_in_the_executor(
        self, cluster: str, application: Application, tmp_path: Path
    ) -> None:
        worker, executor = self.submitted(cluster, application, tmp_path)
        assert (len(worker.pids), len(executor.pids)) == (worker.counted, executor.counted) == (2, 1)
        assert worker.total == executor.total == 200 * 199
        assert eventually(lambda: not runs(int(executor.pids[0])))  # with the executor

    def test_workers_that_serve_one_task_only_still_load_once(
        self, cluster: str, application: Application, tmp_path: Path
    ) -> None:
        few = replace(application, residencies=["executor"], tasks=12)
        (executor,) = self.submitted(cluster, few, tmp_path, spark_python_worker_reuse="false")
        assert (len(executor.pids), executor.counted, executor.total) == (1, 1, 12 * 11)

    def test_each_gpu_has_a_process_of_its_own(self, cluster: str, application: Application, tmp_path: Path) -> None:
        gpus = {"spark_executor_resource_gpu_amount": "2", "spark_task_resource_gpu_amount": "0.5"}
        hosted = replace(application, residencies=["executor"], tasks=60)
        (executor,) = self.submitted(cluster, hosted, tmp_path, spark_executor_cores="4", **gpus)
        assert len(set(executor.pids)) == executor.counted == 2
        assert executor.total == 60 * 59

    def test_a_profile_of_the_stage_gives_each_gpu_a_process_that_its_slots_share(
        self, cluster: str, application: Application, tmp_path: Path
    ) -> None:
        hosted = replace(application, residencies=["executor"], tasks=24, resources={"gpu": 0.5})
        offer = {"spark_executor_resource_gpu_amount": "2"}
        (executor,) = self.submitted(cluster, hosted, tmp_path, spark_executor_cores="4", **offer)
        assert len(set(executor.pids)) == executor.counted == 2
        assert executor.total == 24 * 23
