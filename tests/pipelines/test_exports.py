"""Exports of whole runs: after the publication, made up for by later calls, and never in the way of readers."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv as pcsv
import pyarrow.parquet as pq
import pytest

from sparkscore import ConfigError, rollback, score
from sparkscore.records import RunReport
from sparkscore.settings import Settings
from tests.world import AS_OF, World, source_rows

FOLDER = "2013-12-31T000000Z"


def exporting(world: World, folder: Path, **changes: Any) -> Settings:
    exports = [
        {"name": "files", "format": "parquet", "path": str(folder / "parquet"), **changes},
        {"name": "texts", "format": "csv", "path": str(folder / "csv"), "columns": ["prediction"]},
    ]
    return world.settings(output={"exports": exports})


def current(folder: Path) -> dict[str, Any]:
    pointer: dict[str, Any] = json.loads((folder / FOLDER / "_current.json").read_text())
    return pointer


def exported(folder: Path) -> pa.Table:
    pointer = current(folder)
    files = [folder / FOLDER / pointer["folder"] / file["name"] for file in pointer["files"]]
    return pa.concat_tables([pq.read_table(file) for file in files])


def told(world: World) -> list[tuple[str, str | None]]:
    rows = world.table("predictions_runs").where("event = 'exported'").orderBy("at").collect()
    return [(json.loads(row["details"])["export"]["name"], row["error"]) for row in rows]


def assert_files_hold_what_is_visible(world: World, folder: Path, report: RunReport) -> None:
    rows, seen = exported(folder / "parquet").sort_by("id"), world.predictions()
    assert rows.column_names == seen.columns.to_list()
    assert rows["prediction"].to_pylist() == seen["prediction"].to_list()
    assert rows["run_id"].unique().to_pylist() == [report.run_id] == [current(folder / "parquet")["run_id"]]


def test_a_run_is_exported_after_its_publication_and_once(world: World, tmp_path: Path) -> None:
    settings = exporting(world, tmp_path)
    report = score(world.spark, settings, as_of=AS_OF)
    assert (report.status, report.exit_code) == ("published", 0)
    assert [(one.name, one.status, one.rows) for one in report.exports] == [
        ("files", "exported", 60),
        ("texts", "exported", 60),
    ]
    assert world.events() == ["started", "staged", "published", "exported", "exported"]
    assert_files_hold_what_is_visible(world, tmp_path, report)
    pointer = current(tmp_path / "csv")
    texts = pcsv.read_csv(tmp_path / "csv" / FOLDER / pointer["folder"] / "part-00000.csv")
    assert texts.column_names == ["id", "prediction", "run_id", "as_of"]
    assert sorted(texts["prediction"].to_pylist()) == sorted(world.predictions()["prediction"])

    again = score(None, settings, as_of=AS_OF)  # nothing to do, and no session to know it
    assert (again.status, again.exit_code, again.exports) == ("already_published", 0, ())
    assert len(told(world)) == 2


def test_an_export_that_fails_leaves_the_publication_and_the_next_call_makes_up_for_it(
    world: World, tmp_path: Path
) -> None:
    settings = exporting(world, tmp_path)
    (tmp_path / "parquet").write_text("in the way")
    report = score(world.spark, settings, as_of=AS_OF)
    assert (report.status, report.exit_code) == ("published", 75)
    assert [(one.name, one.status) for one in report.exports] == [("files", "failed"), ("texts", "exported")]
    assert report.error is not None
    assert (report.error.class_name, report.error.retryable) == ("ExportFailed", True)
    assert len(world.predictions()) == 60
    assert told(world) == [("texts", None), ("files", "ExportFailed")]

    (tmp_path / "parquet").unlink()
    again = score(None, settings, as_of=AS_OF)
    assert (again.status, again.exit_code, again.error) == ("already_published", 0, None)
    assert [(one.name, one.status, one.rows) for one in again.exports] == [("files", "exported", 60)]
    assert_files_hold_what_is_visible(world, tmp_path, again)
    assert asdict(score(None, settings, as_of=AS_OF))["exports"] == ()


@pytest.mark.slow
def test_a_target_shows_what_readers_see_after_a_replacement_and_after_a_rollback(world: World, tmp_path: Path) -> None:
    settings = exporting(world, tmp_path)
    first = world.begin_with()  # before the job had exports
    world.write_source(source_rows(50))
    second = score(world.spark, settings, as_of=AS_OF, replace=True)
    assert_files_hold_what_is_visible(world, tmp_path, second)
    assert current(tmp_path / "parquet")["rows"] == 50
    third, _ = rollback(world.spark, settings, as_of=AS_OF)
    assert [one.status for one in third.exports] == ["exported", "exported"]
    assert_files_hold_what_is_visible(world, tmp_path, third)
    assert (current(tmp_path / "parquet")["rows"], first.rows_scored) == (60, 60)


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({"columns": ["nowhere"]}, "nowhere"),
        ({"path": "hdfs://cluster/exports"}, "cannot be reached without Spark"),
        ({"format": "postgresql", "path": None, "table": "t", "uri_variable": "NOT_SET"}, "NOT_SET"),
        ({"format": "adbc", "path": None, "table": "t", "uri": "x", "driver": "no_such_driver"}, "no_such_driver"),
    ],
)
def test_an_export_that_cannot_be_made_is_refused_before_the_run(
    world: World, tmp_path: Path, changes: dict[str, Any], found: str
) -> None:
    with pytest.raises(ConfigError, match=found):
        score(world.spark, exporting(world, tmp_path, **changes), as_of=AS_OF)
    assert not Path(world.path("predictions")).exists()


def test_a_folder_of_another_job_is_refused_before_the_run(world: World, tmp_path: Path) -> None:
    (tmp_path / "parquet").mkdir()
    (tmp_path / "parquet" / "_export.json").write_text('{"job": "other", "format": "parquet"}')
    with pytest.raises(ConfigError, match="belongs to an export of the job other"):
        score(world.spark, exporting(world, tmp_path), as_of=AS_OF)
    assert not Path(world.path("predictions")).exists()
