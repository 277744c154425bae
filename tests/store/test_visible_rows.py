"""Visible rows by run: what the files say is what Spark counts."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pytest
from pyspark.sql import SparkSession

from sparkscore.records import TableRef
from sparkscore.schemas import ContractColumn, prediction_contract
from sparkscore.store import commit_history, visible_rows
from sparkscore.store.table import Table
from sparkscore.store.table_contracts import ensure_table

AS_OF = datetime(2013, 12, 31, 6, 0, 0, 123456, UTC)
"""Statistics of files cut a time after its milliseconds."""
CONTRACT = prediction_contract(
    [ContractColumn("id", pa.int64(), "key", nullable=False)], pa.float64(), [], threshold=None
)


@pytest.fixture
def table(spark: SparkSession, tmp_path: Path) -> Table:
    made = Table(spark, TableRef("p", str(tmp_path / "a folder" / "p")))
    ensure_table(made, CONTRACT, job="job")
    return made


def insert(table: Table, ids: range, *, run: str | None, as_of: datetime = AS_OF) -> None:
    told = "CAST(NULL AS STRING)" if run is None else f"'{run}'"
    frame = table.spark.range(ids.start, ids.stop, 1, 1).selectExpr(
        "id",
        "0.5D AS prediction",
        f"{told} AS run_id",
        f"TIMESTAMP_LTZ'{as_of.isoformat(sep=' ')}' AS as_of",
        f"DATE'{as_of.date()}' AS as_of_date",
    )
    frame.write.format("delta").mode("append").save(str(table.path))


def test_rows_are_told_apart_by_run_and_by_the_microsecond_of_their_as_of(table: Table) -> None:
    near = AS_OF + timedelta(microseconds=1)
    insert(table, range(3), run="one")
    insert(table, range(3, 5), run="two")
    insert(table, range(7), run="one", as_of=near)
    insert(table, range(9), run="one", as_of=AS_OF + timedelta(days=1))
    assert visible_rows.find_rows_by_run(table, AS_OF) == {"one": 3, "two": 2}
    assert visible_rows.find_rows_by_run(table, near) == {"one": 7}
    assert visible_rows.find_rows_by_run(table, AS_OF - timedelta(days=9)) == {}


def test_the_files_and_spark_say_the_same(table: Table, monkeypatch: pytest.MonkeyPatch) -> None:
    insert(table, range(3), run="one")
    insert(table, range(3, 5), run=None)
    table.handle.delete("id = 1")
    from_files = visible_rows.find_rows_by_run(table, AS_OF)
    monkeypatch.setattr(commit_history, "find_rows_by_run", lambda *_: None)
    assert commit_history.count_rows_by_run(table, AS_OF) == from_files == {"one": 2, "": 2}


def test_spark_is_asked_where_a_file_is_gone_where_there_are_too_many_rows_and_for_deletion_vectors(
    table: Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    insert(table, range(3), run="one")
    with monkeypatch.context() as patched:
        patched.setattr(visible_rows, "_MAX_ROWS", 2)
        assert visible_rows.find_rows_by_run(table, AS_OF) is None
    table.spark.sql(f"ALTER TABLE {table.sql_name} SET TBLPROPERTIES (delta.enableDeletionVectors = true)")
    assert visible_rows.find_rows_by_run(table.refresh(), AS_OF) is None
    assert commit_history.count_rows_by_run(table, AS_OF) == {"one": 3}


def test_a_file_that_is_gone_is_never_no_rows(table: Table) -> None:
    insert(table, range(3), run="one")
    for file in Path(str(table.path)).glob("as_of_date=*/*.parquet"):
        file.unlink()
    assert visible_rows.find_rows_by_run(table, AS_OF) is None
