"""The newest prediction of every key."""

from pathlib import Path

from chispa import assert_df_equality
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyspark.sql import SparkSession

from sparkscore.publish.latest_view import ensure_latest_view, latest_predictions
from sparkscore.records import TableRef
from sparkscore.store.table import Table

ROWS = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=8, unique=True)


@settings(max_examples=5, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(ROWS)
def test_each_key_has_exactly_its_row_of_the_greatest_as_of(spark: SparkSession, rows: list[tuple[int, int]]) -> None:
    greatest = {key: max(as_of for other, as_of in rows if other == key) for key, _ in rows}
    expected = spark.createDataFrame(list(greatest.items()), "id long, as_of long")
    made = latest_predictions(spark.createDataFrame(rows, "id long, as_of long"), keys=["id"])
    assert_df_equality(made, expected, ignore_row_order=True)


def test_a_back_fill_never_changes_a_key_that_has_a_newer_as_of(spark: SparkSession) -> None:
    rows = [(1, 20131231, "new"), (1, 20130101, "back-fill"), (2, 20130101, "only")]
    made = latest_predictions(spark.createDataFrame(rows, "id long, as_of long, run string"), keys=["id"])
    assert {(row["id"], row["run"]) for row in made.collect()} == {(1, "new"), (2, "only")}


def test_a_column_of_the_tables_own_with_a_name_of_ours_stays(spark: SparkSession) -> None:
    rows = spark.createDataFrame([(1, 20131231, 7)], "id long, as_of long, _rank long")
    assert latest_predictions(rows, keys=["id"]).collect() == [(1, 20131231, 7)]


def test_the_view_follows_the_columns_of_its_table(spark: SparkSession, tmp_path: Path) -> None:
    spark.sql(f"CREATE SCHEMA viewed LOCATION '{tmp_path}/viewed'")
    try:
        spark.sql("CREATE TABLE viewed.p (id BIGINT, as_of TIMESTAMP) USING delta")
        table = Table(spark, TableRef("viewed.p", None))
        ensure_latest_view(table, keys=["id"])
        spark.sql("ALTER TABLE viewed.p ADD COLUMN carrier STRING")
        assert "carrier" not in spark.table("viewed.p_latest").columns
        ensure_latest_view(table, keys=["id"])
        assert spark.table("viewed.p_latest").columns == ["id", "as_of", "carrier"]
    finally:
        spark.sql("DROP SCHEMA viewed CASCADE")


def test_a_view_of_that_name_that_somebody_else_made_stays(spark: SparkSession, tmp_path: Path) -> None:
    spark.sql(f"CREATE SCHEMA viewed LOCATION '{tmp_path}/viewed'")
    try:
        spark.sql("CREATE TABLE viewed.p (id BIGINT, as_of TIMESTAMP) USING delta")
        spark.sql("CREATE VIEW viewed.p_latest AS SELECT id FROM viewed.p")
        ensure_latest_view(Table(spark, TableRef("viewed.p", None)), keys=["id"])
        assert spark.table("viewed.p_latest").columns == ["id"]
    finally:
        spark.sql("DROP SCHEMA viewed CASCADE")
