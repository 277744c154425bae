"""What readers would see change, counted by key, and whether the table can hold it."""

from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession

from sparkscore.errors import ConfigError
from sparkscore.publish.earlier_publication import check_earlier_columns, count_row_changes
from sparkscore.records import RowChanges, TableRef
from sparkscore.store.table import Table


def frame(spark: SparkSession, *rows: tuple[Any, ...], value: str = "double") -> DataFrame:
    return spark.createDataFrame(list(rows), f"id long, prediction {value}")


def test_keys_vanish_appear_and_change(spark: SparkSession) -> None:
    now = frame(spark, (1, 0.1), (2, 0.2), (3, 0.3), (4, 0.4))
    then = frame(spark, (3, 0.3), (4, 0.5), (5, 0.5))
    assert count_row_changes(then, now, keys=["id"]) == RowChanges(
        rows_before=4, rows_after=3, keys_removed=2, keys_added=1, keys_changed=1
    )


def test_rows_without_any_counterpart_are_no_change(spark: SparkSession) -> None:
    assert count_row_changes(frame(spark), frame(spark, (1, 0.1)), keys=["id"]) == RowChanges(1, 0, 1, 0, 0)


@pytest.mark.parametrize(
    ("value", "same", "other"),
    [
        ("double", float("nan"), None),
        ("array<double>", [0.1, 0.9], [0.1, 0.8]),
        ("struct<a: map<string, double>>", ({"x": 1.0},), ({"x": 2.0},)),
    ],
)
def test_values_of_any_type_are_compared(spark: SparkSession, value: str, same: Any, other: Any) -> None:
    now = frame(spark, (1, same), (2, same), value=value)
    then = frame(spark, (1, same), (2, other), value=value)
    assert count_row_changes(then, now, keys=["id"]).keys_changed == 1


def test_names_with_dots_are_columns_like_others(spark: SparkSession) -> None:
    now, then = (frame(spark, (1, value)).toDF("the.key", "it's.value") for value in (0.1, 0.2))
    assert count_row_changes(then, now, keys=["the.key"]).keys_changed == 1


def test_a_version_whose_values_the_table_cannot_hold_is_told_with_the_difference(
    spark: SparkSession, tmp_path: Path
) -> None:
    frame(spark, (1, "late"), value="string").write.format("delta").save(str(tmp_path))
    frame(spark, (1, 0.1)).write.format("delta").mode("overwrite").option("overwriteSchema", "true").save(str(tmp_path))
    with pytest.raises(ConfigError, match="cannot hold what it held at version 0: prediction was string"):
        check_earlier_columns(Table(spark, TableRef("predictions", str(tmp_path))), version=0, keys=["id"])
