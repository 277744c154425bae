"""Views with one row per item of a list."""

from pathlib import Path

import pyarrow as pa
import pytest
from pyspark.sql import SparkSession

from sparkscore.errors import ConfigError
from sparkscore.publish.exploded_views import check_exploded_views, ensure_exploded_views
from sparkscore.records import TableRef
from sparkscore.schemas import ContractColumn, prediction_contract
from sparkscore.store.table import Table

TOP = pa.list_(pa.struct([("label", pa.string()), ("value", pa.float64())]))


def test_the_view_has_a_row_per_item_and_follows_the_config_and_others_views_stay(
    spark: SparkSession, tmp_path: Path
) -> None:
    spark.sql(f"CREATE SCHEMA exploded LOCATION '{tmp_path}/exploded'")
    try:
        spark.sql(
            "CREATE TABLE exploded.p (id BIGINT, `to``p` ARRAY<STRUCT<label: STRING, value: DOUBLE>>, v ARRAY<DOUBLE>,"
            " run_id STRING, as_of TIMESTAMP, as_of_date DATE) USING delta"
        )
        spark.sql(
            "INSERT INTO exploded.p SELECT 1, array(struct('a', 0.7D), struct('b', 0.3D)), array(0.3D), 'r',"
            " TIMESTAMP'2013-12-31', DATE'2013-12-31' UNION ALL SELECT 2, NULL, array(), 'r', NULL, NULL"
        )
        table = Table(spark, TableRef("exploded.p", None))
        ensure_exploded_views(table, {"to`p": "p_items"}, keys=["id"])
        found = spark.table("exploded.p_items")
        assert found.columns == ["id", "position", "label", "value", "as_of", "as_of_date", "run_id"]
        assert [(row["position"], row["label"], row["value"]) for row in found.orderBy("position").collect()] == [
            (0, "a", 0.7),
            (1, "b", 0.3),
        ]
        spark.sql("CREATE VIEW exploded.theirs AS SELECT id FROM exploded.p")
        ensure_exploded_views(table, {"v": "p_items", "to`p": "theirs"}, keys=["id"])
        assert spark.table("exploded.p_items").select("id", "item").collect() == [(1, 0.3)]
        assert spark.table("exploded.theirs").columns == ["id"]
    finally:
        spark.sql("DROP SCHEMA exploded CASCADE")


@pytest.mark.parametrize(
    ("key", "column", "found"), [("id", "prediction", "which is double"), ("Label", "top", "two columns label")]
)
def test_what_is_no_list_and_names_that_clash_are_refused(key: str, column: str, found: str) -> None:
    keys, derived = [ContractColumn(key, pa.int64(), "")], [ContractColumn("top", TOP, "", is_derived=True)]
    contract = prediction_contract(keys, pa.float64(), [], threshold=None, derived=derived)
    with pytest.raises(ConfigError, match=found):
        check_exploded_views({column: "items"}, contract, keys=[key])
