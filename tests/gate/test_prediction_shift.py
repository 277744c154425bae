"""The shift of predictions against the last run, where the table has got its label since."""

import pytest
from pyspark.sql import SparkSession

from sparkscore.gate.prediction_shift import judge_prediction_shift
from sparkscore.settings import Settings


@pytest.mark.parametrize("before", ["0.5D AS prediction", "0.5D AS prediction, CAST(NULL AS INT) AS label"])
def test_labels_are_not_compared_with_a_run_that_had_none(spark: SparkSession, before: str) -> None:
    settings = Settings(
        job="j",
        source={"table": "s", "keys": ["id"]},
        model={"uri": "models:/m/1"},
        output={"table": "p", "threshold": 0.5},
        gate={"label_shift": 0.1, "mean_shift": 1.0},
    )
    now = spark.sql("SELECT 0.5D AS prediction, 1 AS label")
    verdict = judge_prediction_shift(now, spark.sql(f"SELECT {before}"), settings)
    assert [rule.rule for rule in verdict.rules] == ["mean of predictions against the last run"]
