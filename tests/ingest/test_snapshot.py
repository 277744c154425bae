"""Pinned sources: real Delta tables, versions and hostile names."""

import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from deltalake import write_deltalake
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from sparkscore.errors import ConfigError, TableNotFound
from sparkscore.ingest.file_listing import plan_file_scan
from sparkscore.ingest.snapshot import SAMPLE_LIMIT, count_snapshot_rows, pin_source, sample_snapshot, snapshot_frame
from sparkscore.records import Condition, Snapshot, TableRef
from sparkscore.store.table import Table

AS_OF = datetime(2013, 12, 31, tzinfo=UTC)
HOSTILE = ("a b", "a.b", "a`b", "a'b", 'a"b', "reflect('x')", "ü")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where this module's tables lie."""
    return tmp_path_factory.mktemp("sources")


@pytest.fixture(scope="module")
def flights(spark: SparkSession, folder: Path) -> TableRef:
    """Three versions of ten rows each: version v holds the ids 10 v to 10 v + 9."""
    table = TableRef("flights", str(folder / "flights"))
    for version in range(3):
        write_ids(spark.range(version * 10, version * 10 + 10), table)
    return table


def write_ids(ids: DataFrame, table: TableRef) -> None:
    """Overwrite a table with rows of every kind of column."""
    rows = ids.select(
        "id",
        F.col("id").cast("int").alias("Month"),
        F.col("id").cast("double").alias("ratio"),
        F.array("id").alias("list"),
        F.lit("AA").alias("carrier"),
        F.lit(1).alias("label"),
        F.to_timestamp(F.lit("2013-11-03 05:30:00")).alias("at"),
    )
    rows.write.format("delta").mode("overwrite").save(str(table.path))


def pin_flights(spark: SparkSession, table: TableRef, **changed: Any) -> Snapshot:
    """The table pinned with plain wishes, but for what is changed."""
    wishes: dict[str, Any] = {
        "version": "latest",
        "as_of": AS_OF,
        "keys": ["id"],
        "where": [],
        "columns": ["id", "Month"],
    }
    return pin_source(Table(spark, table), **{**wishes, **changed})


def row_ids(rows: DataFrame) -> list[int]:
    """The ids of a frame, sorted."""
    return sorted(row["id"] for row in rows.collect())


@contextmanager
def session_setting(spark: SparkSession, name: str, value: str) -> Iterator[None]:
    """A setting of the session for a while."""
    spark.conf.set(name, value)
    try:
        yield
    finally:
        spark.conf.unset(name)


def test_the_latest_version_is_pinned_as_an_integer(spark: SparkSession, flights: TableRef) -> None:
    snapshot = pin_flights(spark, flights)
    assert (snapshot.version, snapshot.table_id) == (2, Table(spark, flights).id)
    assert snapshot.schema.names == ["id", "Month", "ratio", "list", "carrier", "label", "at"]
    assert row_ids(snapshot_frame(spark, snapshot)) == list(range(20, 30))


@pytest.mark.parametrize("version", [0, 1, 2])
def test_an_older_version_is_read_as_it_was(spark: SparkSession, flights: TableRef, version: int) -> None:
    snapshot = pin_flights(spark, flights, version=version)
    assert row_ids(snapshot_frame(spark, snapshot)) == list(range(version * 10, version * 10 + 10))


@pytest.mark.parametrize("version", [3, -1, 10**9])
def test_a_version_that_is_not_there_is_refused(spark: SparkSession, flights: TableRef, version: int) -> None:
    with pytest.raises(ConfigError, match=f"no version {version} of flights\n  expected: 0 to 2"):
        pin_flights(spark, flights, version=version)


def test_a_version_whose_log_was_cleaned_up_is_refused(spark: SparkSession, folder: Path) -> None:
    table = TableRef("cleaned", str(folder / "cleaned"))
    for rows in range(3):
        overwrite = spark.range(rows).write.format("delta").mode("overwrite").option("delta.checkpointInterval", "1")
        overwrite.save(str(table.path))
    (folder / "cleaned" / "_delta_log" / "00000000000000000000.json").unlink()
    with pytest.raises(ConfigError, match="gone while reading cleaned at version 0"):
        pin_flights(spark, table, version=0, columns=["id"])
    assert pin_flights(spark, table, columns=["id"]).version == 2


def test_as_of_pins_the_newest_version_of_that_time(spark: SparkSession, folder: Path) -> None:
    table = TableRef("timed", str(folder / "timed"))
    write_ids(spark.range(1), table)
    time.sleep(1.1)
    between = datetime.now(UTC)
    time.sleep(1.1)
    write_ids(spark.range(2), table)
    assert pin_flights(spark, table, version="as_of", as_of=between).version == 0
    assert pin_flights(spark, table, version="as_of", as_of=datetime.now(UTC)).version == 1
    with pytest.raises(ConfigError):
        pin_flights(spark, table, version="as_of", as_of=AS_OF)


