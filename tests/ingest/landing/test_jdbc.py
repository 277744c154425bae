"""A real PostgreSQL as a source without versions."""

from typing import Any

import pytest
from pyspark.sql import SparkSession

from sparkscore.errors import AccessDenied, ConfigError, TableNotFound, TemporaryError
from sparkscore.ingest.landing.source_reading import count_source_rows, read_source_columns, read_source_rows
from sparkscore.records import Condition, TableRef, UnversionedSource
from tests.postgres import PASSWORD, USER, Postgres, needs_jdbc_driver, needs_postgres

pytestmark = [needs_postgres, needs_jdbc_driver]


@pytest.fixture(scope="module")
def flights(postgres: Postgres) -> Postgres:
    postgres.run_sql(
        "create table flights as select id, 'c' || id % 2 as carrier, id / 2.0::float8 as x1"
        " from generate_series(1, 100) id"
    )
    postgres.run_sql("create table nothing (id bigint, x1 float8)")
    return postgres


def source_in(server: Postgres, table: str = "public.flights", *, where: Any = (), **options: str) -> UnversionedSource:
    given = {"url": server.jdbc_url, "user": USER, "password": PASSWORD, **options}
    return UnversionedSource("jdbc", TableRef(table, None), given, where=where)


def frame_of(spark: SparkSession, source: UnversionedSource) -> Any:
    return read_source_rows(spark, source, read_source_columns(spark, source, pinned=lambda: None))


def test_ranges_are_read_beside_one_another_and_hold_each_row_once(spark: SparkSession, flights: Postgres) -> None:
    frame = frame_of(spark, source_in(flights, partitionColumn="id", numPartitions="4"))
    parts = frame.rdd.glom().map(len).collect()
    assert (len(parts), sum(parts)) == (4, 100)
    assert min(parts) > 15


def test_an_empty_table_has_no_ranges(spark: SparkSession, flights: Postgres) -> None:
    assert frame_of(spark, source_in(flights, "nothing", partitionColumn="id", numPartitions="4")).count() == 0


def test_the_database_filters(spark: SparkSession, flights: Postgres) -> None:
    frame = frame_of(spark, source_in(flights, where=(Condition("id", ">", 90), Condition("carrier", "=", "c1"))))
    assert "GreaterThan(id,90)" in frame._jdf.queryExecution().toString()
    assert sorted(row["id"] for row in frame.collect()) == [91, 93, 95, 97, 99]


def test_rows_are_counted_where_several_statements_read_them(spark: SparkSession, flights: Postgres) -> None:
    one, many = source_in(flights), source_in(flights, partitionColumn="id", numPartitions="2")
    some = source_in(flights, where=(Condition("id", ">", 90),), partitionColumn="id", numPartitions="2")
    counts = [
        count_source_rows(spark, source, read_source_columns(spark, source, pinned=lambda: None))
        for source in (one, many, some)
    ]
    assert counts == [None, 100, 10]


@pytest.mark.parametrize(
    ("table", "options", "error", "words"),
    [
        ("public.absent", {}, TableNotFound, "the database has no public.absent"),
        ("public.flights", {"password": "another-one1"}, AccessDenied, "refuses the user"),
        ("public.flights", {"url": "jdbc:postgresql://127.0.0.1:1/none"}, TemporaryError, "did not answer"),
        ("public.flights", {"partitionColumn": "id"}, ConfigError, "numPartitions"),
        ("public.flights", {"partitionColumn": "id; drop", "numPartitions": "2"}, ConfigError, "column's name"),
    ],
)
def test_what_the_database_says_has_its_own_error(
    spark: SparkSession, flights: Postgres, table: str, options: dict[str, str], error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        frame_of(spark, source_in(flights, table, **options))
