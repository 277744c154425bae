"""Who is told of an evaluation: of a real model, and of two evaluations at once."""

import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake
from mlflow import MlflowClient
from pyspark.sql import SparkSession

from sparkscore import evaluate
from sparkscore.errors import SparkscoreError
from sparkscore.model.registry.validation_metrics import find_logged_model_id
from sparkscore.monitor.mlflow_performance import log_performance
from sparkscore.records import EvaluationReport
from sparkscore.store import performance_table
from tests.monitor.loopback import serving, status
from tests.monitor.realised import ROWS
from tests.published import PublishedHome, moment
from tests.world import MODEL, Registry, World, source_rows


def begin_training(client: MlflowClient) -> str:
    experiment = client.get_experiment_by_name("tests")
    assert experiment is not None
    return str(client.create_run(experiment.experiment_id).info.run_id)


def test_the_model_s_page_has_the_metrics_of_each_window(registry: Registry) -> None:
    client = MlflowClient(registry.uri, registry_uri=registry.uri)
    run_id = begin_training(client)
    client.create_registered_model("flight-delay")
    client.create_model_version("flight-delay", "file:///nowhere", run_id)
    rows = [replace(row, model_version="1") for row in ROWS if row.is_whole]
    assert log_performance(rows, tracking_uri=registry.uri) == 3
    history = sorted(client.get_metric_history(run_id, "realised/roc_auc"), key=lambda one: one.step)
    assert [one.value for one in history] == [row.quality.value("roc_auc") for row in rows]
    assert [one.step * 3600 for one in history] == [row.start.timestamp() for row in rows]


def test_the_webhook_prometheus_and_the_page_are_told(world: World, tmp_path: Path) -> None:
    client = MlflowClient(world.registry.uri, registry_uri=world.registry.uri)
    model_id = find_logged_model_id(client.get_model_version(MODEL, "1"))
    run_id = begin_training(client)
    client.log_metric(run_id, "val_roc_auc", 1.0, model_id=model_id)
    world.begin_with()
    truth = world.registry.expected(source_rows()) < 0.5  # the opposite of what the model says
    write_deltalake(world.path("truths"), pa.table({"id": np.arange(60), "late": truth}))
    with serving(status("200 OK")) as server:
        settings = world.settings(
            labels={"table": "truths", "truth": "late"},
            performance={"min_rows": 10, "fail": {"decay": 0.1}, "alerts": {"log_loss": {"max": 0.1}}},
            monitor={"mlflow": True, "report": True, "metrics": str(tmp_path / "files"), "webhook": server.url()},
        )
        report = evaluate(world.spark, settings)
        again = evaluate(world.spark, settings)
    assert (report.exit_code, again.exit_code, again.status) == (5, 5, "nothing_new")
    assert "in validation" in report.failed[0]
    assert len(server.texts) == 1
    assert "performance: late-flights" in server.texts[0]
    assert "log loss is" in server.texts[0]
    assert "sparkscore_performance_broken_limits" in (tmp_path / "files" / "late-flights.performance.prom").read_text()
    page = Path(str(report.report)).read_text()
    assert "Realised performance" in page
    assert "broken" in page


@pytest.mark.slow
def test_of_two_evaluations_at_once_each_window_is_there_once(
    spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = PublishedHome(spark, tmp_path, threshold=0.5)
    home.publish({"id": [1, 2], "carrier": ["AA", "UA"], "prediction": [0.2, 0.9]}, as_of="2013-12-31")
    home.tell_truth({"id": [1, 2], "late": [0, 1]})
    barrier, found = threading.Barrier(2, timeout=120), list[EvaluationReport | SparkscoreError]()
    original = performance_table.replace_performance

    def meet(*given: Any, **named: Any) -> None:
        if given[1][0].revision == 1 and not barrier.broken:
            barrier.wait()
        original(*given, **named)

    monkeypatch.setattr("sparkscore.pipelines.evaluate.replace_performance", meet)

    def run() -> None:
        found.append(evaluate(spark, home.settings(), now=moment("2014-01-01")))

    threads = [threading.Thread(target=run) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(240)
    assert sorted(one.status for one in found if isinstance(one, EvaluationReport)) == ["evaluated", "nothing_new"]
    assert DeltaTable(home.path("predictions_performance")).to_pyarrow_table().num_rows == 1


def test_truths_of_which_none_counts_are_a_warning_that_says_what_to_set(spark: SparkSession, tmp_path: Path) -> None:
    home, now = PublishedHome(spark, tmp_path, threshold=0.5), moment("2014-01-01")
    home.publish({"id": [1, 2], "carrier": ["AA", "UA"], "prediction": [0.2, 0.9]}, as_of="2013-12-31")
    home.tell_truth({"id": [1, 2], "late": ["no", "yes"]})
    report = evaluate(spark, home.settings(), now=now)
    assert report.labels is not None
    assert report.labels.invalid == 2
    warning = report.warnings[0]  # the other: no registry is there
    assert "2 of them have something else than 0, 1, true or false in late" in warning
    assert "labels.positive" in warning
    known = evaluate(spark, home.settings(labels={"positive": "yes"}), now=now)
    assert not any(one.startswith("none of the") for one in known.warnings)
    assert known.windows[-1].labelled_rows == 2
