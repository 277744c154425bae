"""Commits of upkeep beside those of a run, and folders."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pytest
from delta.tables import DeltaTable
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from sparkscore.errors import ConfigError
from sparkscore.records import TableRef
from sparkscore.schemas import ContractColumn, prediction_contract
from sparkscore.store import (
    commit_history,
    file_maintenance,
    guarded_writes,
    hadoop_folders,
    retention,
    table_contracts,
)
from sparkscore.store.table import Table
from sparkscore.store.table_contracts import EXPIRED_PROPERTY

OLD = datetime(2013, 12, 1, 6, tzinfo=UTC)
NEW = datetime(2013, 12, 31, 6, tzinfo=UTC)
BETWEEN = date(2013, 12, 15)
CONTRACT = prediction_contract(
    [ContractColumn("id", pa.int64(), "key", nullable=False)], pa.float64(), [], threshold=None
)


@pytest.fixture
def table(spark: SparkSession, tmp_path: Path) -> TableRef:
    ref = TableRef("p", str(tmp_path / "a folder" / "p"))
    table_contracts.ensure_table(Table(spark, ref), CONTRACT, job="job")
    return ref


def rows(spark: SparkSession, as_of: datetime, *, count: int = 4, files: int = 1) -> DataFrame:
    constants = {
        "prediction": F.lit(0.5),
        "model_name": F.lit("m"),
        "model_version": F.lit("1"),
        "model_id": F.lit("m-1"),
        "run_id": F.lit("run"),
        "source_version": F.lit(0).cast("long"),
        "as_of": F.lit(as_of),
        "as_of_date": F.lit(as_of.date()),
        "scored_at": F.lit(as_of),
    }
    frame = spark.range(0, count, 1, files)
    return frame.select("id", *(column.alias(name) for name, column in constants.items()))


def write(spark: SparkSession, table: TableRef, as_of: datetime, *, files: int = 1) -> None:
    guarded_writes.append_rows(rows(spark, as_of, count=4 * files, files=files), Table(spark, table))


def commits(spark: SparkSession, table: TableRef) -> list[tuple[str, int]]:
    """Operation and the version that it has read, newest first."""
    found = DeltaTable.forPath(spark, str(table.path)).history().orderBy(F.col("version").desc()).collect()
    return [(row["operation"], row["readVersion"]) for row in found]


@contextmanager
def publishing(spark: SparkSession, table: TableRef, as_of: datetime, folder: Path) -> Iterator[None]:
    """A MERGE that has begun before the block and commits after it."""
    begun, go = folder / "begun", folder / "go"

    def slowly(value: float) -> float:
        begun.touch()
        while not go.exists():
            time.sleep(0.05)
        return value

    delayed = F.udf(slowly, "double", useArrow=False)
    source = rows(spark.newSession(), as_of).withColumn("prediction", delayed(F.lit(0.7)))
    with ThreadPoolExecutor(1) as pool:
        target = Table(spark, table)
        merged = pool.submit(guarded_writes.merge_into_table, source, target, keys=["id"], as_of=as_of)
        try:
            while not begun.exists() and not merged.done():
                time.sleep(0.05)
            yield
        finally:
            go.touch()
        merged.result()


def values(spark: SparkSession, table: TableRef) -> list[tuple[date, float]]:
    found = Table(spark, table).load_rows().select("as_of_date", "prediction").distinct().collect()
    return sorted((row[0], row[1]) for row in found)


def test_expired_rows_are_counted_by_as_of(spark: SparkSession, table: TableRef) -> None:
    write(spark, table, OLD)
    write(spark, table, OLD + timedelta(hours=1))
    write(spark, table, NEW)
    assert retention.count_expired_rows(Table(spark, table), before=BETWEEN) == {OLD: 4, OLD + timedelta(hours=1): 4}
    assert retention.count_expired_rows(Table(spark, TableRef("x", "/nowhere/x")), before=BETWEEN) == {}


def test_a_publish_of_a_kept_date_is_in_no_conflict_with_the_deletion(
    spark: SparkSession, table: TableRef, tmp_path: Path
) -> None:
    write(spark, table, OLD)
    write(spark, table, NEW)
    with publishing(spark, table, NEW, tmp_path):
        retention.delete_expired_rows(Table(spark, table), before=BETWEEN, job="job")
    assert commits(spark, table)[:2] == [("MERGE", 2), ("DELETE", 2)]
    assert values(spark, table) == [(NEW.date(), 0.7)]


def test_a_publish_of_a_date_that_is_compacted_meanwhile_is_tried_again_and_holds(
    spark: SparkSession, table: TableRef, tmp_path: Path
) -> None:
    write(spark, table, NEW, files=2)
    with publishing(spark, table, NEW, tmp_path):
        assert (
            file_maintenance.compact_partition(
                Table(spark, table), file_maintenance.SmallFilePartition(NEW.date(), 2), job="job"
            )
            == 2
        )
    assert commits(spark, table)[:2] == [("MERGE", 2), ("OPTIMIZE", 1)]
    assert Table(spark, table).load_rows().where("prediction = 0.7").count() == 4


def test_only_partitions_with_many_small_files_are_compacted(spark: SparkSession, table: TableRef) -> None:
    write(spark, table, OLD, files=file_maintenance.MIN_FILES_TO_COMPACT)
    write(spark, table, NEW, files=file_maintenance.MIN_FILES_TO_COMPACT - 1)
    assert file_maintenance.find_small_file_partitions(Table(spark, table)) == [
        file_maintenance.SmallFilePartition(OLD.date(), file_maintenance.MIN_FILES_TO_COMPACT)
    ]
    assert (
        file_maintenance.compact_partition(
            Table(spark, table), file_maintenance.SmallFilePartition(OLD.date(), 8), job="job"
        )
        == file_maintenance.MIN_FILES_TO_COMPACT
    )
    assert file_maintenance.find_small_file_partitions(Table(spark, table)) == []
    assert len(Table(spark, table).load_rows().inputFiles()) == file_maintenance.MIN_FILES_TO_COMPACT


def test_files_that_are_not_small_are_left_as_they_are(
    spark: SparkSession, table: TableRef, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(spark, table, NEW, files=file_maintenance.MIN_FILES_TO_COMPACT)
    monkeypatch.setattr(file_maintenance, "SMALL_FILE_BYTES", 10)
    assert file_maintenance.find_small_file_partitions(Table(spark, table)) == []
    assert (
        file_maintenance.compact_partition(
            Table(spark, table), file_maintenance.SmallFilePartition(NEW.date(), 8), job="job"
        )
        == 0
    )


def test_a_vacuum_keeps_what_deltas_retention_needs_and_leaves_no_commit(spark: SparkSession, table: TableRef) -> None:
    write(spark, table, OLD)
    retention.delete_expired_rows(Table(spark, table), before=BETWEEN, job="job")
    assert file_maintenance.list_vacuumable_files(Table(spark, table)) == []
    spark.sql(
        f"ALTER TABLE delta.`{table.path}` SET TBLPROPERTIES ('delta.deletedFileRetentionDuration'='interval 0 hours')"
    )
    (name,) = file_maintenance.list_vacuumable_files(Table(spark, table))
    (file,) = Path(str(table.path)).rglob(name)
    version = Table(spark, table).load_newest_version()
    file_maintenance.vacuum_table(Table(spark, table))
    assert (file.exists(), Table(spark, table).load_newest_version()) == (False, version)
    assert file_maintenance.list_vacuumable_files(Table(spark, table)) == []


def test_a_vacuum_would_lose_a_version_only_where_its_files_are_among_those_to_go(
    spark: SparkSession, table: TableRef
) -> None:
    write(spark, table, OLD)
    write(spark, table, NEW)
    gone = [file.rpartition("/")[2] for file in Table(spark, table).load_rows(1).inputFiles()]
    retention.delete_expired_rows(Table(spark, table), before=BETWEEN, job="job")
    assert file_maintenance.can_vacuum_break_version(Table(spark, table), 1, gone)
    assert file_maintenance.can_vacuum_break_version(Table(spark, table), 2, gone)
    assert not file_maintenance.can_vacuum_break_version(Table(spark, table), 3, gone)
    assert not file_maintenance.can_vacuum_break_version(Table(spark, table), 1, ["another.parquet"])
    assert file_maintenance.can_vacuum_break_version(Table(spark, table), 1, [f"{i}.parquet" for i in range(1000)])
    assert not file_maintenance.can_vacuum_break_version(Table(spark, table), 17, gone)


def test_the_revisions_of_expired_as_ofs_are_remembered_for_force(spark: SparkSession, table: TableRef) -> None:
    runs = TableRef("r", f"{table.path}_runs")
    told = spark.range(1, 4).select(F.lit(OLD).alias("as_of"), F.col("id").alias("revision"))
    told.write.format("delta").save(str(runs.path))
    for _ in range(2):
        retention.record_expired_revision(Table(spark, table), Table(spark, runs), before=BETWEEN)
    assert Table(spark, table).properties[EXPIRED_PROPERTY] == "3"
    assert Table(spark, table).load_newest_version() == 1
    assert commit_history.load_committed_revision(Table(spark, table), job="job", as_of=OLD) == 3


class TestFolders:
    def test_a_table_is_removed_with_everything_in_it(self, spark: SparkSession, tmp_path: Path) -> None:
        folder = tmp_path / "root" / "a job" / "one"
        (folder / "_delta_log").mkdir(parents=True)
        (folder / "_delta_log" / "0.json").write_text("{}")
        (folder / "orphan").write_bytes(b"1234")
        assert hadoop_folders.measure_folder(spark, str(folder)).bytes == 6
        hadoop_folders.remove_table_folder(spark, str(folder), root=str(tmp_path / "root"))
        hadoop_folders.remove_table_folder(spark, str(folder), root=str(tmp_path / "root"))
        assert hadoop_folders.list_folder_names(spark, str(tmp_path / "root" / "a job")) == []

    @pytest.mark.parametrize("place", ["", "other/one", "root/../other/one", "rooted/one"])
    def test_nothing_outside_the_root_is_removed(self, spark: SparkSession, tmp_path: Path, place: str) -> None:
        for name in ("root", "other/one", "rooted/one"):
            (tmp_path / name).mkdir(parents=True)
        with pytest.raises(ConfigError, match="is not below"):
            hadoop_folders.remove_table_folder(spark, f"{tmp_path}/{place}", root=f"{tmp_path}/root")
        with pytest.raises(ConfigError, match="is not below"):
            hadoop_folders.remove_table_folder(spark, f"{tmp_path}/root", root=f"{tmp_path}/root")
        assert (tmp_path / "other/one").is_dir()
        assert (tmp_path / "rooted/one").is_dir()

    def test_what_lies_behind_a_link_is_not_removed(self, spark: SparkSession, tmp_path: Path) -> None:
        kept = tmp_path / "kept" / "one"
        kept.mkdir(parents=True)
        (kept / "file").write_text("x")
        (tmp_path / "root").mkdir()
        (tmp_path / "root" / "job").symlink_to(tmp_path / "kept")
        assert hadoop_folders.list_folder_names(spark, f"{tmp_path}/root") == []
        for place in ("job", "job/one"):
            with pytest.raises(ConfigError, match="link"):
                hadoop_folders.remove_table_folder(spark, f"{tmp_path}/root/{place}", root=f"{tmp_path}/root")
        assert (kept / "file").exists()

    def test_links_in_a_folder_are_removed_and_not_followed(self, spark: SparkSession, tmp_path: Path) -> None:
        kept = tmp_path / "kept"
        kept.mkdir()
        (kept / "file").write_text("x")
        folder = tmp_path / "root" / "one"
        folder.mkdir(parents=True)
        (folder / "file").symlink_to(kept / "file")
        (folder / "folder").symlink_to(kept)
        (folder / "up").symlink_to(tmp_path / "root")
        hadoop_folders.measure_folder(spark, str(folder))
        hadoop_folders.remove_table_folder(spark, str(folder), root=f"{tmp_path}/root")
        assert not folder.exists()
        assert (kept / "file").read_text() == "x"

    def test_a_folder_that_is_not_there_has_no_folders(self, spark: SparkSession) -> None:
        assert hadoop_folders.list_folder_names(spark, "/nowhere/at/all") == []