def test_a_source_overwritten_after_pinning_changes_nothing(spark: SparkSession, folder: Path) -> None:
    table = TableRef("moving", str(folder / "moving"))
    write_ids(spark.range(5), table)
    snapshot = pin_flights(spark, table, where=[Condition("Month", ">=", 1)])
    before = snapshot_frame(spark, snapshot)
    write_ids(spark.range(100, 200), table)
    assert pin_flights(spark, table).version == 1
    assert row_ids(before) == row_ids(snapshot_frame(spark, snapshot)) == [1, 2, 3, 4]
    assert count_snapshot_rows(spark, snapshot) == 4
    assert row_ids(sample_snapshot(spark, snapshot, 10)) == [1, 2, 3, 4]


@pytest.mark.parametrize("version", [0, 2])
def test_rows_are_counted_by_the_log_alone(
    spark: SparkSession, flights: TableRef, monkeypatch: pytest.MonkeyPatch, version: int
) -> None:
    snapshot = pin_flights(spark, flights, version=version)
    monkeypatch.setattr("sparkscore.ingest.snapshot.snapshot_frame", None)
    assert count_snapshot_rows(spark, snapshot, source=Table(None, flights)) == 10


def test_rows_of_files_without_statistics_are_counted_by_spark(spark: SparkSession, folder: Path) -> None:
    table = TableRef("uncounted", str(folder / "uncounted"))
    with session_setting(spark, "spark.databricks.delta.stats.collect", "false"):
        write_ids(spark.range(7), table)
    write_deltalake(str(table.path), spark.read.format("delta").load(table.path).toArrow(), mode="append")
    assert count_snapshot_rows(spark, pin_flights(spark, table)) == 14


def test_a_pinned_source_is_opened_once(spark: SparkSession, flights: TableRef, opened_logs: list[str]) -> None:
    source = Table(spark, flights)
    snapshot = pin_source(source, version="latest", as_of=AS_OF, keys=["id"], where=[], columns=["id"])
    assert count_snapshot_rows(spark, snapshot, source=source) == 10
    assert plan_file_scan(spark, snapshot, source=source).files > 0
    assert opened_logs == [flights.path]


def test_a_table_of_the_catalog_is_pinned_too(spark: SparkSession, folder: Path) -> None:
    spark.sql(f"CREATE SCHEMA lake LOCATION '{folder / 'lake'}'")
    try:
        for rows in (1, 2):
            spark.range(rows).write.format("delta").mode("overwrite").option("path", str(folder / "c")).saveAsTable(
                "lake.c"
            )
        snapshot = pin_flights(spark, TableRef("lake.c", None), version=0, columns=["id"])
        assert row_ids(snapshot_frame(spark, snapshot)) == [0]
    finally:
        spark.sql("DROP SCHEMA lake CASCADE")


def test_a_folder_without_a_delta_table_is_refused(spark: SparkSession, folder: Path) -> None:
    with pytest.raises(TableNotFound):
        pin_flights(spark, TableRef("absent", str(folder / "absent")))


def test_a_frame_has_exactly_the_columns_that_are_read_in_their_order(spark: SparkSession, flights: TableRef) -> None:
    snapshot = pin_flights(spark, flights, columns=["id", "ratio", "carrier", "id", "Month"])
    assert snapshot.columns == ("id", "ratio", "carrier", "Month")
    assert snapshot_frame(spark, snapshot).columns == ["id", "ratio", "carrier", "Month"]


def test_a_filter_column_need_not_be_read(spark: SparkSession, flights: TableRef) -> None:
    snapshot = pin_flights(spark, flights, where=[Condition("Month", "<", 22)], columns=["id"])
    assert row_ids(snapshot_frame(spark, snapshot)) == [20, 21]


def test_hostile_column_names_are_only_names(spark: SparkSession, folder: Path) -> None:
    path = str(folder / "hostile")
    rows = spark.range(6).select("id", *[(F.col("id") + place).alias(name) for place, name in enumerate(HOSTILE)])
    rows.write.format("delta").option("delta.columnMapping.mode", "name").save(path)
    where = [Condition(name, ">=", place + 2) for place, name in enumerate(HOSTILE)]
    snapshot = pin_flights(
        spark, TableRef("hostile", path), keys=HOSTILE, where=where, columns=HOSTILE, passthrough=["id"]
    )
    assert snapshot_frame(spark, snapshot).columns == list(HOSTILE)
    assert count_snapshot_rows(spark, snapshot) == 4
    assert sample_snapshot(spark, snapshot, 1).columns == list(HOSTILE)


