"""Exports to folders."""

import json
import threading
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sparkscore.errors import ConfigError, ExportFailed
from sparkscore.export.folder_export import FolderExport
from sparkscore.export.target_files import TargetFiles
from sparkscore.records import TableLocation, TargetState
from tests.export.rows import AS_OF, published


def folder_export(folder: Path, kind: str = "parquet") -> FolderExport:
    return FolderExport(TableLocation(str(folder), str(folder)), name="bi", kind=kind, path=str(folder))


def pointer(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "2013-12-31T000000Z" / "_current.json").read_text())
    return found


def ids(folder: Path) -> list[int]:
    found = pointer(folder)
    files = [folder / "2013-12-31T000000Z" / found["folder"] / file["name"] for file in found["files"]]
    return sorted(number for file in files for number in pq.read_table(file)["id"].to_pylist())


def versions(folder: Path) -> list[str]:
    return sorted(path.name[:9] for path in (folder / "2013-12-31T000000Z").iterdir() if path.is_dir())


def test_a_pointer_names_the_files_of_the_newest_revision(tmp_path: Path) -> None:
    target = folder_export(tmp_path)
    run, rows = published(5)
    assert target.replace_rows(run, rows) == TargetState(run.run_id, 1)
    assert ids(tmp_path) == [0, 1, 2, 3, 4]
    target.replace_rows(*published(3, revision=2))
    assert ids(tmp_path) == [0, 1, 2]
    assert {name: pointer(tmp_path)[name] for name in ("job", "revision", "rows", "as_of")} == {
        "job": "late",
        "revision": 2,
        "rows": 3,
        "as_of": "2013-12-31T00:00:00Z",
    }


def test_a_second_call_writes_nothing(tmp_path: Path) -> None:
    run, rows = published(5)
    folder_export(tmp_path).replace_rows(run, rows)
    before = pointer(tmp_path)
    folder_export(tmp_path).replace_rows(run, rows)
    assert (pointer(tmp_path), versions(tmp_path)) == (before, ["r00000001"])


def test_a_slow_export_of_an_older_revision_never_sets_the_pointer_back(tmp_path: Path) -> None:
    slow = published(4, then=lambda: folder_export(tmp_path).replace_rows(*published(2, revision=2)))
    assert folder_export(tmp_path).replace_rows(*slow).revision == 2
    assert ids(tmp_path) == [0, 1]
    assert folder_export(tmp_path).replace_rows(*published(4)).revision == 2


def test_a_job_that_began_anew_replaces_its_first_revision(tmp_path: Path) -> None:
    for name in ("f" * 64, "0" * 63 + "1"):
        run, rows = published(3)
        run = replace(run, run_id=name)
        assert folder_export(tmp_path).replace_rows(run, rows).run_id == name == pointer(tmp_path)["run_id"]


def test_two_exports_of_one_run_at_once_leave_one_copy(tmp_path: Path) -> None:
    slow = published(4, then=lambda: folder_export(tmp_path).replace_rows(*published(4)))
    assert folder_export(tmp_path).replace_rows(*slow) == TargetState(slow[0].run_id, 1)
    assert (ids(tmp_path), versions(tmp_path)) == ([0, 1, 2, 3], ["r00000001"])


def test_exports_of_many_revisions_at_once_end_with_the_newest(tmp_path: Path) -> None:
    work = [
        threading.Thread(target=folder_export(tmp_path).replace_rows, args=published(count, revision=count))
        for count in (3, 7, 5, 6, 2, 4)
    ]
    for thread in work:
        thread.start()
    for thread in work:
        thread.join()
    assert ids(tmp_path) == list(range(7))


def test_a_folder_is_claimed_once_where_files_have_no_links_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(Path, "hardlink_to", refuse)
    files = TargetFiles(TableLocation(str(tmp_path), str(tmp_path)))
    assert [files.create_json("x.json", {"n": n}) for n in (1, 2)] == [True, False]
    assert files.read_json("x.json") == {"n": 1}
    assert [path.name for path in tmp_path.iterdir()] == ["x.json"]


def test_the_version_before_stays_for_those_who_read_it(tmp_path: Path) -> None:
    for revision in (1, 2, 3):
        folder_export(tmp_path).replace_rows(*published(revision, revision=revision))
    assert versions(tmp_path) == ["r00000002", "r00000003"]


def test_other_as_ofs_are_left_alone(tmp_path: Path) -> None:
    folder_export(tmp_path).replace_rows(*published(5))
    folder_export(tmp_path).replace_rows(*published(2, as_of=AS_OF + timedelta(hours=6)))
    assert ids(tmp_path) == [0, 1, 2, 3, 4]
    assert (tmp_path / "2013-12-31T060000Z" / "_current.json").is_file()


def test_what_fails_in_the_middle_leaves_nothing(tmp_path: Path) -> None:
    def fail() -> None:
        raise OSError(28, "No space left on device")

    folder_export(tmp_path).replace_rows(*published(2))
    with pytest.raises(ExportFailed, match="no space left"):
        folder_export(tmp_path).replace_rows(*published(4, revision=2, then=fail))
    assert (ids(tmp_path), versions(tmp_path)) == ([0, 1], ["r00000001"])


def test_rows_that_are_fewer_than_published_are_not_exported(tmp_path: Path) -> None:
    run, _ = published(5)
    with pytest.raises(ExportFailed, match="4 rows of run"):
        folder_export(tmp_path).replace_rows(run, published(4)[1])
    assert versions(tmp_path) == []


def test_a_folder_of_another_job_is_refused(tmp_path: Path) -> None:
    folder_export(tmp_path).replace_rows(*published(5))
    with pytest.raises(ConfigError, match="belongs to the parquet export of the job late"):
        folder_export(tmp_path).replace_rows(*published(5, job="other"))
    assert folder_export(tmp_path).find_owner() == "late"


def test_a_run_without_rows_has_a_file_with_its_columns(tmp_path: Path) -> None:
    folder_export(tmp_path).replace_rows(*published(0))
    assert ids(tmp_path) == []


def test_text_that_looks_like_csv_stays_text(tmp_path: Path) -> None:
    target = folder_export(tmp_path, "csv")
    target.replace_rows(*published(3))
    text = (tmp_path / "2013-12-31T000000Z" / pointer(tmp_path)["folder"] / "part-00000.csv").read_text()
    assert text.splitlines()[:2] == [
        '"id","Order ""No","prediction","run_id","as_of"',
        f'0,,0,"{1:064x}",2013-12-31 00:00:00.000000Z',
    ]


@pytest.mark.parametrize(
    ("kind", "column"),
    [("csv", pa.list_(pa.int64())), ("csv", pa.binary()), ("parquet", pa.null()), ("csv", pa.struct([]))],
)
def test_types_that_a_format_does_not_have_are_refused_with_the_cure(
    tmp_path: Path, kind: str, column: pa.DataType
) -> None:
    with pytest.raises(ConfigError, match="columns"):
        folder_export(tmp_path, kind).check_columns(pa.schema([("id", pa.int64()), ("scores", column)]), ("id",))


def test_a_delta_table_is_no_folder_for_exports(tmp_path: Path) -> None:
    (tmp_path / "_delta_log").mkdir()
    with pytest.raises(ConfigError, match="is a Delta table"):
        folder_export(tmp_path).check_columns(pa.schema([("id", pa.int64())]), ("id",))
