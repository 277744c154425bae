"""A micro-batch of few rows is landed without a write by Spark, and is what Spark would have landed."""

import datetime as dt
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from deltalake import DeltaTable
from pyspark.sql import SparkSession

from sparkscore.records import TableRef, UnversionedSource
from sparkscore.spark.isolated_session import create_run_session
from sparkscore.store import direct_landing
from sparkscore.store.direct_landing import land_few_rows
from sparkscore.store.landing_tables import find_landed_rows, write_landed_rows
from sparkscore.store.table import Table

COLUMNS = (
    "id bigint, flag boolean, tiny tinyint, small smallint, whole int, wide bigint, single float, double double,"
    " money decimal(20,4), name string, raw binary, day date, at timestamp"
)
MOMENT = dt.datetime(2013, 12, 31, 23, 59, 59, 123456, tzinfo=dt.UTC)
ROWS: list[tuple[Any, ...]] = [
    (
        3,
        True,
        1,
        2,
        3,
        2**53 + 1,
        0.1,
        float("nan"),
        Decimal("12.3400"),
        "é\n",
        b"\x00\x01",
        dt.date(1582, 10, 4),
        MOMENT,
    ),
    (1, False, -128, -32768, None, -(2**63), float("inf"), -0.0, None, "", b"", dt.date(2400, 1, 1), None),
    (2, *[None] * 12),
]
SOURCE = UnversionedSource("micro_batch", TableRef("flights", None), digest="d", batch={"number": "7"})


@pytest.fixture(scope="module")
def session(spark: SparkSession) -> SparkSession:
    return create_run_session(spark)


def table_at(session: SparkSession, path: Path) -> Table:
    return Table(session, TableRef("flights", str(path)))


def test_it_holds_what_spark_would_have_written_of_each_plain_type(session: SparkSession, tmp_path: Path) -> None:
    frame = session.createDataFrame(ROWS, COLUMNS)
    fast, slow = table_at(session, tmp_path / "fast"), table_at(session, tmp_path / "slow")
    assert land_few_rows(frame, fast, SOURCE, keys=["id"], job="j", number=1)
    write_landed_rows(frame, slow, SOURCE, job="j", number=1, writer="w", is_unsure=False)
    for one in (fast, slow):
        found = find_landed_rows(one, "d")
        assert found is not None
        assert (found.number, found.batch) == (1, {"number": "7"})
    assert [(one.name, one.dataType) for one in fast.schema] == [(one.name, one.dataType) for one in slow.schema]
    rows = [repr(sorted(one.load_rows().collect(), key=lambda row: row["id"])) for one in (fast, slow)]
    assert rows[0] == rows[1]
    assert DeltaTable(str(tmp_path / "fast")).to_pyarrow_table()["id"].to_pylist() == [1, 2, 3]


def test_the_same_landing_happens_once(session: SparkSession, tmp_path: Path) -> None:
    frame, table = session.createDataFrame(ROWS, COLUMNS), table_at(session, tmp_path / "t")
    assert land_few_rows(frame, table, SOURCE, keys=["id"], job="j", number=1)
    assert land_few_rows(frame, table, SOURCE, keys=["id"], job="j", number=1)
    assert table.refresh().load_rows().count() == len(ROWS)


def test_other_types_many_rows_and_odd_names_are_left_to_spark(
    session: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = table_at(session, tmp_path / "t")
    monkeypatch.setattr(direct_landing, "MOST_LANDED_ROWS", 2)
    many = session.range(3)
    listed = session.sql("SELECT 1 AS id, array(1, 2) AS parts")
    named = session.sql("SELECT 1 AS id, 2 AS `a b`")
    for frame in (many, listed, named):
        assert not land_few_rows(frame, table, SOURCE, keys=["id"], job="j", number=1)
    assert not table.refresh().exists()
    assert land_few_rows(session.range(2), table, SOURCE, keys=["id"], job="j", number=1)
