"""What tasks summarise while they score reaches the driver with the files of the stage, each part once. No Spark."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable

from sparkscore.errors import PredictError
from sparkscore.records import (
    PassSummaries,
    SampledSummary,
    SplitPosition,
    Stage,
    StagedFile,
    TableLocation,
)
from sparkscore.schemas import REJECT_TYPE
from sparkscore.stage.file_writer import write_stage_files
from sparkscore.stage.part_summaries import PartSummaries
from sparkscore.stage.staged_states import StagedStates, StatesMissing
from sparkscore.store.file_commit import CommitGuard, commit_files
from sparkscore.store.table_log import TableLog

SCHEMA = pa.schema([("id", pa.int64()), ("prediction", pa.float64()), ("_reject", REJECT_TYPE)])


@dataclass
class IdListState:
    ids: list[int] = field(default_factory=list)
    failing: bool = False

    def add(self, batch: pa.RecordBatch) -> None:
        if self.failing:
            raise ValueError("this summary fails")
        self.ids += batch.column("id").to_pylist()

    def to_bytes(self) -> bytes:
        return json.dumps(self.ids).encode()


@dataclass(frozen=True)
class IdList:
    """The ids of the rows."""

    name: str
    fingerprint: str = "one"
    columns: tuple[str, ...] = ("id",)
    failing: bool = False

    def start(self) -> IdListState:
        return IdListState(failing=self.failing)


@dataclass
class FirstOfEachBatch:
    """Rows of which the sample is the first of each batch."""

    ranges: int = 1
    position: SplitPosition = (0, 0)
    layout: tuple[int, int] = (0, 0)
    share_read: float = 1.0

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        return iter(())

    def sample_slices(self, share: float) -> Sequence[tuple[int, int]]:
        return [(0, 1)] if share else []


def batch(*ids: int, rejected: bool = False) -> pa.RecordBatch:
    reject = {"code": "row_error", "error": "ValueError", "message": "…"} if rejected else None
    rows = [{"id": one, "prediction": None if rejected else 0.5, "_reject": reject} for one in ids]
    return pa.RecordBatch.from_pylist(rows, schema=SCHEMA)


SOURCE, SAMPLE, STAGED = IdList("input_gate"), IdList("input_profile"), IdList("output_gate")
WANTED = PassSummaries((SampledSummary(SOURCE), SampledSummary(SAMPLE, 0.5)), (STAGED,))


def write_part(folder: Path, *batches: pa.RecordBatch, wanted: PassSummaries = WANTED) -> list[StagedFile]:
    """One part, as a task of the scan writes it."""
    location, found = TableLocation(str(folder), str(folder)), PartSummaries(wanted)
    rows = found.follow_staged(found.follow_source(batches, FirstOfEachBatch()))
    return write_stage_files(rows, SCHEMA, location, "id", found.to_file_notes)


def commit_parts(folder: Path, *files: StagedFile) -> StagedStates:
    """The stage with these files."""
    location = TableLocation(str(folder), str(folder))
    version = commit_files(location, SCHEMA, files, CommitGuard("test", 1, "{}"))
    assert version is not None
    return StagedStates(TableLog(location), Stage("s", str(folder), version, sum(file.rows for file in files), 0))


def merged_ids(states: StagedStates, summary: IdList, *, share: float = 1.0) -> list[int]:
    return sorted(one for state in states.iterate_states(summary, share=share) for one in json.loads(state))


def test_each_row_of_the_parts_that_are_committed_is_in_the_states_once(tmp_path: Path) -> None:
    first = write_part(tmp_path, batch(1, 2), batch(3, rejected=True), batch(4))
    write_part(tmp_path, batch(5, 6))  # by a task that is not counted: nobody commits its file
    second = write_part(tmp_path, batch(5, 6))
    states = commit_parts(tmp_path, *first, *second)
    assert len(first) == 2
    assert merged_ids(states, SOURCE) == merged_ids(states, STAGED) == [1, 2, 3, 4, 5, 6]
    assert merged_ids(states, SAMPLE, share=0.5) == [1, 3, 4, 5]
    with pytest.raises(StatesMissing, match="no input_profile"):
        merged_ids(states, SAMPLE, share=0.6)


def test_the_files_metadata_is_read_once_for_all_summaries(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    states, read = commit_parts(tmp_path, *write_part(tmp_path, batch(1)), *write_part(tmp_path, batch(2))), []
    read_metadata = pq.read_metadata

    def note_and_read(path: str, **more: Any) -> pq.FileMetaData:
        read.append(path)
        return read_metadata(path, **more)

    monkeypatch.setattr(pq, "read_metadata", note_and_read)
    assert merged_ids(states, SOURCE) == merged_ids(states, STAGED) == [1, 2]
    assert len(read) == 2


def test_a_part_without_rows_and_a_stage_without_files_have_the_state_of_no_rows(tmp_path: Path) -> None:
    assert write_part(tmp_path) == []
    assert merged_ids(commit_parts(tmp_path), SOURCE) == []


def test_a_state_of_another_suite_is_not_used(tmp_path: Path) -> None:
    states = commit_parts(tmp_path, *write_part(tmp_path, batch(1)))
    with pytest.raises(StatesMissing, match="no input_gate"):
        merged_ids(states, IdList("input_gate", "another"))


def test_files_of_an_older_version_have_no_states(tmp_path: Path) -> None:
    location = TableLocation(str(tmp_path), str(tmp_path))
    older = write_stage_files(iter([batch(1)]), SCHEMA, location, "id")
    states = commit_parts(tmp_path, *older, *write_part(tmp_path, batch(2)))
    with pytest.raises(StatesMissing, match="no input_gate"):
        merged_ids(states, SOURCE)


def test_states_are_not_used_once_a_file_has_left_the_stage(tmp_path: Path) -> None:
    states = commit_parts(tmp_path, *write_part(tmp_path, batch(1)), *write_part(tmp_path, batch(2, 3)))
    table = DeltaTable(str(tmp_path))
    table.delete("id = 1")
    later = StagedStates(states.log, Stage("s", str(tmp_path), table.version(), 3, 0))
    with pytest.raises(StatesMissing, match="2 rows instead of 3"):
        merged_ids(later, SOURCE)


def test_a_summary_that_fails_is_missing_and_fails_neither_the_task_nor_the_others(tmp_path: Path) -> None:
    failing = IdList("output_gate", failing=True)
    wanted = PassSummaries((SampledSummary(SOURCE),), (failing,))
    states = commit_parts(tmp_path, *write_part(tmp_path, batch(1, 2), wanted=wanted))
    assert merged_ids(states, SOURCE) == [1, 2]
    with pytest.raises(StatesMissing):
        merged_ids(states, failing)


def test_a_task_that_fails_leaves_no_file_with_a_state(tmp_path: Path) -> None:
    def failing() -> Iterator[pa.RecordBatch]:
        yield batch(1)
        raise PredictError("broke")

    found, location = PartSummaries(WANTED), TableLocation(str(tmp_path), str(tmp_path))
    with pytest.raises(PredictError):
        write_stage_files(
            found.follow_source(failing(), FirstOfEachBatch()), SCHEMA, location, "id", found.to_file_notes
        )
    assert list(tmp_path.iterdir()) == []


def test_the_rows_and_columns_of_the_files_are_the_same_with_and_without_states(tmp_path: Path) -> None:
    for folder, wanted in ((tmp_path / "with", WANTED), (tmp_path / "without", PassSummaries())):
        folder.mkdir()
        write_part(folder, batch(1, 2), batch(3, rejected=True), wanted=wanted)
    tables = [
        sorted(map(str, (pq.read_table(file).to_pydict() for file in (tmp_path / name).iterdir())))
        for name in ("with", "without")
    ]
    assert tables[0] == tables[1]
