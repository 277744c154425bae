"""The flights as Delta tables."""

from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from pyspark.sql import SparkSession

from sparkscore.demo import contracts
from sparkscore.demo.flights import FlightTables, write_tables
from sparkscore.records import TableRef
from sparkscore.store.table import Table

ROWS = 300
NAMES = ("flights", "weather", "planes")


@pytest.fixture(scope="module")
def few(frames: FlightTables) -> FlightTables:
    return FlightTables(frames.flights.head(ROWS), frames.weather.head(ROWS), frames.planes.head(ROWS))


@pytest.fixture(scope="module")
def home(spark: SparkSession, few: FlightTables, tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("home")
    assert write_tables(spark, str(folder), frames=few) == dict.fromkeys(NAMES, ROWS)
    return str(folder)


def table(home: str, name: str) -> TableRef:
    return TableRef(name, str(Path(home, "tables", name)))


def versions(spark: SparkSession, home: str) -> list[int]:
    return [Table(spark, table(home, name)).load_newest_version() for name in NAMES]


def test_the_table_holds_the_frame_value_by_value(spark: SparkSession, home: str, few: FlightTables) -> None:
    rows = (
        Table(spark, table(home, "flights"))
        .load_rows()
        .orderBy("flight_id")
        .select("flight_id", "dep_time", "temp")
        .collect()
    )
    there = few.flights[["flight_id", "dep_time", "temp"]].itertuples(index=False, name=None)
    assert [tuple(row) for row in rows] == [tuple(None if pd.isna(value) else value for value in row) for row in there]


def test_every_column_says_what_it_is(spark: SparkSession, home: str) -> None:
    found = {
        field.name: field.metadata.get("comment") for field in Table(spark, table(home, "flights")).load_rows().schema
    }
    assert found == {column.name: column.comment for column in contracts.FLIGHTS.columns}


def test_writing_again_commits_nothing(spark: SparkSession, home: str, few: FlightTables) -> None:
    write_tables(spark, home, frames=few)
    before = versions(spark, home)
    write_tables(spark, home, frames=few)
    assert versions(spark, home) == before


def test_only_a_table_with_another_number_of_rows_is_written_anew(
    spark: SparkSession, home: str, few: FlightTables
) -> None:
    before = versions(spark, home)
    write_tables(spark, home, frames=replace(few, planes=few.planes.head(20)))
    assert versions(spark, home)[:2] == before[:2]
    assert Table(spark, table(home, "planes")).load_rows().count() == 20
