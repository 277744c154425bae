"""What is landed of a source without versions: once, whole, and found again."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.types import LongType, StringType, StructField, StructType

from sparkscore.records import LandedRows, TableRef, UnversionedSource
from sparkscore.store.landing_tables import (
    adopt_landed_rows,
    count_landings,
    find_landed_rows,
    landing_ref,
    load_pinned_schema,
    pin_schema,
    write_landed_rows,
)
from sparkscore.store.table import Table

SOURCE = UnversionedSource("csv", TableRef("a.csv", "/a.csv"), {"password": "Xk42-secret"}, digest="d" * 64)
AS_OF = datetime(2013, 12, 31, tzinfo=UTC)


@pytest.fixture
def table(spark: SparkSession, tmp_path: Path) -> Table:
    return Table(spark, landing_ref("a.csv", str(tmp_path), AS_OF))


def rows(spark: SparkSession, count: int = 3) -> DataFrame:
    return spark.range(count).toDF("Order No.")


def land(
    frame: DataFrame, table: Table, *, number: int = 1, writer: str = "one", is_unsure: bool = False
) -> int | None:
    return write_landed_rows(frame, table, SOURCE, job="late", number=number, writer=writer, is_unsure=is_unsure)


def versions_of(found: LandedRows | None) -> tuple[int, int] | None:
    return None if found is None else (found.version, found.number)


def test_a_landing_is_made_once_whoever_asks_and_names_no_secret(spark: SparkSession, table: Table) -> None:
    assert find_landed_rows(table, SOURCE.digest) is None
    assert land(rows(spark), table) == 0
    assert land(rows(spark, 9), table, writer="another") is None
    assert versions_of(find_landed_rows(table, SOURCE.digest)) == (0, 1)
    assert find_landed_rows(table, "e" * 64) is None
    assert sorted(row[0] for row in table.load_rows(0).collect()) == [0, 1, 2]
    assert "Xk42" not in "".join(text or "" for _, text in table.load_user_metadata())


def test_landing_anew_is_the_next_version_and_the_one_before_stays(spark: SparkSession, table: Table) -> None:
    land(rows(spark), table)
    number = count_landings(table, SOURCE.digest) + 1
    assert land(rows(spark, 5), table, number=number, writer="two") == 1
    assert versions_of(find_landed_rows(table, SOURCE.digest)) == (1, 2)
    assert (table.load_rows(0).count(), table.load_rows(1).count()) == (3, 5)


def test_an_unsure_landing_is_read_by_nobody_before_it_is_adopted(spark: SparkSession, table: Table) -> None:
    land(rows(spark), table, is_unsure=True)
    assert find_landed_rows(table, SOURCE.digest) is None
    assert land(rows(spark, 5), table, number=2, writer="two", is_unsure=True) == 1
    adopt_landed_rows(table, SOURCE, 2)
    assert versions_of(find_landed_rows(table, SOURCE.digest)) == (1, 2)
    assert table.load_rows().count() == 5


def test_what_a_killed_writer_left_is_no_part_of_the_next_landing(spark: SparkSession, table: Table) -> None:
    folder = Path(str(table.path))
    rows(spark, 7).write.parquet(str(folder / "part"))
    (folder / "part").rename(folder / "left")
    next((folder / "left").glob("*.parquet")).rename(folder / "part-0.snappy.parquet")
    (folder / "_delta_log").mkdir()
    assert find_landed_rows(table, SOURCE.digest) is None
    assert land(rows(spark), table) == 0
    assert table.load_rows().count() == 3


def test_the_first_columns_are_kept(spark: SparkSession, tmp_path: Path) -> None:
    first = StructType([StructField("Order No.", LongType())])
    other = StructType([StructField("Order No.", StringType())])
    folder = str(tmp_path / "late")
    assert load_pinned_schema(spark, folder) is None
    assert pin_schema(spark, folder, first, job="late") == first
    assert pin_schema(spark, folder, other, job="late") == first
    assert load_pinned_schema(spark, folder) == first
