"""The rows of a stage by the files that its log names: those that Delta reads."""

from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import DeltaTable, Schema, write_deltalake
from deltalake.transaction import AddAction
from pyarrow import parquet as pq
from pyspark.sql import SparkSession

from sparkscore.records import TableRef
from sparkscore.schemas import REJECT_TYPE
from sparkscore.stage.stage_files import load_listed_rows, read_listed_rows
from sparkscore.store.guarded_writes import append_rows
from sparkscore.store.table import Table

ROWS = pa.Table.from_pylist(
    [
        {
            "a.key": number,
            "at": datetime(2013, 12, 31, number, 0, 0, 7, UTC),
            "prediction": [0.5, None],
            "_reject": None,
        }
        for number in range(4)
    ],
    pa.schema(
        [
            ("a.key", pa.int64()),
            ("at", pa.timestamp("us", "UTC")),
            ("prediction", pa.list_(pa.float64())),
            ("_reject", REJECT_TYPE),
        ]
    ),
)


@pytest.fixture(scope="module")
def table(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Table:
    made = Table(spark, TableRef("s", str(tmp_path_factory.mktemp("a stage") / "s")))
    for _ in range(2):
        append_rows(spark.createDataFrame(ROWS).coalesce(1), made)
    return made


def test_they_are_those_of_the_version_with_the_same_types(table: Table) -> None:
    found, by_delta = load_listed_rows(table, 1), table.load_rows(1)
    assert found is not None
    assert "Delta" not in found._jdf.queryExecution().optimizedPlan().toString()
    assert found.schema.simpleString() == by_delta.schema.simpleString()
    assert sorted(found.collect(), key=str) == sorted(by_delta.collect(), key=str)
    assert found.count() == 8


def test_delta_reads_older_versions_partitions_and_files_that_are_gone(
    spark: SparkSession, table: Table, tmp_path: Path
) -> None:
    older = load_listed_rows(table, 0)
    assert older is None or older.count() == 4
    parted = Table(spark, TableRef("p", str(tmp_path / "p")))
    spark.range(2).selectExpr("id", "id AS day").write.format("delta").partitionBy("day").save(str(parted.path))
    assert load_listed_rows(parted, 0) is None
    starred = Table(spark, TableRef("q", str(tmp_path / "q[a]")))
    append_rows(spark.range(2).toDF("id"), starred)
    assert load_listed_rows(starred, 0) is None
    gone = Table(spark, TableRef("g", str(tmp_path / "g")))
    append_rows(spark.range(2).toDF("id"), gone)
    for file in Path(str(gone.path)).glob("*.parquet"):
        file.unlink()
    assert load_listed_rows(gone, 0) is None


def test_delta_reads_many_files(spark: SparkSession, tmp_path: Path) -> None:
    many = Table(spark, TableRef("m", str(tmp_path / "m")))
    append_rows(spark.range(0, 33, 1, 33).toDF("id"), many)
    assert load_listed_rows(many, 0) is None


def test_the_driver_reads_the_rows_that_are_not_rejected_also_of_files_without_the_column(tmp_path: Path) -> None:
    schema = pa.schema([("id", pa.int64()), ("_reject", REJECT_TYPE)])
    rejected = {"id": 4, "_reject": {"code": "c", "error": None, "message": "m"}}
    mixed = pa.Table.from_pylist([{"id": 3, "_reject": None}, rejected], schema)
    write_deltalake(tmp_path / "s", mixed)
    pq.write_table(pa.table({"id": [1, 2]}), tmp_path / "s" / "plain.parquet")
    plain = AddAction("plain.parquet", 1, {}, 1, True, '{"numRecords": 2}')
    DeltaTable(tmp_path / "s").create_write_transaction([plain], "append", Schema.from_arrow(schema))
    table = Table(None, TableRef("s", str(tmp_path / "s")))
    found = table.ask_log(lambda log: read_listed_rows(log, 1))
    assert found is not None
    assert sorted(found["id"].to_pylist()) == [1, 2, 3]
    assert found.column_names == ["id"]
