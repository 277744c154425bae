"""Chunks of the transport arrow: what tasks have scored of the rows that Spark reads is kept, and never paid twice."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from delta.tables import DeltaTable as Delta
from deltalake import DeltaTable
from pyspark.sql import SparkSession

from sparkscore.errors import DeadlinePassed
from sparkscore.pipelines.score import score
from sparkscore.pipelines.shared import run_attempt
from sparkscore.records import RunReport
from sparkscore.scoring import frame_writer
from sparkscore.stage.file_spans import FileSpans
from sparkscore.stage.row_chunks import RowChunkCommitter
from tests.faults.models import Traps, watched_registry
from tests.faults.points import around
from tests.world import AS_OF, Registry, World, assert_published, source_rows

ROWS = 600
SLOW: dict[str, Any] = {"transport": "arrow", "batch_rows": 50}
"""Each job is over long before a chunk is due: it is one chunk."""


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> tuple[Registry, Traps]:
    """A model that counts what is paid for it."""
    return watched_registry(tmp_path_factory.mktemp("watched"))


@pytest.fixture
def slow(
    spark: SparkSession, watched: tuple[Registry, Traps], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> World:
    """A source of two files, and a model as slow as can be: each task keeps one batch, and leaves the rest."""
    monkeypatch.setattr(frame_writer, "LONGEST_TASK_S", 1e-9)
    world = World(spark, tmp_path / "home", watched[0])
    world.write_source(source_rows(ROWS))
    return world


def run(world: World, *, source: dict[str, Any] | None = None, **scoring: Any) -> RunReport:
    groups = {} if source is None else {"source": source}
    return score(world.spark, world.settings(scoring={**SLOW, **scoring}, **groups), as_of=AS_OF)


def stage_of(world: World) -> DeltaTable:
    (folder,) = (world.home / "stage" / "late-flights").iterdir()
    return DeltaTable(folder)


@contextmanager
def ended_after(
    monkeypatch: pytest.MonkeyPatch, chunks: int, deed: Callable[[], object] = lambda: None
) -> Iterator[None]:
    """A block in which the deadline passes once so many chunks are kept, before the next job."""
    seen: list[int] = []
    start_job = RowChunkCommitter.start_job

    def start(self: RowChunkCommitter) -> FileSpans:
        if len(seen) >= chunks:
            deed()
            raise DeadlinePassed("the run's time is over")
        return start_job(self)

    with monkeypatch.context() as patch:
        patch.setattr(RowChunkCommitter, "start_job", start)
        where = "sparkscore.stage.row_chunks:RowChunkCommitter._commit_parts"
        with contextmanager(around)(where, after=lambda: seen.append(1)), pytest.raises(DeadlinePassed):
            yield


def test_a_run_that_is_stopped_keeps_its_chunks_and_the_next_pays_for_the_rest_alone(
    slow: World, watched: tuple[Registry, Traps], monkeypatch: pytest.MonkeyPatch
) -> None:
    before, traps = watched[1].paid(), watched[1]
    with ended_after(monkeypatch, 2):
        run(slow)
    kept = stage_of(slow).to_pyarrow_table().num_rows
    assert (kept, traps.paid() - before) == (200, 200)  # two jobs of two tasks, one batch each
    assert slow.version() == -1
    report = run(slow)
    assert (report.transport, report.chunks_reused, report.rows_scored) == ("arrow", 2, ROWS)
    assert traps.paid() - before == ROWS
    assert_published(slow, report, source_rows(ROWS))


def test_rows_that_a_filter_or_a_deletion_vector_leaves_out_are_no_gap(
    slow: World, watched: tuple[Registry, Traps], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = slow.path("flights")
    slow.spark.sql(f"ALTER TABLE delta.`{path}` SET TBLPROPERTIES ('delta.enableDeletionVectors' = 'true')")
    Delta.forPath(slow.spark, path).delete("id % 7 = 0")
    wanted = [row for row in range(ROWS) if row % 7 and row % 2]
    source = {"where": [{"column": "carrier", "op": "=", "value": "UA"}]}
    before = watched[1].paid()
    with ended_after(monkeypatch, 1):
        run(slow, source=source)
    report = run(slow, source=source)
    assert (report.rows_read, report.rows_scored, report.chunks_reused) == (len(wanted), len(wanted), 1)
    assert slow.predictions()["id"].tolist() == wanted
    assert watched[1].paid() - before == len(wanted)


def test_a_task_that_is_quick_enough_scores_all_its_rows_in_one_job_and_one_chunk(world: World) -> None:
    report = run(world, batch_rows="auto")
    assert_published(world, report, source_rows())
    assert stage_of(world).version() == 0


def test_another_number_of_tasks_goes_on_with_the_same_rows(
    slow: World, watched: tuple[Registry, Traps], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = watched[1].paid()
    with ended_after(monkeypatch, 2):
        run(slow)
    monkeypatch.setattr(run_attempt, "count_task_slots", lambda _: 64)
    report = run(slow)
    assert (report.chunks_reused, watched[1].paid() - before) == (2, ROWS)
    assert_published(slow, report, source_rows(ROWS))


def test_two_attempts_at_once_share_the_work_and_no_row_is_there_twice(
    slow: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def overtake() -> None:
        run(slow)

    once = iter([overtake])
    where = "sparkscore.stage.row_chunks:RowChunkCommitter._commit_parts"
    with contextmanager(around)(where, before=lambda: [one() for one in once]):
        report = run(slow)
    rows = stage_of(slow).to_pyarrow_table()
    assert rows.num_rows == ROWS
    assert len(set(rows["id"].to_pylist())) == ROWS
    assert report.status in ("published", "already_published", "superseded")
    assert slow.predictions()["id"].tolist() == list(range(ROWS))


def test_a_stage_of_the_scan_is_thrown_away_by_the_transport_arrow_and_the_other_way_round(
    slow: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ended_after(monkeypatch, 1):
        run(slow)
    report = run(slow, transport="scan")
    assert report.chunks_reused == 0
    assert any("is discarded" in warning for warning in report.warnings)
    assert_published(slow, report, source_rows(ROWS))
