"""Rows of small tables are the same whether pyarrow reads them or Spark."""

import subprocess
import sys
from collections.abc import Callable, Collection
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyspark.sql import SparkSession

from sparkscore.errors import ScanUnsupported
from sparkscore.records import TableRef
from sparkscore.schemas import ContractColumn, TableContract
from sparkscore.store import small_tables, table_contracts
from sparkscore.store.guarded_writes import append_rows
from sparkscore.store.table import Table

FIRST = datetime(2013, 12, 29, 23, 30, tzinfo=UTC)
CONTRACT = TableContract(
    "a table",
    (
        ContractColumn("as_of", pa.timestamp("us", "UTC"), "time", nullable=False),
        ContractColumn("as_of_date", pa.date32(), "its date", nullable=False),
        ContractColumn("text", pa.string(), "text"),
        ContractColumn("numbers", pa.list_(pa.float64()), "a list"),
        ContractColumn("pair", pa.struct([("low", pa.float64()), ("high", pa.int64())]), "a struct"),
    ),
    partitioned_by=("as_of_date",),
)
Where = tuple[str, Collection[date]] | None


@pytest.fixture
def table(spark: SparkSession, tmp_path: Path) -> TableRef:
    """Two rows of each of three days: one with values, one with NULLs."""
    made = TableRef("t", str(tmp_path / "t"))
    table_contracts.ensure_table(Table(spark, made), CONTRACT, job="job")
    times = [FIRST + timedelta(days=day) for day in range(3)]
    full = [
        {"as_of": at, "as_of_date": at.date(), "text": "a", "numbers": [0.5, None], "pair": {"low": 1.5, "high": 2**60}}
        for at in times
    ]
    empty = [{"as_of": at, "as_of_date": at.date()} for at in times]
    append_rows(spark.createDataFrame(pa.Table.from_pylist(full + empty, schema=CONTRACT.schema)), Table(spark, made))
    return made


def read(spark: SparkSession, table: TableRef, where: Where) -> list[Any]:
    found = [
        row | {"as_of": row["as_of"].astimezone(UTC)}
        for row in small_tables.load_small_table(Table(spark, table), where=where)
    ]
    return sorted(found, key=lambda row: (row["as_of"], row["text"] is None))


@pytest.fixture(params=["pyarrow", "spark"])
def reading(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[Any]]:
    """Each of the two ways, with the other one closed."""

    def closed(*_: Any) -> Any:
        raise ScanUnsupported("a place that only Spark reaches")

    def unused(*_: Any) -> Any:
        raise AssertionError("Spark was asked")

    if request.param == "spark":
        monkeypatch.setattr(Table, "location", property(closed))
    else:
        monkeypatch.setattr(Table, "load_rows", unused)
    return read


def test_times_at_the_ends_of_the_calendar_are_read_as_they_were_written(
    spark: SparkSession, table: TableRef, reading: Callable[..., list[Any]]
) -> None:
    ends = [datetime(1, 1, 2, tzinfo=UTC), datetime(9999, 12, 30, 23, 59, 59, 999999, tzinfo=UTC)]
    rows = [{"as_of": at, "as_of_date": at.date()} for at in ends]
    append_rows(spark.createDataFrame(pa.Table.from_pylist(rows, schema=CONTRACT.schema)), Table(spark, table))
    found = reading(spark, table, None)
    assert (found[0]["as_of"], found[-1]["as_of"], len(found)) == (*ends, 8)


@pytest.mark.parametrize(
    ("where", "days"),
    [
        (None, [0, 1, 2]),
        (("as_of", [FIRST + timedelta(days=1)]), [1]),
        (("as_of_date", {date(2013, 12, 29), date(2013, 12, 31)}), [0, 2]),
        (("as_of_date", {date(1970, 1, 1)}), []),
        (("as_of_date", set()), []),
    ],
)
def test_rows_have_all_columns_and_only_what_was_asked_for(
    spark: SparkSession, table: TableRef, reading: Callable[..., list[Any]], where: Where, days: list[int]
) -> None:
    found = reading(spark, table, where)
    assert [row["as_of"] for row in found] == [FIRST + timedelta(days=day) for day in days for _ in range(2)]
    for full, empty in zip(found[::2], found[1::2], strict=True):
        assert full == {
            "as_of": full["as_of"],
            "as_of_date": full["as_of"].date(),
            "text": "a",
            "numbers": [0.5, None],
            "pair": {"low": 1.5, "high": 2**60},
        }
        assert (empty["text"], empty["numbers"], empty["pair"]) == (None, None, None)


def test_a_process_that_has_read_them_ends_well(table: TableRef) -> None:
    reads = (
        "import sys; from sparkscore.records import TableRef; "
        "from sparkscore.store.small_tables import load_small_table; from sparkscore.store.table import Table"
    )
    program = f"{reads}; print(len(load_small_table(Table(None, TableRef('t', sys.argv[1])))))"
    for _ in range(4):
        done = subprocess.run(
            [sys.executable, "-c", program, str(table.path)], capture_output=True, text=True, check=False, timeout=120
        )
        assert (done.returncode, done.stdout) == (0, "6\n"), done.stderr


def test_what_pyarrow_would_misread_is_read_by_spark(spark: SparkSession, table: TableRef) -> None:
    spark.sql(f"ALTER TABLE delta.`{table.path}` SET TBLPROPERTIES ('delta.columnMapping.mode' = 'name')")
    spark.sql(f"ALTER TABLE delta.`{table.path}` RENAME COLUMN text TO words")
    assert sorted(row["words"] or "" for row in small_tables.load_small_table(Table(spark, table))) == [
        "",
        "",
        "",
        "a",
        "a",
        "a",
    ]
