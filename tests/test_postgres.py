"""The PostgreSQL that tests begin with."""

from pyspark.sql import SparkSession

from tests.postgres import DATABASE, PASSWORD, USER, Postgres, needs_jdbc_driver, needs_postgres

pytestmark = [needs_postgres, needs_jdbc_driver]


def test_spark_reads_by_jdbc_what_psql_has_written(spark: SparkSession, postgres: Postgres) -> None:
    postgres.run_sql("create table first_rows as select id, id * 2 as twice from generate_series(1, 5) id")
    reader = spark.read.format("jdbc").options(url=postgres.jdbc_url, dbtable="first_rows")
    rows = reader.options(user=USER, password=PASSWORD).load().collect()
    assert sorted(row.twice for row in rows) == [2, 4, 6, 8, 10]
    assert postgres.run_sql("select current_database()") == DATABASE
