"""A stage in several commits, by one attempt and by two at once. Real Delta; the files are real, too."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pytest
from pyspark.sql import SparkSession

from sparkscore.errors import PublishConflict
from sparkscore.ingest.part_reader import PartReader
from sparkscore.records import FileScan, ScoredPart, SplitPart, SplitPosition, Stage, TableLocation
from sparkscore.schemas import REJECT_TYPE
from sparkscore.spark.isolated_session import create_run_session
from sparkscore.stage.chunk_committer import ChunkCommitter
from sparkscore.stage.file_writer import write_stage_files
from sparkscore.stage.stage_store import StageStore
from sparkscore.store.file_commit import create_write_folder
from tests.publish.test_publish_run import RUN

SCHEMA = pa.schema([("id", pa.int64()), ("prediction", pa.float64()), ("_reject", REJECT_TYPE)])


class Nothing:
    """These tests bring the files of the splits themselves."""

    def __call__(self, split: bytes) -> Iterator[pa.RecordBatch]:
        return iter(())

    def read_part(self, split: bytes, first: SplitPosition, last: SplitPosition | None) -> PartReader:
        return PartReader(lambda *_: iter(()), (), first, last)

    def range_lengths(self, split: bytes) -> tuple[int, ...]:
        return (100,)

    def describe(self, split: bytes) -> str:
        return split.decode()

    def with_share(self, share: float) -> "Nothing":
        return self


SCAN = FileScan((b"0", b"1", b"2", b"3"), Nothing(), 4, 100, 1_000, "plan")
NEVER = 1e9


class Bench:
    """A stage of four splits with ten rows each."""

    def __init__(self, spark: SparkSession, folder: Path) -> None:
        self.spark, self.root = create_run_session(spark), str(folder)
        self.store = StageStore(self.spark, RUN, self.root)
        location = self.store.location
        assert location is not None
        self.location: TableLocation = location
        create_write_folder(location)

    def attempt(self, scan: FileScan = SCAN) -> ChunkCommitter:
        store = StageStore(self.spark, RUN, self.root)
        return ChunkCommitter(store, self.location, schema=SCHEMA, scan=scan, progress=store.load_progress())

    def split(self, number: int) -> ScoredPart:
        """All of it: two ranges of five rows."""
        return self.part(number, (0, 0), (2, 0))

    def part(self, number: int, first: SplitPosition, last: SplitPosition) -> ScoredPart:
        places = range(first[0] * 5 + first[1], last[0] * 5 + last[1])
        rows = [{"id": number * 10 + one, "prediction": 0.5, "_reject": None} for one in places]
        files = write_stage_files(iter([pa.RecordBatch.from_pylist(rows, schema=SCHEMA)]), SCHEMA, self.location, "id")
        return ScoredPart(number, first, last, 2, tuple(files))

    def stage(self) -> Stage | None:
        return self.store.find_complete_stage()

    def ids(self) -> list[int]:
        return sorted(row["id"] for row in self.store.table.load_rows().collect())


@pytest.fixture
def bench(spark: SparkSession, tmp_path: Path) -> Bench:
    return Bench(spark, tmp_path)


def test_what_is_done_within_the_time_of_a_chunk_is_one_commit(bench: Bench) -> None:
    chunks = bench.attempt()
    for number in range(4):
        chunks.add([bench.split(number)], every_s=NEVER)
    assert chunks.progress.version == -1
    chunks.commit()
    assert (chunks.progress.version, chunks.missing) == (0, [])
    assert bench.stage() == bench.store.build_record(chunks.progress, chunks_reused=1)
    assert bench.ids() == list(range(40))


def test_an_attempt_that_died_leaves_its_chunks_and_the_next_adds_what_is_missing(bench: Bench) -> None:
    first = bench.attempt()
    first.add([bench.split(2)], every_s=0)
    first.add([bench.split(0)], every_s=NEVER)  # done, and in no commit when it dies
    assert bench.stage() is None
    second = bench.attempt()
    assert second.missing == [SplitPart(0), SplitPart(1), SplitPart(3)]
    second.add([bench.split(part.split) for part in second.missing], every_s=0)
    stage = bench.stage()
    assert stage is not None
    assert (stage.rows, stage.chunks_reused, stage.keys_ascend) == (40, 2, True)
    assert bench.ids() == list(range(40))


def test_two_attempts_beside_one_another_add_each_split_once(bench: Bench) -> None:
    one, other = bench.attempt(), bench.attempt()
    one.add([bench.split(0), bench.split(1)], every_s=0)
    other.add([bench.split(1), bench.split(2), bench.split(3)], every_s=0)
    one.add([bench.split(2), bench.split(3)], every_s=0)
    assert (one.missing, other.missing) == ([], [])
    assert bench.ids() == list(range(40))


def test_of_a_split_that_is_done_in_part_only_the_rest_is_missing(bench: Bench) -> None:
    first = bench.attempt()
    first.add([bench.part(1, (0, 2), (1, 3)), *(bench.split(number) for number in (0, 2, 3))], every_s=0)
    assert bench.stage() is None
    second = bench.attempt()
    assert [(part.split, part.first, part.last) for part in second.missing] == [
        (1, (0, 0), (0, 2)),
        (1, (1, 3), (2, 0)),
    ]
    second.add([bench.part(1, (0, 0), (0, 2)), bench.part(1, (1, 3), (2, 0))], every_s=0)
    stage = bench.stage()
    assert stage is not None
    assert (stage.rows, stage.keys_ascend) == (40, True)
    assert bench.ids() == list(range(40))


def test_parts_of_two_attempts_that_overlap_are_added_once_and_the_rest_stays_missing(bench: Bench) -> None:
    one, other = bench.attempt(), bench.attempt()
    one.add([bench.part(0, (0, 0), (1, 1))], every_s=0)
    other.add([bench.part(0, (0, 3), (2, 0)), bench.split(1)], every_s=0)
    assert bench.ids() == [*range(6), *range(10, 20)]
    assert [(part.split, part.first, part.last) for part in other.missing] == [
        (0, (1, 1), (2, 0)),
        (2, (0, 0), None),
        (3, (0, 0), None),
    ]


def test_of_a_task_that_ran_twice_one_result_counts(bench: Bench) -> None:
    chunks = bench.attempt()
    twice = [bench.split(0), bench.split(0), bench.part(1, (0, 0), (1, 2)), bench.split(1)]
    chunks.add([*twice, bench.split(2), bench.split(3)], every_s=0)
    assert [(part.split, part.first) for part in chunks.missing] == [(1, (1, 2))]
    chunks.add([bench.split(1), bench.part(1, (1, 2), (2, 0))], every_s=0)
    stage = bench.stage()
    assert stage is not None
    assert (stage.rows, stage.keys_ascend) == (40, True)
    assert bench.ids() == list(range(40))


def test_chunks_of_another_file_plan_are_refused(bench: Bench) -> None:
    chunks = bench.attempt()
    bench.attempt(replace(SCAN, plan="other")).add([bench.split(0)], every_s=0)
    with pytest.raises(PublishConflict, match="one attempt at a time"):
        chunks.add([bench.split(1)], every_s=0)
    assert bench.ids() == list(range(10))


def test_splits_without_rows_make_a_whole_stage_without_rows(bench: Bench) -> None:
    chunks = bench.attempt()
    chunks.add([ScoredPart(number, (0, 0), (2, 0), 2) for number in range(4)], every_s=NEVER)
    chunks.commit()
    stage = bench.stage()
    assert stage is not None
    assert stage.rows == 0


def test_a_stage_that_is_thrown_away_is_begun_again_in_the_same_place(bench: Bench) -> None:
    chunks = bench.attempt()
    chunks.add([bench.split(0)], every_s=0)
    past = bench.store.reset(past=chunks.progress)
    assert (past.has_started, past.version, bench.ids()) == (False, 1, [])
    again = bench.attempt()
    again.add([bench.split(part.split) for part in again.missing], every_s=0)
    assert bench.ids() == list(range(40))
