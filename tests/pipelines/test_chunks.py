"""A run that stops in the middle keeps its chunks, and the next one scores only what is missing."""

import inspect
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import pyarrow as pa
import pytest
from pyspark.sql import SparkSession

from sparkscore.errors import ConfigError, DeadlinePassed, TooManyRejects
from sparkscore.ingest import file_ranges
from sparkscore.pipelines.score import score
from sparkscore.pipelines.scoring.plan_preview import preview_plan
from sparkscore.pipelines.scoring.run_limits import RunLimits
from sparkscore.records import RunReport
from sparkscore.scoring import task_sizing
from tests.faults.models import Traps, watched_registry
from tests.world import AS_OF, SOURCE, Registry, World, assert_published, source_rows

FILES, SPLITS = 6, 18


@pytest.fixture
def many(world: World, monkeypatch: pytest.MonkeyPatch) -> World:
    """The world with its 60 rows in six files of one row group, each cut into three splits: two have no rows."""
    monkeypatch.setattr(file_ranges, "MIN_SPLIT_BYTES", 1)
    monkeypatch.setattr(file_ranges, "MAX_SPLIT_BYTES", 1)

    def write() -> None:
        frame = world.spark.createDataFrame(source_rows()).repartitionByRange(FILES, "id")
        frame.write.format("delta").mode("overwrite").save(world.path("flights"))

    world.trail.follow(world.home, "flights in six files", write)
    return world


def run(world: World, *, restart: bool = False, **groups: Any) -> RunReport:
    return score(world.spark, world.settings(**groups), as_of=AS_OF, restart=restart)


@contextmanager
def one_file_away(world: World) -> Iterator[None]:
    """A block in which the last data file of the source is somewhere else."""
    log = world.spark.read.format("delta").load(world.path("flights"))
    file = Path(urlsplit(max(log.inputFiles())).path)
    file.rename(file.with_suffix(".away"))
    yield
    file.with_suffix(".away").rename(file)


def stopped(world: World) -> int:
    """How many rows a run has kept that stopped at a missing file: the same for all homes of `many`."""

    def stop() -> int:
        with one_file_away(world), pytest.raises(ConfigError, match="is gone"):
            run(world)
        return staged_rows(world)

    return world.trail.follow(world.home, f"stopped {world.registry.uri}", stop)


def stage_folder(world: World) -> Path:
    (folder,) = (world.home / "stage" / "late-flights").iterdir()
    return folder


def staged_rows(world: World) -> int:
    return world.spark.read.format("delta").load(str(stage_folder(world))).count()


def test_a_short_run_is_one_chunk(many: World) -> None:
    report = run(many)
    assert_published(many, report, source_rows())
    assert [file.name for file in (stage_folder(many) / "_delta_log").glob("*.json")] == [f"{0:020}.json"]


def tasks_of_a_run(world: World, **groups: Any) -> set[int]:
    """How many tasks the stages of its Spark jobs had."""
    context: Any = world.spark.sparkContext
    group = uuid4().hex  # whatever group an earlier test has left
    context.setJobGroup(group, "")
    run(world, **groups)
    context.setLocalProperty("spark.jobGroup.id", None)
    context._jsc.sc().listenerBus().waitUntilEmpty()
    tracker = context.statusTracker()
    jobs = [tracker.getJobInfo(job) for job in tracker.getJobIdsForGroup(group)]
    stages = [tracker.getStageInfo(stage) for job in jobs if job for stage in job.stageIds]
    return {stage.numTasks for stage in stages if stage}


