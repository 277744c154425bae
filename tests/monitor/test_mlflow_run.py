"""A scoring run in MLflow, with names that MLflow would refuse or take for something else."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from mlflow import MlflowClient

from sparkscore.monitor.mlflow_run import RUN_TAG, log_run
from sparkscore.records import Drift, Pins, Run, RunReport
from tests.monitor.hostile import VALUES

AS_OF = datetime(2013, 12, 31, tzinfo=UTC)


def drift(column: str) -> Drift:
    return Drift(column, "input", "BASELINE", "training data", 10, 10, psi=0.5)


def test_values_are_text_in_tags_params_and_names_of_metrics(tmp_path: Path) -> None:
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    pins = Pins("table-id", 3, "[/y]<b>*x*", "1", "d" * 64, "s" * 64)
    run = Run("job", AS_OF, 1, 1, pins, "tables/[/y] $(x)", "")
    report = RunReport("job", "2013-12-31T00:00:00Z", "published", run_id=run.run_id, table="t'; DROP TABLE runs; --")
    values = [*VALUES, ".", "..", "a/b", "/", "//", "x'; --"]
    logged = log_run(report, run, [drift(value) for value in values], tracking_uri=uri, home=str(tmp_path))
    found = MlflowClient(uri).get_run(logged).data
    assert found.tags["sparkscore.table"] == report.table
    assert found.tags[RUN_TAG] == run.run_id
    assert found.params["model_name"] == "[/y]<b>*x*"
    assert len([name for name in found.metrics if name.startswith("psi/")]) > len(values) // 2
    assert log_run(replace(report), run, [], tracking_uri=uri, home=str(tmp_path)) == logged


@pytest.mark.parametrize("value", VALUES)
def test_a_column_of_any_name_has_a_metric(value: str, tmp_path: Path) -> None:
    from sparkscore.monitor.mlflow_run import _mlflow_metric_name

    assert _mlflow_metric_name(value).encode()
