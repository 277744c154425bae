"""Whoever runs the tasks, a run is the same: its rows, rejects, pins and names; and any engine goes on with what
another has left."""

import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from deltalake import DeltaTable
from pyspark.sql import SparkSession

from sparkscore.engines.worker_context import ModelArchive
from sparkscore.errors import ConfigError, DeadlinePassed, PredictError, TemporaryError
from sparkscore.pipelines.score import score
from sparkscore.pipelines.scoring.run_limits import RunLimits
from sparkscore.records import RunReport
from tests.faults.models import Traps
from tests.pipelines.test_chunks import one_file_away
from tests.world import AS_OF, Registry, World, assert_published, source_rows

pytestmark = pytest.mark.filterwarnings("ignore")  # Ray's and Dask's own, of what they do themselves

OTHERS = ("ray", "dask")
ENGINES = ("spark", *OTHERS)
OWN_COLUMNS = ("scored_at",)


def run(world: World, engine: str, *, options: Mapping[str, Any] | None = None, **groups: Any) -> RunReport:
    scoring = {"engine": engine, **groups.pop("scoring", {})}
    if options:
        groups["engine"] = options
    return score(world.spark, world.settings(scoring=scoring, **groups), as_of=AS_OF)


def bad_rows() -> pa.Table:
    """Rows with a NULL key, NULL and NaN inputs, and one that the model refuses; each day is a partition."""
    rows = source_rows(80)
    ids = pc.if_else(pc.equal(rows["id"], 7), pa.scalar(None, pa.int64()), rows["id"])
    first = pc.if_else(pc.equal(rows["id"], 11), pa.scalar(None, pa.float64()), rows["x1"])
    first = pc.if_else(pc.equal(rows["id"], 23), pa.scalar(9.0), first)
    second = pc.if_else(pc.equal(rows["id"], 31), pa.scalar(float("nan")), rows["x2"])
    day = pa.array([f"d{number % 3}" for number in range(80)])
    changed = rows.set_column(0, "id", ids).set_column(2, "x1", first).set_column(3, "x2", second)
    return changed.append_column("day", day)


def published(world: World) -> tuple[Any, Any, Mapping[str, Any]]:
    """Predictions and rejects of the world, without times, and the pins."""
    predictions = world.predictions().drop(columns=list(OWN_COLUMNS))
    folder = next((world.home / "stage" / "late-flights").iterdir())
    staged = DeltaTable(folder).to_pyarrow_table(columns=["id", "carrier", "_reject"])
    rejects = staged.filter(pc.is_valid(staged["_reject"])).to_pylist()
    runs = DeltaTable(world.path("predictions_runs")).to_pyarrow_table().sort_by("at").to_pylist()
    final = next(one for one in runs if one["event"] == "published")
    own = {"stage_id": folder.name, **{name: final[name] for name in ("run_id", "source_version", "model_version")}}
    return predictions, sorted(rejects, key=repr), own


@pytest.fixture
def hated(spark: SparkSession, counted: tuple[Registry, Traps], tmp_path: Path) -> World:
    counted[0].alias(1)
    world = World(spark, tmp_path / "home", counted[0])
    frame = spark.createDataFrame(bad_rows())
    frame.write.format("delta").partitionBy("day").mode("overwrite").save(world.path("flights"))
    return world


@pytest.mark.parametrize("engine", OTHERS, indirect=True)
def test_a_run_is_the_same_whoever_has_scored_it(
    hated: World, counted: tuple[Registry, Traps], engine: str, tmp_path: Path
) -> None:
    where = {"where": [{"column": "day", "op": "!=", "value": "d2"}], "passthrough": ["carrier", "day"]}
    counted[1].hate(8.0)
    seen = {}
    try:
        for name in ("spark", engine):
            report = run(hated, name, source=where, scoring={"max_reject_ratio": 1.0, "chunk_minutes": 1e-9})
            seen[name] = published(hated), (report.rows_read, report.rows_scored, report.rows_rejected, report.run_id)
            assert report.transport == "scan"
            for table in ("predictions", "predictions_runs", "predictions_rejects"):
                folder = hated.home / "tables" / table
                if folder.exists():
                    folder.rename(tmp_path / f"{name}-{table}")
            (hated.home / "stage").rename(tmp_path / f"{name}-stage")
    finally:
        counted[1].free()
    (predictions, rejects, own), counts = seen["spark"]
    (found, found_rejects, found_own), found_counts = seen[engine]
    assert (counts[2] or 0) >= 2
    assert (found_counts, found_own, found_rejects) == (counts, own, rejects)
    assert found.equals(predictions)


def open_attempt(world: World, engine: str) -> int:
    """Attempts that end in their middle, until one has kept rows; how many."""
    for _ in range(5):  # where the lost file is the first that a worker opens, nothing is kept
        with one_file_away(world), pytest.raises(ConfigError, match="is gone"):
            run(world, engine)
        folder = next((world.home / "stage" / "late-flights").iterdir())
        if (folder / "_delta_log").exists():
            return int(DeltaTable(folder).to_pyarrow_table().num_rows)
    return 0


@pytest.mark.parametrize(
    ("first", "engine"),
    [(first, second) for first in ENGINES for second in ENGINES if first != second],
    indirect=["engine"],
)
def test_what_one_engine_has_left_another_one_finishes(
    many: World, counted: tuple[Registry, Traps], first: str, engine: str, request: pytest.FixtureRequest
) -> None:
    if first == "ray":
        request.getfixturevalue("running_ray")
    if first == "dask":
        pytest.importorskip("distributed")
    kept = open_attempt(many, first)
    paid = counted[1].paid()
    assert 0 < kept < 60
    report = run(many, engine)
    assert_published(many, report, source_rows())
    assert (report.chunks_reused, report.rows_scored, report.rows_rejected) == (1, 60, 0)
    assert counted[1].paid() - paid == 60 - kept
    assert many.events().count("published") == 1


