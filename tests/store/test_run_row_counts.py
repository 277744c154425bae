"""Visible rows by run are the same whether they are counted in the files or by Spark."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from deltalake import write_deltalake
from pyarrow import parquet as pq
from pyspark.sql import SparkSession

from sparkscore.errors import SparkNeeded
from sparkscore.records import TableRef
from sparkscore.schemas import ContractColumn, TableContract
from sparkscore.store import commit_history, run_row_counts
from sparkscore.store.guarded_writes import append_rows
from sparkscore.store.table import Table
from sparkscore.store.table_contracts import ensure_table

NOON = datetime(2013, 12, 31, 12, tzinfo=UTC)
CONTRACT = TableContract(
    "predictions",
    (
        ContractColumn("id", pa.int64(), "key", nullable=False),
        ContractColumn("run_id", pa.string(), "run"),
        ContractColumn("as_of", pa.timestamp("us", "UTC"), "time"),
        ContractColumn("as_of_date", pa.date32(), "its date"),
    ),
    partitioned_by=("as_of_date",),
)
MOMENTS = [NOON, NOON + timedelta(microseconds=1), NOON + timedelta(hours=6), NOON + timedelta(days=1)]


def rows(moment: datetime | None, **runs: int) -> list[dict[str, Any]]:
    date = NOON.date() if moment is None else moment.date()
    return [
        {"id": number, "run_id": None if run_id == "none" else run_id, "as_of": moment, "as_of_date": date}
        for run_id, count in runs.items()
        for number in range(count)
    ]


@pytest.fixture(scope="module")
def table(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> TableRef:
    """Files of Spark and of others: of one run or several, of one as_of or several of a date, without either."""
    ref = TableRef("t", str(tmp_path_factory.mktemp("counts") / "t"))
    ensure_table(Table(spark, ref), CONTRACT, job="job")
    long = "b" * 70
    parts = [
        rows(NOON, **{"a" * 64: 3}),
        rows(NOON, **{"a" * 64: 2, long: 4, f"{long}2": 1}),
        [*rows(MOMENTS[1], early=2), *rows(MOMENTS[2], late=5, none=2), *rows(None, never=1)],
        rows(MOMENTS[3], next=1),
    ]
    for number, part in enumerate(parts * 2):
        found = pa.Table.from_pylist(part, schema=CONTRACT.schema)
        if number < len(parts):
            append_rows(spark.createDataFrame(found).coalesce(1), Table(spark, ref))
        else:
            write_deltalake(str(ref.path), found, mode="append")
    return ref


def count(table: Table, moment: datetime) -> dict[str, int]:
    return commit_history.count_rows_by_run(table, moment)


@pytest.mark.parametrize("moment", [*MOMENTS, NOON - timedelta(days=9)])
def test_rows_are_counted_as_spark_counts_them(spark: SparkSession, table: TableRef, moment: datetime) -> None:
    assert count(Table(None, table), moment) == commit_history._count_rows_by_spark(Table(spark, table), moment)


def test_runs_and_moments_of_one_date_are_told_apart(table: TableRef) -> None:
    counts = [count(Table(None, table), moment) for moment in MOMENTS]
    assert counts == [{"a" * 64: 10, "b" * 70: 8, "b" * 70 + "2": 2}, {"early": 4}, {"late": 10, "": 4}, {"next": 2}]


def test_rows_that_are_deleted_or_replaced_count_no_more(spark: SparkSession, tmp_path: Path) -> None:
    ref = TableRef("t", str(tmp_path / "t"))
    ensure_table(Table(spark, ref), CONTRACT, job="job")
    found = rows(NOON, one=5, two=5)
    append_rows(spark.createDataFrame(pa.Table.from_pylist(found, schema=CONTRACT.schema)), Table(spark, ref))
    own = Table(None, ref)
    assert count(own, NOON) == {"one": 5, "two": 5}
    Table(spark, ref).handle.delete("run_id = 'one' AND id < 3")
    assert count(own, NOON) == {"one": 2, "two": 5}


def test_a_row_group_of_one_run_is_counted_without_its_run_ids(
    table: TableRef, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[list[str]] = []
    original = pq.ParquetFile.read_row_group

    def counted(file: Any, group: int, columns: list[str]) -> pa.Table:
        read.append(columns)
        return original(file, group, columns=columns)

    monkeypatch.setattr(pq.ParquetFile, "read_row_group", counted)
    assert count(Table(None, table), MOMENTS[3]) == {"next": 2}
    assert read == [["as_of"]] * 2


def test_many_files_and_a_file_that_is_gone_are_sparks(
    spark: SparkSession, table: TableRef, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_row_counts, "_MOST_FILES", 1)
    wanted = {"next": 2}
    with pytest.raises(SparkNeeded):
        count(Table(None, table), MOMENTS[3])
    assert count(Table(spark, table), MOMENTS[3]) == wanted


def test_a_table_by_other_partitions_is_sparks(spark: SparkSession, tmp_path: Path) -> None:
    found = pa.Table.from_pylist(rows(NOON, one=5), schema=CONTRACT.schema)
    ref = TableRef("t", str(tmp_path / "t"))
    write_deltalake(str(ref.path), found)
    with pytest.raises(SparkNeeded):
        count(Table(None, ref), NOON)
    assert count(Table(spark, ref), NOON) == {"one": 5}


def test_files_of_other_times_of_a_date_are_not_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ref, opened = TableRef("t", str(tmp_path / "t")), list[str]()
    moments = [NOON + timedelta(milliseconds=number) for number in range(5)]
    for number, moment in enumerate([*moments, moments[2] + timedelta(microseconds=999)]):
        found = pa.Table.from_pylist(rows(moment, **{f"run-{number}": number + 1}), schema=CONTRACT.schema)
        write_deltalake(str(ref.path), found, mode="append", partition_by=["as_of_date"])
    original = run_row_counts._count_file_rows

    def counted(location: Any, moment: datetime, path: str) -> Any:
        opened.append(path)
        return original(location, moment, path)

    monkeypatch.setattr(run_row_counts, "_count_file_rows", counted)
    assert count(Table(None, ref), moments[0]) == {"run-0": 1}
    assert len(opened) == 1
    opened.clear()
    # what lies less than a millisecond after the greatest time of a file may be in it
    assert count(Table(None, ref), moments[2] + timedelta(microseconds=999)) == {"run-5": 6}
    assert {"run-2", "run-5"} >= set(count(Table(None, ref), moments[2]))
    assert len(opened) <= 5
