"""Models whose rows are counted, and Ray as a process has it. Tests that need an engine's package skip without it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession

from sparkscore.ingest import file_ranges
from tests.faults.models import Traps, watched_registry
from tests.world import Registry, World, source_rows

FILES = 6


@pytest.fixture(scope="session")
def counted(tmp_path_factory: pytest.TempPathFactory) -> tuple[Registry, Traps]:
    """A registry whose model counts its rows, and can be made to fail or to end its process."""
    return watched_registry(tmp_path_factory.mktemp("counted"))


@pytest.fixture(scope="session")
def running_ray() -> Iterator[None]:
    """Ray for all tests of the process: starting it takes as long as a test."""
    ray: Any = pytest.importorskip("ray", reason="the extra ray is not installed: ci/integration.sh engines has it")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        patch.setenv("RAY_DATA_DISABLE_PROGRESS_BARS", "1")
        ray.init("local", num_cpus=2, num_gpus=1, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
        yield
        ray.shutdown()


@pytest.fixture
def engine(request: pytest.FixtureRequest) -> str:
    """The engine of the test's parameter, whose package is there."""
    name: str = request.param
    if name == "ray":
        request.getfixturevalue("running_ray")
    if name == "dask":
        pytest.importorskip("distributed", reason="the extra dask is not installed: ci/integration.sh engines has it")
    return name


@pytest.fixture
def many(
    spark: SparkSession, counted: tuple[Registry, Traps], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[World]:
    """60 rows in six files, a split each."""
    monkeypatch.setattr(file_ranges, "MIN_SPLIT_BYTES", 1 << 10)
    monkeypatch.setattr(file_ranges, "MAX_SPLIT_BYTES", 1 << 10)
    counted[0].alias(1)
    world = World(spark, tmp_path / "home", counted[0])
    frame = spark.createDataFrame(source_rows()).repartitionByRange(FILES, "id")
    frame.write.format("delta").mode("overwrite").save(world.path("flights"))
    yield world
    counted[1].free()
