"""A table's log is opened once, and asked anew where other writers matter."""

from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import write_deltalake
from pyspark.sql import SparkSession

from sparkscore.records import TableRef
from sparkscore.store.guarded_writes import append_rows
from sparkscore.store.table import Table


@pytest.fixture
def table(spark: SparkSession, tmp_path: Path) -> Table:
    """A table with three rows, in one commit."""
    made = Table(spark, TableRef("t", str(tmp_path / "t")))
    append_rows(spark.range(3), made)
    return made


def test_its_log_is_opened_once_however_much_is_asked(
    table: Table, opened_logs: list[str], opened_tables: list[str]
) -> None:
    assert table.exists()
    assert (table.partition_columns, table.schema.names, table.load_newest_version()) == ((), ["id"], 0)
    assert (table.id, dict(table.properties)["delta.minReaderVersion"]) == (table.id, "1")
    assert (table.load_rows(0).count(), len(table.load_user_metadata())) == (3, 1)
    assert (opened_logs, opened_tables) == ([table.path], [])


def test_a_commit_of_another_writer_is_seen_without_opening_it_again(
    table: Table, opened_logs: list[str], opened_tables: list[str]
) -> None:
    assert table.load_newest_version() == 0
    write_deltalake(str(table.path), pa.table({"id": pa.array([7], pa.int64())}), mode="append")
    assert (table.load_newest_version(), len(table.load_user_metadata()), table.load_rows().count()) == (1, 2, 4)
    assert (opened_logs, opened_tables) == ([table.path], [])


def test_what_is_kept_of_the_log_is_forgotten_by_a_refresh_and_unknown_to_other_sessions(
    table: Table, spark: SparkSession
) -> None:
    assert "own" not in table.properties
    spark.sql(f"ALTER TABLE {table.sql_name} SET TBLPROPERTIES ('own' = 'yes')")
    assert "own" not in table.properties
    assert table.in_session(spark).properties["own"] == "yes"
    assert table.refresh().properties["own"] == "yes"


def test_an_absent_table_is_looked_for_each_time(spark: SparkSession, tmp_path: Path) -> None:
    table = Table(spark, TableRef("t", str(tmp_path / "t")))
    assert not table.exists()
    append_rows(spark.range(3), table)
    assert table.exists()


def test_a_sibling_is_the_same_table_each_time(table: Table) -> None:
    assert table.sibling("_runs") is table.sibling("_runs")
    assert table.sibling("_runs").path == f"{table.path}_runs"
