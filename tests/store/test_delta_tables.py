"""Delta tables: looked at, read at a version, created by contract."""

import shutil
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pytest
from delta.tables import DeltaTable
from pyspark.sql import SparkSession

from sparkscore.errors import AccessDenied, ConfigError, ForeignTable, TableNotFound
from sparkscore.records import TableRef
from sparkscore.schemas import (
    REJECTS_CONTRACT,
    RUNS_CONTRACT,
    SCHEMA_VERSION,
    ContractColumn,
    TableContract,
    prediction_contract,
)
from sparkscore.store import hadoop_folders, table_contracts, table_growth
from sparkscore.store.other_sources import name_other_source
from sparkscore.store.table import Table

CONTRACT = TableContract(
    "a table", (ContractColumn("id", pa.int64(), "key", nullable=False), ContractColumn("x", pa.float64(), "value"))
)


@pytest.fixture
def table(tmp_path: Path) -> TableRef:
    return TableRef("t", str(tmp_path / "t"))


def test_a_table_is_created_by_its_contract(spark: SparkSession, table: TableRef) -> None:
    table_contracts.ensure_table(
        Table(spark, table), prediction_contract(CONTRACT.columns[:1], pa.float64(), [], threshold=None), job="job"
    )
    properties = Table(spark, table).properties
    assert (properties["sparkscore.job"], properties["sparkscore.schema"]) == ("job", str(SCHEMA_VERSION))
    detail = Table(spark, table).handle.detail().collect()[0]
    assert (detail["partitionColumns"], detail["minReaderVersion"]) == (["as_of_date"], 1)
    schema = Table(spark, table).load_rows().schema
    assert not schema["id"].nullable
    assert schema["prediction"].metadata["comment"]


def test_creating_a_table_again_changes_nothing(spark: SparkSession, table: TableRef) -> None:
    table_contracts.ensure_table(Table(spark, table), CONTRACT, job="job")
    table_contracts.ensure_table(Table(spark, table), CONTRACT, job="job")
    assert Table(spark, table).load_newest_version() == 0


@pytest.mark.parametrize("contract", [RUNS_CONTRACT, REJECTS_CONTRACT])
def test_every_contract_can_be_created(spark: SparkSession, table: TableRef, contract: TableContract) -> None:
    table_contracts.ensure_table(Table(spark, table), contract, job="job")
    assert Table(spark, table).load_rows().columns == list(contract.names)


def test_two_may_create_a_table_at_once(spark: SparkSession, table: TableRef) -> None:
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: table_contracts.ensure_table(Table(spark, table), CONTRACT, job="job"), range(4)))
    assert Table(spark, table).load_newest_version() == 0


@pytest.mark.parametrize(
    "left", [(), (".00000000000000000000.json.1f0c.tmp", "..00000000000000000000.json.1f0c.tmp.crc")]
)
def test_a_driver_that_died_while_it_made_a_table_is_in_nobodys_way(
    spark: SparkSession, table: TableRef, monkeypatch: pytest.MonkeyPatch, left: tuple[str, ...]
) -> None:
    monkeypatch.setattr(table_contracts, "_CREATION_TIMEOUT_S", 0.5)
    log = Path(str(table.path), "_delta_log")
    (log / "_staged_commits").mkdir(parents=True)
    for name in left:
        (log / name).write_text("half")
    table_contracts.ensure_table(Table(spark, table), CONTRACT, job="job")
    assert Table(spark, table).load_newest_version() == 0


def test_another_who_takes_a_while_to_make_a_table_is_waited_for(spark: SparkSession, tmp_path: Path) -> None:
    table, other = TableRef("t", str(tmp_path / "t")), TableRef("o", str(tmp_path / "o"))
    table_contracts.ensure_table(Table(spark, other), CONTRACT, job="job")
    log, commit = tmp_path / "t" / "_delta_log", "00000000000000000000.json"
    log.mkdir(parents=True)
    late = threading.Timer(2, shutil.copy, (tmp_path / "o" / "_delta_log" / commit, log / commit))
    late.start()
    table_contracts.ensure_table(Table(spark, table), CONTRACT, job="job")
    late.join()
    assert Table(spark, table).id == Table(spark, other).id


def test_a_folder_that_holds_something_else_is_left_as_it_is(spark: SparkSession, table: TableRef) -> None:
    file = Path(str(table.path), "notes.txt")
    file.parent.mkdir()
    file.write_text("mine")
    with pytest.raises(ConfigError, match="holds files") as caught:
        table_contracts.ensure_table(Table(spark, table), CONTRACT, job="job")
    assert "move the files away" in caught.value.do
    assert [one.name for one in file.parent.iterdir()] == ["notes.txt"]


def test_a_log_that_is_a_link_is_not_followed(spark: SparkSession, table: TableRef, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / ".mine").write_text("mine")
    Path(str(table.path)).mkdir()
    Path(str(table.path), "_delta_log").symlink_to(elsewhere)
    assert not hadoop_folders.remove_empty_log(spark, str(table.path))
    assert [one.name for one in elsewhere.iterdir()] == [".mine"]


def test_a_log_with_a_commit_is_not_one_that_was_begun(spark: SparkSession, table: TableRef) -> None:
    table_contracts.ensure_table(Table(spark, table), CONTRACT, job="job")
    assert not hadoop_folders.remove_empty_log(spark, str(table.path))
    assert Table(spark, table).load_newest_version() == 0


