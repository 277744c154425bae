"""What a table's log says is the same whether deltalake reads it or Spark; what deltalake may misread is Spark's."""

import json
import os
import shutil
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import deltalake
import pyarrow as pa
import pytest
from delta.tables import DeltaTable
from deltalake import CommitProperties, write_deltalake
from py4j.protocol import Py4JJavaError
from pyspark.errors import PySparkException
from pyspark.sql import SparkSession

from sparkscore.errors import ConfigError, SparkNeeded, SparkscoreError, TableNotFound
from sparkscore.records import TableRef
from sparkscore.store.spark_table_log import SparkTableLog
from sparkscore.store.table import Table

ROW = pa.table({"id": pa.array([1], pa.int64())})
COLUMNS = """
    id BIGINT NOT NULL COMMENT 'the key', flag BOOLEAN, tiny TINYINT, small SMALLINT, whole INT, single FLOAT,
    double DOUBLE COMMENT 'it''s "quoted"', exact DECIMAL(20, 3), text STRING, bytes BINARY, day DATE, at TIMESTAMP,
    pair STRUCT<a: INT NOT NULL COMMENT 'inside', b: FLOAT>, many ARRAY<STRUCT<b: MAP<STRING, ARRAY<DOUBLE>>>>,
    `a.name.with-dots` STRING
"""