@pytest.mark.parametrize("engine", OTHERS, indirect=True)
def test_a_worker_that_is_killed_costs_its_task_and_no_row_is_published_twice(
    many: World, counted: tuple[Registry, Traps], engine: str
) -> None:
    before = counted[1].paid()
    counted[1].set("die once", after=2)
    report = run(many, engine)
    assert len(counted[1].caught()) == 1
    with suppress(ProcessLookupError):
        os.kill(counted[1].caught()[0], 0)
        pytest.fail("the worker is still there")
    assert_published(many, report, source_rows())
    assert 60 < counted[1].paid() - before <= 120
    assert many.table().count() == 60


@pytest.mark.parametrize("engine", OTHERS, indirect=True)
def test_a_model_that_ends_every_worker_ends_the_run(many: World, counted: tuple[Registry, Traps], engine: str) -> None:
    counted[1].set("die", after=0)
    with pytest.raises(PredictError, match="ended each time that it was tried") as raised:
        run(many, engine)
    counted[1].free()
    assert raised.value.exit_code == 4
    assert_published(many, run(many, "spark"), source_rows())


@pytest.mark.parametrize("engine", OTHERS, indirect=True)
def test_a_deadline_stops_the_workers_and_keeps_what_they_have_reported(
    many: World, counted: tuple[Registry, Traps], engine: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop_after_some(limits: RunLimits, *, rejected: int) -> None:
        folder = next((many.home / "stage" / "late-flights").iterdir())
        if (folder / "_delta_log").exists():
            raise DeadlinePassed("scoring.deadline passed before all rows were scored")

    counted[1].set("hold once", after=1)
    with monkeypatch.context() as patch:
        patch.setattr(RunLimits, "check", stop_after_some)
        with pytest.raises(DeadlinePassed):
            run(many, engine, scoring={"chunk_minutes": 1e-9})
    counted[1].free()
    report = run(many, "spark")
    assert report.chunks_reused
    assert_published(many, report, source_rows())


@pytest.mark.parametrize("engine", OTHERS, indirect=True)
def test_the_model_is_loaded_once_per_worker(many: World, counted: tuple[Registry, Traps], engine: str) -> None:
    counted[1].set("none", after=1_000_000)
    report = run(many, engine, options={"workers": 2})
    processes = set(counted[1].predicting())
    assert 1 <= len(processes) <= 2
    assert report.model_loads == len(processes)
    assert os.getpid() not in processes


def test_actors_of_ray_get_the_gpus_that_they_ask_for(many: World, running_ray: None) -> None:
    import ray

    report = run(many, "ray", options={"worker_gpus": 1})
    assert report.model_loads == 1  # the cluster has one
    assert_published(many, report, source_rows())
    assert ray.cluster_resources()["GPU"] == 1


def test_more_gpus_than_the_cluster_has_are_refused(many: World, running_ray: None) -> None:
    with pytest.raises(ConfigError, match="do not fit the cluster of Ray") as raised:
        run(many, "ray", options={"worker_gpus": 2})
    assert raised.value.exit_code == 2


@pytest.mark.parametrize("threads", [True, False])
def test_workers_of_dask_that_are_threads_are_refused(many: World, threads: bool) -> None:
    distributed = pytest.importorskip("distributed")
    count, host = 1 if threads else 2, "127.0.0.1"
    with distributed.LocalCluster(
        n_workers=1, threads_per_worker=count, processes=not threads, protocol="tcp", dashboard_address=None, host=host
    ) as cluster:
        address = cluster.scheduler_address
        with pytest.raises(ConfigError, match="threads" if threads else "2 tasks at once") as raised:
            run(many, "dask", options={"address": address})
    assert raised.value.exit_code == 2
    assert many.version() == -1


def elsewhere(path: str, bring: Callable[[], Path] | None = None) -> ModelArchive:
    """The archive as a worker of another machine has it."""
    return ModelArchive(str(Path("/no-such-folder", Path(path).name)), bring)


def test_a_cluster_of_dask_at_an_address_has_the_models_files_as_long_as_the_run_lasts(
    many: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    distributed = pytest.importorskip("distributed")
    monkeypatch.setattr("sparkscore.engines.dask_engine.ModelArchive", elsewhere)
    with distributed.LocalCluster(
        n_workers=1,
        threads_per_worker=1,
        dashboard_address=None,
        host="127.0.0.1",
        local_directory=str(tmp_path / "dask"),
    ) as one:
        report = run(many, "dask", options={"address": one.scheduler_address})
        kept = [name for name in one.scheduler.worker_plugins if "sparkscore" in name]  # with the model's files in them
        assert kept == []
        assert [*(tmp_path / "dask").rglob("*.zip")] == []
    assert_published(many, report, source_rows())


def test_a_cluster_of_ray_that_was_there_gets_the_models_files(
    many: World, running_ray: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sparkscore.engines.ray_engine.ModelArchive", elsewhere)
    assert_published(many, run(many, "ray"), source_rows())


def test_nobody_at_the_address_is_an_error_that_a_retry_may_help(many: World, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("distributed")
    monkeypatch.setattr("sparkscore.engines.dask_connection._CONNECT_TIMEOUT_S", 1)
    with pytest.raises(TemporaryError, match="no scheduler of Dask answers") as raised:
        run(many, "dask", options={"address": "tcp://127.0.0.1:1"})
    assert raised.value.exit_code == 75