def test_a_table_of_another_job_is_refused(spark: SparkSession, table: TableRef) -> None:
    table_contracts.ensure_table(Table(spark, table), CONTRACT, job="mine")
    with pytest.raises(ForeignTable, match="mine"):
        table_contracts.ensure_table(Table(spark, table), CONTRACT, job="yours")


def test_a_table_of_a_newer_suite_is_refused(spark: SparkSession, table: TableRef) -> None:
    table_contracts.ensure_table(Table(spark, table), CONTRACT, job="job")
    spark.sql(f"ALTER TABLE delta.`{table.path}` SET TBLPROPERTIES ('sparkscore.schema' = '99')")
    with pytest.raises(ForeignTable, match="upgrade"):
        table_growth.check_table_owner(Table(spark, table), job="job")


def test_another_shape_is_refused_column_by_column(spark: SparkSession, table: TableRef) -> None:
    table_contracts.ensure_table(Table(spark, table), CONTRACT, job="job")
    other = TableContract(
        "", (ContractColumn("id", pa.string(), "k", nullable=False), ContractColumn("x", pa.bool_(), "v"))
    )
    with pytest.raises(ConfigError) as caught:
        table_contracts.ensure_table(Table(spark, table), other, job="job")
    for said in ("id is bigint, the job writes string", "x is double, the job writes boolean"):
        assert said in caught.value.found


def test_a_version_is_read_as_it_was(spark: SparkSession, table: TableRef) -> None:
    spark.range(3).write.format("delta").save(str(table.path))
    spark.range(5).write.format("delta").mode("overwrite").save(str(table.path))
    assert (Table(spark, table).load_rows(0).count(), Table(spark, table).load_rows().count()) == (3, 5)


def test_the_version_at_a_moment_is_the_newest_before_it(spark: SparkSession, table: TableRef) -> None:
    spark.range(3).write.format("delta").save(str(table.path))
    assert Table(spark, table).find_version_at(datetime.now(UTC) + timedelta(minutes=1)) == 0
    with pytest.raises(ConfigError, match="no version"):
        Table(spark, table).find_version_at(datetime(2000, 1, 1, tzinfo=UTC))


@pytest.mark.parametrize(
    "missing", [TableRef("nowhere", "/nowhere/t"), TableRef("no.where", None), TableRef("no.such.thing", None)]
)
def test_no_table_is_an_error_with_its_name(spark: SparkSession, missing: TableRef) -> None:
    assert not Table(spark, missing).exists()
    with pytest.raises(TableNotFound, match=missing.name):
        Table(spark, missing).load_rows()


def test_a_view_is_no_delta_table(spark: SparkSession) -> None:
    spark.sql("CREATE OR REPLACE VIEW default.some_view AS SELECT 1 AS x")
    try:
        with pytest.raises(TableNotFound):
            Table(spark, TableRef("default.some_view", None)).load_newest_version()
    finally:
        spark.sql("DROP VIEW default.some_view")


def test_what_is_there_in_the_place_of_a_source_is_named(spark: SparkSession, tmp_path: Path) -> None:
    spark.range(3).write.parquet(str(tmp_path / "files"))
    spark.sql("CREATE OR REPLACE VIEW default.seen AS SELECT 1 AS x")
    spark.sql(f"CREATE TABLE default.plain USING parquet LOCATION '{tmp_path}/files'")
    try:
        told = {
            ref.name: name_other_source(Table(spark, ref))
            for ref in (
                TableRef("default.seen", None),
                TableRef("default.plain", None),
                TableRef("default.nothing", None),
                TableRef("files", str(tmp_path / "files")),
                TableRef("nothing", str(tmp_path / "nothing")),
            )
        }
    finally:
        spark.sql("DROP VIEW default.seen")
        spark.sql("DROP TABLE default.plain")
    assert {name: error and error.found for name, error in told.items()} == {
        "default.seen": "default.seen is a view",
        "default.plain": "default.plain is a table of the catalog, but no Delta table",
        "default.nothing": None,
        "files": f"{tmp_path}/files holds files, but no Delta table: it has no _delta_log",
        "nothing": None,
    }


def test_a_place_without_permission_is_named(spark: SparkSession) -> None:
    with pytest.raises(AccessDenied, match="/proc/x"):
        table_contracts.ensure_table(Table(spark, TableRef("/proc/x/t", "/proc/x/t")), CONTRACT, job="job")


@pytest.mark.parametrize(
    ("kind", "plain"),
    [
        (pa.int64(), True),
        (pa.timestamp("us", "UTC"), True),
        (pa.timestamp("us"), False),
        (pa.list_(pa.float32()), True),
        (pa.struct([("a", pa.timestamp("us"))]), False),
        (pa.null(), False),
    ],
)
def test_types_of_the_plainest_reader_are_known(kind: pa.DataType, plain: bool) -> None:
    assert table_contracts.is_plain_type(kind) is plain


def test_a_catalog_table_is_created_and_described_by_its_name(spark: SparkSession, tmp_path: Path) -> None:
    spark.sql(f"CREATE SCHEMA shelf LOCATION '{tmp_path}/shelf'")
    try:
        ref = TableRef("shelf.t_1", None)
        table_contracts.ensure_table(Table(spark, ref), CONTRACT, job="job")
        assert Table(spark, ref).load_newest_version() == 0
        assert DeltaTable.forName(spark, "shelf.t_1").toDF().columns == ["id", "x"]
    finally:
        spark.sql("DROP SCHEMA shelf CASCADE")