@pytest.fixture(scope="module")
def busy(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A table of commits of both writers, some with a note; Spark's tenth has made a checkpoint."""
    folder = tmp_path_factory.mktemp("busy") / "t"
    for number in range(13):
        note = None if number % 3 == 0 else f'note {number}: "quoted" é'
        if number in (0, 8, 10, 12):
            writer = spark.range(1).coalesce(1).write.format("delta").mode("append")
            (writer if note is None else writer.option("userMetadata", note)).save(str(folder))
        else:
            append_row(folder, note)
    assert commit_file(folder, 10).with_suffix(".checkpoint.parquet").exists()
    return folder


def append_row(folder: Path, note: str | None = None) -> None:
    properties = None if note is None else CommitProperties({"userMetadata": note})
    write_deltalake(str(folder), ROW, mode="append", commit_properties=properties)


def make_typed(spark: SparkSession, table: Path) -> None:
    spark.sql(
        f"CREATE TABLE delta.`{table}` ({COLUMNS}) USING delta PARTITIONED BY (day, text) COMMENT 'a table'"
        " TBLPROPERTIES ('own' = 'yes', 'delta.enableDeletionVectors' = 'false', 'delta.appendOnly' = 'false')"
    )


def make_without_zone(spark: SparkSession, table: Path) -> None:
    spark.sql(f"CREATE TABLE delta.`{table}` (id BIGINT, at TIMESTAMP_NTZ) USING delta")


def constrain(spark: SparkSession, table: Path) -> None:
    spark.sql(f"ALTER TABLE delta.`{table}` ADD CONSTRAINT positive CHECK (id >= 0)")
    spark.sql(f"ALTER TABLE delta.`{table}` SET TBLPROPERTIES ('delta.enableChangeDataFeed' = 'true')")


def clean_up(_: SparkSession, table: Path) -> None:
    for version in (0, 1, 2, 3, 5):
        commit_file(table, version).unlink()


def make_untimely(_: SparkSession, table: Path) -> None:
    """Commits whose files are older than those before, as after a copy."""
    for version, seconds in enumerate((50, 90.5, 20, 90.5, 90.503, 300)):
        os.utime(commit_file(table, version), (1.6e9 + seconds,) * 2)


def empty_and_vacuum(spark: SparkSession, table: Path) -> None:
    DeltaTable.forPath(spark, str(table)).delete()
    check = "spark.databricks.delta.retentionDurationCheck.enabled"
    spark.conf.set(check, "false")
    spark.sql(f"VACUUM delta.`{table}` RETAIN 0 HOURS")
    spark.conf.unset(check)


def silence_commits(_: SparkSession, table: Path) -> None:
    """One commit says nothing of itself, another one says it last, and a tag of its file has the same name."""
    for version in (2, 3):
        file = commit_file(table, version)
        lines = [json.loads(line) for line in file.read_text().splitlines()]
        files = [line for line in lines if "add" in line]
        files[0]["add"]["tags"] = {"commitInfo": "no"}
        others = [] if version == 2 else [line for line in lines if "add" not in line]
        file.write_text("\n".join(map(json.dumps, [*files, *others])))


ChangeTable = Callable[[SparkSession, Path], None]
MADE: list[ChangeTable] = [make_typed, make_without_zone]
CHANGED: list[ChangeTable] = [lambda *_: None, constrain, clean_up, make_untimely, empty_and_vacuum, silence_commits]


def commit_file(table: str | Path, version: int) -> Path:
    return Path(table, "_delta_log", f"{version:020}.json")


@pytest.mark.parametrize("make", MADE)
def test_deltalake_says_of_a_table_what_spark_says(spark: SparkSession, tmp_path: Path, make: ChangeTable) -> None:
    make(spark, tmp_path / "t")
    compare_logs(spark, tmp_path / "t")


@pytest.mark.parametrize("change", CHANGED)
def test_deltalake_says_of_commits_what_spark_says(
    spark: SparkSession, busy: Path, tmp_path: Path, change: ChangeTable
) -> None:
    shutil.copytree(busy, tmp_path / "t")
    change(spark, tmp_path / "t")
    compare_logs(spark, tmp_path / "t")


def compare_logs(spark: SparkSession, table: Path) -> None:
    ref = TableRef("t", str(table))
    own, theirs = Table(None, ref), SparkTableLog(spark, ref)
    assert own.exists()
    assert (own.id, own.partition_columns, own.schema.json()) == (
        theirs.id,
        theirs.partition_columns,
        theirs.schema.json(),
    )
    assert own.properties == theirs.properties
    assert own.load_newest_version() == theirs.load_newest_version()
    assert own.load_user_metadata()[::-1] == theirs.list_user_metadata()
    assert own.log.list_commit_times() == theirs.list_commit_times()
    assert own.load_schema(own.load_newest_version()) == theirs.schema
    times = [at for _, at in theirs.list_commit_times()]
    moments = [times[0] - timedelta(milliseconds=1), times[len(times) // 2], times[-1] + timedelta(days=1)]
    assert [version_at(own, at) for at in moments] == [version_by_spark(theirs, at) for at in moments]


def version_at(table: Table, moment: datetime) -> int | None:
    try:
        return table.find_version_at(moment)
    except ConfigError:
        return None


def version_by_spark(log: SparkTableLog, moment: datetime) -> int | None:
    history = log.handle.history().selectExpr("version", "unix_micros(timestamp) AS at")
    until = (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
    found: int | None = history.where(f"at <= {until}").selectExpr("max(version)").collect()[0][0]
    return found


UNSURE = [
    "'delta.enableDeletionVectors' = 'true'",
    "'delta.columnMapping.mode' = 'name'",
    "'delta.checkpointPolicy' = 'v2'",
]


@pytest.mark.parametrize("property_of_it", UNSURE)
def test_tables_of_other_readers_are_sparks(spark: SparkSession, tmp_path: Path, property_of_it: str) -> None:
    ref = TableRef("t", str(tmp_path / "t"))
    spark.sql(f"CREATE TABLE delta.`{ref.path}` (id BIGINT) USING delta TBLPROPERTIES ({property_of_it})")
    with pytest.raises(SparkNeeded):
        Table(None, ref).exists()
    assert Table(spark, ref).schema.names == ["id"]
    assert Table(spark, ref).load_newest_version() == 0


def test_columns_that_spark_shows_otherwise_than_the_log_are_sparks(spark: SparkSession, tmp_path: Path) -> None:
    ref = TableRef("t", str(tmp_path / "t"))
    spark.sql(f"CREATE TABLE delta.`{ref.path}` (id BIGINT, code CHAR(3), name VARCHAR(9)) USING delta")
    assert Table(None, ref).exists()
    with pytest.raises(SparkNeeded):
        assert Table(None, ref).schema
    assert Table(spark, ref).schema == SparkTableLog(spark, ref).schema


def test_times_that_are_kept_in_the_commits_are_sparks(spark: SparkSession, tmp_path: Path) -> None:
    ref = TableRef("t", str(tmp_path / "t"))
    spark.sql(
        f"CREATE TABLE delta.`{ref.path}` (id BIGINT) USING delta"
        " TBLPROPERTIES ('delta.enableInCommitTimestamps' = 'true')"
    )
    os.utime(commit_file(str(ref.path), 0), (1.6e9, 1.6e9))
    with pytest.raises(SparkNeeded):
        Table(None, ref).find_commit_time(0)
    found = Table(spark, ref).find_commit_time(0)
    assert found is not None
    assert found > datetime(2024, 1, 1, tzinfo=UTC)


def test_a_table_that_needs_another_reader_from_now_on_is_sparks_from_then_on(
    spark: SparkSession, tmp_path: Path
) -> None:
    append_row(tmp_path / "t")
    own = Table(None, TableRef("t", str(tmp_path / "t")))
    assert own.load_newest_version() == 0
    spark.sql(f"ALTER TABLE delta.`{tmp_path}/t` SET TBLPROPERTIES ('delta.columnMapping.mode' = 'name')")
    with pytest.raises(SparkNeeded):
        own.load_newest_version()


def test_a_table_that_was_made_anew_meanwhile_is_seen_as_it_is(tmp_path: Path) -> None:
    own = Table(None, TableRef("t", str(tmp_path / "t")))
    for commits in (3, 2, 4):
        shutil.rmtree(tmp_path / "t", ignore_errors=True)
        for number in range(commits):
            append_row(tmp_path / "t", f"{commits} {number}")
        assert own.refresh().id == str(deltalake.DeltaTable(str(tmp_path / "t")).metadata().id)
        notes = own.load_user_metadata()
        assert notes == [(number, f"{commits} {number}") for number in range(commits)]
    shutil.rmtree(tmp_path / "t")
    with pytest.raises(TableNotFound):
        own.load_newest_version()


def test_the_newest_of_thousand_commits_is_found_without_reading_the_rest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = str(tmp_path / "t")
    write_deltalake(path, ROW)
    for version in range(1, 1000):
        commit = {"commitInfo": {"timestamp": version, "operation": "WRITE", "userMetadata": f"note {version}"}}
        commit_file(path, version).write_text(json.dumps(commit))
    own = Table(None, TableRef("t", path))
    read: list[int] = []
    load = own.log._load_user_metadata

    def counted(version: int) -> str | None:
        read.append(version)
        return load(version)

    monkeypatch.setattr(own.log, "_load_user_metadata", counted)
    assert own.find_commit(lambda text: text == "note 997") == (997, "note 997")
    assert read == [999, 998, 997]


@pytest.mark.parametrize("spark_is_there", [True, False])
@pytest.mark.parametrize("left", ["nothing", "a folder", "files", "a file", "an empty log", "a damaged log"])
def test_what_is_no_table_is_told_as_spark_tells_it(
    spark: SparkSession, tmp_path: Path, left: str, *, spark_is_there: bool
) -> None:
    ref = TableRef("t", str(tmp_path / "t"))
    make_no_table(Path(str(ref.path)), left)
    wanted = error_of(lambda: SparkTableLog(spark, ref).load_newest_version())
    found = error_of(lambda: Table(spark if spark_is_there else None, ref).load_newest_version())
    is_sure = left in ("nothing", "a folder", "files")
    assert found == (wanted if spark_is_there or is_sure else (SparkNeeded, ""))


def test_a_folder_in_a_tables_folder_is_sparks_to_tell(tmp_path: Path) -> None:
    append_row(tmp_path / "t")
    (tmp_path / "t" / "day=1").mkdir()
    with pytest.raises(SparkNeeded):
        Table(None, TableRef("t", str(tmp_path / "t" / "day=1"))).exists()


def make_no_table(folder: Path, left: str) -> None:
    if left == "a file":
        folder.write_text("text")
    elif left != "nothing":
        folder.mkdir()
    if left == "files":
        (folder / "part.parquet").write_text("text")
    if left.endswith("log"):
        (folder / "_delta_log").mkdir()
    if left == "a damaged log":
        commit_file(str(folder), 0).write_text("{")


def error_of(call: Callable[[], object]) -> tuple[type[BaseException], str]:
    try:
        call()
    except SparkNeeded:
        return SparkNeeded, ""
    except (SparkscoreError, PySparkException, Py4JJavaError) as error:
        return type(error), str(error).partition("\n")[0]
    raise AssertionError("no error")


def test_a_log_that_cannot_be_read_is_sparks_to_tell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_deltalake(str(tmp_path / "t"), ROW)
    own = Table(None, TableRef("t", str(tmp_path / "t")))

    def denied(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("sparkscore.store.table_log.open_deltalake_table", denied)
    with pytest.raises(SparkNeeded):
        own.exists()


def test_a_path_of_a_clusters_file_system_is_sparks_without_a_session(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_deltalake(str(tmp_path / "t"), ROW)
    monkeypatch.setenv("HADOOP_CONF_DIR", "/etc/hadoop")
    with pytest.raises(SparkNeeded):
        Table(None, TableRef("t", str(tmp_path / "t"))).exists()
    assert Table(None, TableRef("t", f"file://{tmp_path}/t")).exists()
