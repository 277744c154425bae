"""One JVM for the whole run, with what the jobs' own sessions have."""

import faulthandler
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from delta.tables import DeltaTable
from hypothesis import settings
from pyspark.sql import SparkSession

from tests.world import Registry, World, registry_in, source_rows

os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")
os.environ["PYSPARK_PYTHON"] = sys.executable

# Hundreds of queries over a few rows each: compiling them costs more than it saves (32 s instead of 37 for six runs).
options = ["--conf spark.sql.codegen.wholeStage=false", "--conf spark.sql.codegen.factoryMode=NO_CODEGEN"]
# Each test has tables of its own, and Delta keeps the logs of 10,000 for an hour: after a hundred whole jobs the heap
# was full of them, and the JVM did nothing but collect garbage.
options += ["--driver-memory 2g", "--conf spark.databricks.delta.delta.log.cacheSize=10"]
options += ["--driver-java-options -Ddelta.log.cacheSize=10"]
options.append("--conf spark.sql.sources.parallelPartitionDiscovery.parallelism=2")  # else VACUUM starts 10,000 tasks
if "COVERAGE_PROCESS_CONFIG" in os.environ:  # what runs in Python workers counts: see pyproject.toml
    paths = [str(Path(__file__).parents[1]), os.environ.get("PYTHONPATH", "")]
    os.environ["PYTHONPATH"] = os.pathsep.join(path for path in paths if path)
    options.append("--conf spark.python.daemon.module=tests.coverage_daemon")
os.environ["PYSPARK_SUBMIT_ARGS"] = " ".join([*options, "pyspark-shell"])

# An example that takes longer than Hypothesis' 0.2 s tells of a busy machine, not of a defect.
settings.register_profile("sparkscore", deadline=None)
settings.load_profile("sparkscore")

SLOW = (
    "tests/faults/test_at_once.py",
    "tests/faults/test_killed.py",
    "tests/faults/test_killed_verbs.py",
    "tests/faults/test_terminated.py",
    "tests/faults/test_workers.py",
    "tests/faults/test_disk.py",
    "tests/faults/test_model.py",
    "tests/faults/test_changed.py",
    "tests/faults/test_soak.py",
    "tests/pipelines/test_batch_timeout.py",
    "tests/pipelines/test_canary.py",
    "tests/pipelines/test_gates.py",
    "tests/pipelines/test_long_texts.py",
    "tests/pipelines/test_maintain.py",
    "tests/pipelines/test_rollback.py",
    "tests/pipelines/test_rejects.py",
    "tests/pipelines/test_renamed_columns.py::test_rejects_are_scored_again",
    "tests/pipelines/test_row_rules.py",
    "tests/pipelines/test_sensitive.py",
    "tests/pipelines/test_transports.py",
    "tests/pipelines/test_two_models.py::test_so_it_is_on_every_transport_and_with_both_residencies",
    "tests/model/host/test_in_spark.py",
    "tests/demo/test_injected.py",
    "tests/jobs/test_submits.py::TestErrors",
    "tests/jobs/test_submits.py::TestMaintain",
    "tests/jobs/test_submits.py::TestRollback",
    "tests/jobs/test_submits.py::TestStandalone",
    "tests/jobs/test_submits.py::TestWithoutTheScript",
    "tests/test_bench.py",
)
"""Most of all tests' time: whole runs by the dozen, drivers that are killed. CI has to end on a slow machine, too."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks the slow ones, but for the smoke tests among them: one of each kind of fault is in each run of CI."""
    for item in items:
        if item.nodeid.startswith(SLOW) and item.get_closest_marker("smoke") is None:
            item.add_marker(pytest.mark.slow)


LIMIT_S = 600
"""What takes longer than this hangs, also on a busy machine."""


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """A test that hangs fails, and says where all its threads are."""

    def fail(*_: object) -> None:
        faulthandler.dump_traceback()
        pytest.fail(f"{item.nodeid} takes longer than {LIMIT_S} s: where its threads are is in its stderr")

    before = signal.signal(signal.SIGALRM, fail)
    signal.alarm(LIMIT_S)
    try:
        return (yield)
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


@pytest.fixture(autouse=True)
def forgotten_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    """Secrets that a test registers are forgotten after it."""
    from sparkscore.redaction import known_secrets

    monkeypatch.setattr(known_secrets, "_KNOWN", known_secrets._KnownSecrets(has_environment=True))


@pytest.fixture(scope="session")
def spark() -> Iterator[SparkSession]:
    """A local session: two slots, tasks tried up to four times."""
    from sparkscore.spark.session import start_local_session

    session = start_local_session("tests", master="local[2,4]")
    yield session
    session.stop()


@pytest.fixture(scope="session")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Registry:
    """A registry with one model in two versions."""
    return registry_in(tmp_path_factory.mktemp("registry"))


@pytest.fixture
def world(spark: SparkSession, registry: Registry, tmp_path: Path) -> World:
    """A home folder with a source of 60 rows; champion is version 1."""
    registry.alias(1)
    made = World(spark, tmp_path / "home", registry)
    made.write_source(source_rows())
    return made


@pytest.fixture
def opened_tables(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The paths that Delta was asked to open, in order."""
    paths: list[str] = []
    original = DeltaTable.forPath.__func__  # type: ignore[attr-defined]

    def counted(cls: type[DeltaTable], spark: SparkSession, path: str, *rest: Any) -> DeltaTable:
        paths.append(path)
        found: DeltaTable = original(cls, spark, path, *rest)
        return found

    monkeypatch.setattr(DeltaTable, "forPath", classmethod(counted))
    return paths
