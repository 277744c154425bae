"""Numbers, several classes and ranked lists against their truth, as scikit-learn has it on the raw rows."""

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from pyspark.sql import SparkSession
from sklearn import metrics

from sparkscore import evaluate
from sparkscore.monitor.quality.ranking_quality import list_values
from sparkscore.pipelines.evaluation.realised_quality import load_prediction_truths
from tests.published import PublishedHome, moment

LATER = moment("2014-01-01")
AS_OF = "2013-12-31"


def evaluated(home: PublishedHome, predictions: list[Any], truths: pa.Array, **groups: Any) -> dict[str, Any]:
    ids = np.arange(len(predictions))
    home.publish(
        {"id": ids, "carrier": ["AA"] * len(ids), "prediction": pa.array(predictions, home.output)}, as_of=AS_OF
    )
    home.tell_truth(pa.table({"id": ids, "late": truths}))
    evaluate(home.spark, home.settings(**groups), now=LATER)
    (row,) = home.performance()
    return row


def test_numbers(spark: SparkSession, tmp_path: Path) -> None:
    random = np.random.default_rng(1)
    truths = np.round(random.normal(5, 3, 200), 1)
    predictions = (truths + random.normal(0, 1, 200)).astype(np.float32)
    row = evaluated(
        PublishedHome(spark, tmp_path, pa.float32()), [*predictions, None, np.inf], pa.array([*truths, 1.0, 2.0])
    )
    assert (row["problem_type"], row["labelled_count"], row["null_prediction_count"]) == ("numbers", 202, 2)
    assert row["mean_absolute_error"] == pytest.approx(metrics.mean_absolute_error(truths, predictions))
    assert row["root_mean_squared_error"] == pytest.approx(metrics.root_mean_squared_error(truths, predictions))
    assert row["r2_score"] == pytest.approx(metrics.r2_score(truths, predictions))
    known = truths != 0
    assert row["mean_absolute_percentage_error"] == pytest.approx(
        metrics.mean_absolute_percentage_error(truths[known], predictions[known])
    )
    interval = dict(row["confidence"])["mean_absolute_error"]
    assert interval["low"] < row["mean_absolute_error"] < interval["high"]


def test_probabilities_of_several_classes(spark: SparkSession, tmp_path: Path) -> None:
    random = np.random.default_rng(2)
    predictions = random.dirichlet([1, 1, 1], 150)
    truths = random.integers(0, 3, 150)
    row = evaluated(PublishedHome(spark, tmp_path, pa.list_(pa.float64())), predictions.tolist(), pa.array(truths))
    labels = predictions.argmax(axis=1)
    assert row["problem_type"] == "classes"
    assert row["accuracy_score"] == pytest.approx(metrics.accuracy_score(truths, labels))
    assert row["f1_score"] == pytest.approx(metrics.f1_score(truths, labels, average="macro"))
    assert row["f1_score_weighted"] == pytest.approx(metrics.f1_score(truths, labels, average="weighted"))
    assert row["log_loss"] == pytest.approx(metrics.log_loss(truths, predictions))
    assert [one["name"] for one in row["classes"]] == ["0", "1", "2"]


def test_ranked_lists(spark: SparkSession, tmp_path: Path) -> None:
    random = np.random.default_rng(3)
    predictions = [[f"i{one}" for one in random.permutation(8)] for _ in range(60)]
    truths = [[f"i{one}" for one in random.choice(12, size=random.integers(1, 5), replace=False)] for _ in range(59)]
    home = PublishedHome(spark, tmp_path, pa.list_(pa.string()))
    row = evaluated(home, predictions, pa.array([*truths, []]), performance={"k": 5})
    expected = [list_values(items, relevant, 5) for items, relevant in zip(predictions, truths, strict=False)]
    assert (row["problem_type"], row["k"], row["labelled_count"], row["count"]) == ("ranking", 5, 59, 60)
    for column, name in (
        ("ndcg_at_k", "ndcg"),
        ("precision_at_k", "precision_at_k"),
        ("recall_at_k", "recall_at_k"),
        ("mean_average_precision_at_k", "map_at_k"),
        ("hit_rate_at_k", "hit_rate"),
    ):
        assert row[column] == pytest.approx(np.mean([one[name] for one in expected])), column


def test_the_sql_of_the_page_runs(spark: SparkSession, tmp_path: Path) -> None:
    home = PublishedHome(spark, tmp_path, threshold=0.5)
    evaluated(home, [0.2, 0.9, 0.4], pa.array([0, 1, 1]), labels={"window": "7d"})
    spark.read.format("delta").load(home.path("predictions_performance")).createOrReplaceTempView("performance")
    page = (Path(__file__).parents[2] / "docs" / "performance.md").read_text()
    (block,) = re.findall(r"```sql\n(.*?)```", page, re.DOTALL)
    for query in block.replace("lake.churn_predictions_performance", "performance").split(";")[:2]:
        found = spark.sql(re.sub(r"--.*", "", query)).collect()
        assert len(found) == (1 if "auc_low" in query else 0)


def test_the_truths_of_predictions_for_whoever_compares_models(spark: SparkSession, tmp_path: Path) -> None:
    home = PublishedHome(spark, tmp_path, threshold=0.5)
    home.publish({"id": [1, 2, 3], "carrier": ["AA"] * 3, "prediction": [0.2, 0.9, 0.4]}, as_of=AS_OF)
    home.tell_truth({"flight": [1, 2, 4], "late": ["no", "yes", "yes"]})
    settings = home.settings(labels={"keys": {"id": "flight"}, "positive": "yes"})
    found = load_prediction_truths(spark, settings, [moment(AS_OF)], now=datetime.now(UTC))
    assert (found.by, found.problem) == (("id",), "binary")
    assert sorted(tuple(row) for row in found.rows.collect()) == [(1, 0), (2, 1), (4, 1)]