def test_all_missing_columns_are_named_with_the_nearest_ones(spark: SparkSession, flights: TableRef) -> None:
    with pytest.raises(ConfigError) as caught:
        pin_flights(
            spark, flights, keys=["id", "flight_id"], where=[Condition("month", "=", 1)], passthrough=["carier", "q"]
        )
    assert caught.value.found == (
        "flights at version 2 has no key flight_id; no pass-through carier (nearest: carrier); no pass-through q; "
        "no filter month (nearest: Month)"
    )
    assert "Month" in caught.value.do


def test_a_missing_model_input_is_left_to_the_model(spark: SparkSession, flights: TableRef) -> None:
    assert pin_flights(spark, flights, columns=["id", "speed"]).columns == ("id", "speed")


@pytest.mark.parametrize("keys", [["ratio"], ["list"], ["id", "ratio"]])
def test_a_key_without_exact_equality_is_refused(spark: SparkSession, flights: TableRef, keys: Sequence[str]) -> None:
    with pytest.raises(ConfigError, match=r"without exact equality: (ratio .double.|list .list<)"):
        pin_flights(spark, flights, keys=keys)


@pytest.mark.parametrize("wishes", [{"keys": ["label"]}, {"passthrough": ["label"]}])
def test_a_name_that_the_suite_writes_is_refused(
    spark: SparkSession, flights: TableRef, wishes: dict[str, Any]
) -> None:
    with pytest.raises(ConfigError, match="keys or pass-through columns with reserved names: label"):
        pin_flights(spark, flights, **wishes)


def test_a_reserved_name_may_be_a_model_input(spark: SparkSession, flights: TableRef) -> None:
    assert pin_flights(spark, flights, columns=["id", "label"]).columns == ("id", "label")


def test_a_filter_value_that_does_not_fit_is_refused_when_pinning(spark: SparkSession, flights: TableRef) -> None:
    with pytest.raises(ConfigError, match=r"the filter Month >= 'ten' \(str\)"):
        pin_flights(spark, flights, where=[Condition("Month", ">=", "ten")])


@pytest.mark.parametrize("name", ["spark.sql.files.ignoreCorruptFiles", "spark.sql.files.ignoreMissingFiles"])
@pytest.mark.parametrize("value", ["true", "TRUE"])
def test_a_session_that_skips_bad_files_is_refused(
    spark: SparkSession, flights: TableRef, name: str, value: str
) -> None:
    with session_setting(spark, name, value), pytest.raises(ConfigError, match=name):
        pin_flights(spark, flights)


def test_a_sample_is_cut_before_anything_runs_on_it(spark: SparkSession, flights: TableRef, folder: Path) -> None:
    calls = spark.sparkContext.accumulator(0)

    @F.udf(returnType="long", useArrow=False)
    def counted(value: int) -> int:
        calls.add(1)
        return value

    cut = sample_snapshot(spark, pin_flights(spark, flights, columns=["id", "at"]), 3)
    shutil.move(str(flights.path), str(folder / "elsewhere"))
    try:
        assert len(cut.select(counted("id")).collect()) == 3
    finally:
        shutil.move(str(folder / "elsewhere"), str(flights.path))
    assert calls.value == 3


def test_a_sample_keeps_types_and_instants_where_the_clock_goes_back(
    spark: SparkSession, flights: TableRef, monkeypatch: pytest.MonkeyPatch
) -> None:
    snapshot = pin_flights(spark, flights, columns=["id", "Month", "ratio", "list", "carrier", "at"])
    monkeypatch.setenv("TZ", "America/New_York")
    time.tzset()
    try:
        cut = sample_snapshot(spark, snapshot, 10)
        instants = cut.select(F.unix_micros("at")).distinct().collect()
    finally:
        monkeypatch.undo()
        time.tzset()
    assert cut.schema == snapshot_frame(spark, snapshot).schema
    assert [row[0] for row in instants] == [1383456600000000]


def test_a_sample_of_nothing_is_empty_and_typed(spark: SparkSession, flights: TableRef) -> None:
    snapshot = pin_flights(spark, flights, where=[Condition("Month", "<", 0)])
    assert sample_snapshot(spark, snapshot, 5).collect() == []
    assert sample_snapshot(spark, snapshot, 5).schema == snapshot_frame(spark, snapshot).schema
    assert count_snapshot_rows(spark, snapshot) == 0


@pytest.mark.parametrize("rows", [0, -1, SAMPLE_LIMIT + 1])
def test_a_sample_that_does_not_fit_the_driver_is_refused(spark: SparkSession, flights: TableRef, rows: int) -> None:
    with pytest.raises(ConfigError, match="1 to 10,000"):
        sample_snapshot(spark, pin_flights(spark, flights), rows)
