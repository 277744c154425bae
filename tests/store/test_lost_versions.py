"""Which versions of a table can no longer be read. Tables are written without Spark; Spark is the judge in one test."""

from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake
from pyspark.sql import SparkSession

from sparkscore.records import TableRef
from sparkscore.store.lost_versions import FILES_ARE_GONE, LOG_IS_GONE, find_lost_versions
from sparkscore.store.table import Table

ROWS = pa.table({"id": [1, 2, 3]})


@pytest.fixture
def path(tmp_path: Path) -> str:
    """Versions 0 to 5: two appends, an overwrite, two appends, an overwrite."""
    where = str(tmp_path / "grown")
    for mode in ("append", "append", "overwrite", "append", "append", "overwrite"):
        write_deltalake(where, ROWS, mode=mode)
    return where


def table(path: str, spark: SparkSession | None = None) -> Table:
    return Table(spark, TableRef("grown", path))


def vacuum(path: str) -> None:
    DeltaTable(path).vacuum(retention_hours=0, dry_run=False, enforce_retention_duration=False)


def test_all_versions_of_a_table_that_nobody_has_cleaned_up_are_there(path: str) -> None:
    assert find_lost_versions(table(path), range(6)) == {}


def test_of_a_vacuumed_table_only_versions_whose_files_all_remain_are_left(path: str) -> None:
    write_deltalake(path, ROWS, mode="append")
    vacuum(path)
    assert find_lost_versions(table(path), range(7)) == dict.fromkeys(range(5), FILES_ARE_GONE)


def test_a_single_file_that_is_gone_loses_the_versions_that_need_it(path: str) -> None:
    (added,) = set(DeltaTable(path, version=3).file_uris()) - set(DeltaTable(path, version=2).file_uris())
    Path(added.removeprefix("file://")).unlink()
    assert find_lost_versions(table(path), range(6)) == {3: FILES_ARE_GONE, 4: FILES_ARE_GONE}
    assert find_lost_versions(table(path), [2, 5]) == {}


def test_a_log_that_was_cleaned_up_leaves_what_a_checkpoint_begins(path: str, spark: SparkSession) -> None:
    DeltaTable(path, version=3).create_checkpoint()
    log = Path(path, "_delta_log")
    (log / f"{0:020}.json").unlink()
    lost = find_lost_versions(table(path), range(6))
    assert lost == dict.fromkeys(range(3), LOG_IS_GONE)
    for version in range(3, 6):
        assert spark.read.format("delta").option("versionAsOf", version).load(path).count() > 0


def test_spark_tells_the_same_of_a_log_that_only_spark_reads(path: str, spark: SparkSession) -> None:
    DeltaTable(path, version=3).create_checkpoint()
    (Path(path, "_delta_log") / f"{0:020}.json").unlink()
    asked = table(path, spark)
    asked._access._is_unsure = True
    assert find_lost_versions(asked, [1, 4]) == {1: LOG_IS_GONE}


def test_no_versions_ask_for_nothing(tmp_path: Path) -> None:
    assert find_lost_versions(table(str(tmp_path / "nowhere")), []) == {}
