"""What a task writes and tells; no Spark."""

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sparkscore.errors import AccessDenied, PredictError
from sparkscore.records import ScoredPart, StagedFile, TableLocation
from sparkscore.schemas import REJECT_TYPE
from sparkscore.stage.file_writer import write_stage_files
from sparkscore.stage.stage_progress import build_chunk_note, progress_from_commits

SCHEMA = pa.schema([("id", pa.int64()), ("prediction", pa.float64()), ("_reject", REJECT_TYPE)])


def batch(*ids: int | None, rejected: int = 0) -> pa.RecordBatch:
    rejects = [{"code": "null_key", "message": ""}] * rejected + [None] * (len(ids) - rejected)
    rows = [{"id": key, "prediction": 0.5, "_reject": reject} for key, reject in zip(ids, rejects, strict=True)]
    return pa.RecordBatch.from_pylist(rows, schema=SCHEMA)


def write(folder: Path, *batches: pa.RecordBatch) -> list[StagedFile]:
    return write_stage_files(iter(batches), SCHEMA, TableLocation(str(folder), str(folder)), "id")


def test_a_file_holds_the_rows_and_the_task_tells_how_many(tmp_path: Path) -> None:
    (part,) = write(tmp_path, batch(1, 2), batch(3))
    file = tmp_path / part.path
    assert pq.read_table(file)["id"].to_pylist() == [1, 2, 3]
    assert (part.rows, part.rejected, part.bytes) == (3, 0, file.stat().st_size)
    assert (part.ascending, part.first, part.last) == (True, 1, 3)


def test_batches_with_rejects_have_a_file_of_their_own_and_others_no_column_for_them(tmp_path: Path) -> None:
    plain, mixed = write(tmp_path, batch(1, 2), batch(3, 4, rejected=1), batch(5))
    assert pq.read_table(tmp_path / plain.path).column_names == ["id", "prediction"]
    assert pq.read_table(tmp_path / mixed.path).to_pylist() == batch(3, 4, rejected=1).to_pylist()
    assert [(part.rows, part.rejected) for part in (plain, mixed)] == [(3, 0), (2, 1)]


def test_no_rows_make_no_file(tmp_path: Path) -> None:
    assert write(tmp_path) == []
    assert list(tmp_path.iterdir()) == []


def test_a_task_that_fails_leaves_no_file(tmp_path: Path) -> None:
    def failing() -> Iterator[pa.RecordBatch]:
        yield batch(1)
        raise PredictError("broke")

    with pytest.raises(PredictError):
        write_stage_files(failing(), SCHEMA, TableLocation(str(tmp_path), str(tmp_path)), "id")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(AccessDenied, match="cannot write to the stage"):
        write(tmp_path / "nowhere", batch(1))


@pytest.mark.parametrize("ids", [[1, 1], [2, 1], [1, None], [None], [None, 1]])
def test_equal_falling_and_absent_keys_do_not_ascend(tmp_path: Path, ids: list[int | None]) -> None:
    (together,) = write(tmp_path, batch(*ids))
    (apart,) = write(tmp_path, *(batch(key) for key in ids))
    assert (together.ascending, apart.ascending) == (False, False)


@settings(max_examples=200)
@given(files=st.lists(st.lists(st.integers(0, 30), min_size=1, max_size=5), min_size=1, max_size=5))
def test_where_keys_are_said_to_be_unique_they_are(
    tmp_path_factory: pytest.TempPathFactory, files: list[list[int]]
) -> None:
    folder = tmp_path_factory.getbasetemp()
    parts = [part for ids in files for part in write(folder, *(batch(key) for key in ids))]
    for part in parts:
        (folder / part.path).unlink()
    keys = [key for ids in files for key in ids]
    rising = all(ids == sorted(set(ids)) for ids in files)
    ranges = sorted((ids[0], ids[-1]) for ids in files)
    apart = all(before[1] < after[0] for before, after in pairwise(ranges))
    proven = progress_from_commits(
        [(0, build_chunk_note("plan", 1, 1, [ScoredPart(0, (0, 0), (1, 0), 1, tuple(parts))]))]
    ).keys_ascend
    assert proven == (rising and apart)
    assert not proven or len(set(keys)) == len(keys)