def test_of_a_slow_model_each_split_is_a_task_of_its_own(many: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(task_sizing, "TASK_S", 1e-9)
    slots = many.spark.sparkContext.defaultParallelism
    assert {slots, SPLITS - slots} <= tasks_of_a_run(many)


def test_a_short_scan_is_one_job_with_a_task_per_slot(many: World) -> None:
    slots = many.spark.sparkContext.defaultParallelism
    found = tasks_of_a_run(many)
    assert slots in found
    assert SPLITS - slots not in found


def test_a_run_whose_chunks_are_short_publishes_the_same(many: World, monkeypatch: pytest.MonkeyPatch) -> None:
    report = run(many, scoring={"chunk_minutes": 1e-9})
    assert_published(many, report, source_rows())
    assert report.chunks_reused == 0


def test_what_got_done_before_a_task_failed_is_not_scored_again(many: World) -> None:
    kept = stopped(many)
    assert 0 < kept < 60
    files = set(stage_folder(many).glob("*.parquet"))
    report = run(many)
    assert_published(many, report, source_rows())
    assert (report.chunks_reused, report.rows_scored) == (1, 60)
    scored_again = set(stage_folder(many).glob("*.parquet")) - files
    assert len(scored_again) == (60 - kept) // 10


def test_the_tables_of_readers_show_nothing_of_a_run_that_stopped(many: World) -> None:
    stopped(many)
    assert many.version() == -1


def test_a_cluster_of_another_size_goes_on_with_the_same_splits(many: World, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = stopped(many)
    monkeypatch.setattr(file_ranges, "MIN_SPLIT_BYTES", 1 << 30)
    monkeypatch.setattr(file_ranges, "MAX_SPLIT_BYTES", 1 << 30)
    report = run(many)
    assert (report.chunks_reused, report.transport) == (1, "scan")
    assert f"{SPLITS} splits" in str(report.transport_reason)
    assert kept
    assert_published(many, report, source_rows())


def test_another_transport_begins_again_and_says_so(many: World) -> None:
    stopped(many)
    report = run(many, scoring={"transport": "arrow"})
    assert report.chunks_reused == 0
    assert any("is discarded" in warning for warning in report.warnings)
    assert_published(many, report, source_rows())


def test_restart_throws_the_stage_away(many: World) -> None:
    stopped(many)
    report = run(many, restart=True)
    assert report.chunks_reused == 0
    assert_published(many, report, source_rows())


def test_a_run_past_its_deadline_ends_with_75_and_goes_on_later(many: World) -> None:
    with pytest.raises(DeadlinePassed) as raised:
        run(many, scoring={"deadline": 1e-6})
    assert (raised.value.exit_code, raised.value.retryable) == (75, True)
    assert many.version() == -1
    first = many.table("predictions_runs").where("event = 'failed'").collect()[0]
    report = run(many, scoring={"deadline": 60})
    assert (report.run_id, report.attempt) == (first["run_id"], 2)
    assert_published(many, report, source_rows())


def with_null_keys(rows: pa.Table, count: int) -> pa.Table:
    ids = [None] * count + rows["id"].to_pylist()[count:]
    return rows.set_column(0, SOURCE.field("id"), pa.array(ids, pa.int64()))


@pytest.mark.parametrize("transport", ["scan", "arrow"])
@pytest.mark.parametrize("limit", [{"max_rejects": 3}, {"max_reject_ratio": 0.06}])
def test_more_rejects_than_allowed_end_the_run_and_a_higher_limit_goes_on(
    world: World, limit: dict[str, Any], transport: str
) -> None:
    world.write_source(with_null_keys(source_rows(), 4))
    with pytest.raises(TooManyRejects, match=f"4 rows.*\n.*at most 3.*{next(iter(limit))}") as raised:
        run(world, scoring={**limit, "transport": transport})
    assert raised.value.exit_code == 3
    assert world.version() == -1
    report = run(world, scoring={"max_rejects": 4, "transport": transport})
    assert (report.status, report.rows_rejected) == ("published", 4)
    if transport == "scan":  # arrow is stopped while its tasks are at work: what is kept is what they had finished
        assert (report.chunks_reused, report.model_loads) == (1, 0)


def test_a_scan_is_stopped_by_its_rejects_while_it_scores(many: World, monkeypatch: pytest.MonkeyPatch) -> None:
    many.write_source(with_null_keys(source_rows(), 10))
    seen: list[int] = []
    check = RunLimits.check

    def checked(limits: RunLimits, *, rejected: int) -> None:
        seen.append(rejected)
        check(limits, rejected=rejected)

    monkeypatch.setattr(RunLimits, "check", checked)
    with pytest.raises(TooManyRejects):
        run(many)
    assert seen[-1] > 6


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> tuple[Registry, Traps]:
    """A model that counts what is paid for it."""
    return watched_registry(tmp_path_factory.mktemp("watched"))


@pytest.fixture
def one_split(
    spark: SparkSession, watched: tuple[Registry, Traps], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> World:
    """A source of one file with one row group of 600 rows, and a model as slow as can be: a task keeps each batch."""
    monkeypatch.setattr(task_sizing, "TASK_S", 1e-9)
    world = World(spark, tmp_path / "home", watched[0])
    frame = spark.createDataFrame(source_rows(600))
    frame.coalesce(1).write.format("delta").save(world.path("flights"))
    return world


SLOW: dict[str, Any] = {"scoring": {"batch_rows": 50, "chunk_minutes": 1e-9}}


def test_of_a_split_that_is_scored_in_part_each_batch_is_kept_and_none_is_paid_twice(
    one_split: World, watched: tuple[Registry, Traps], monkeypatch: pytest.MonkeyPatch
) -> None:
    before, traps = watched[1].paid(), watched[1]
    with monkeypatch.context() as patch:
        patch.setattr(RunLimits, "check", deadline_with_something_kept)
        with pytest.raises(DeadlinePassed):
            run(one_split, **SLOW)
    assert (staged_rows(one_split), traps.paid() - before) == (50, 50)  # one task, one batch
    report = run(one_split, **SLOW)
    assert_published(one_split, report, source_rows(600))
    assert (report.chunks_reused, traps.paid() - before) == (1, 600)


def deadline_with_something_kept(limits: RunLimits, *, rejected: int) -> None:
    """What `Limits.check` does when a run's time is over as soon as anything is in the stage."""
    if inspect.stack()[1].frame.f_locals["chunks"].progress.rows:
        raise DeadlinePassed("the run's time is over")


def test_rows_are_the_same_whatever_is_kept_on_the_way_and_whatever_the_filter_leaves_out(one_split: World) -> None:
    where = [{"column": "carrier", "op": "=", "value": "UA"}]
    report = run(one_split, source={"where": where}, **SLOW)
    assert report.rows_read == report.rows_scored == 300
    seen = one_split.predictions()
    rows = source_rows(600).to_pandas()
    assert seen["id"].tolist() == rows.loc[rows["carrier"] == "UA", "id"].tolist()


def test_what_a_slow_model_leaves_of_a_single_split_is_dealt_out_to_all_slots(one_split: World) -> None:
    found = tasks_of_a_run(one_split, **SLOW)
    assert 11 in found  # of 12 batches the first task has scored one


def test_the_plan_says_whether_what_is_done_is_kept(many: World) -> None:
    def chunks(**scoring: Any) -> str:
        _, lines = preview_plan(many.spark, many.settings(scoring=scoring), as_of=AS_OF)
        return dict(lines)["chunks"]

    assert chunks() == chunks(transport="arrow") == "kept every 5 minutes"
    assert chunks(transport="pandas_udf").startswith("one:")
