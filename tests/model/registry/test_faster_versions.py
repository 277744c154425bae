"""What `optimize-model` writes into MLflow."""

from pathlib import Path

from mlflow import MlflowClient

from sparkscore.model.registry.faster_versions import log_measurements
from sparkscore.records import Agreement, MeasuredModel, OptimizationReport, ReportedModel, Speed
from sparkscore.redaction.known_secrets import register_secret

MEASURED = MeasuredModel(
    "parent, sklearn", "parent", bytes=10, speed=Speed(0.1, 5.0, (4.0, 6.0), 1.0, 2.0), agreement=Agreement(0, 0, 0, 0)
)


def test_the_report_and_the_numbers_are_logged_without_secrets(tmp_path: Path) -> None:
    register_secret("hunter2-hunter2")
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    client = MlflowClient(uri, registry_uri=uri)
    experiment = client.create_experiment("job", artifact_location=str(tmp_path / "artifacts"))
    report = OptimizationReport(
        "job", "failed", parent=ReportedModel("hunter2-hunter2", "1"), measured=(MEASURED,), rows=20
    )
    run_id = log_measurements(report, "<p>hunter2-hunter2</p>", tracking_uri=uri, find_experiment=lambda _: experiment)
    run = client.get_run(run_id)
    assert run.info.status == "FAILED"
    assert run.data.metrics["parent/sklearn/rows_per_second"] == 5.0
    assert "hunter2" not in str(run.data.params) + str(run.data.tags)
    texts = [path.read_text() for path in (tmp_path / "artifacts").rglob("optimization.*")]
    assert len(texts) == 2
    assert not any("hunter2" in text for text in texts)
