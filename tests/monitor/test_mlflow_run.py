"""A scoring run in MLflow, with names that MLflow would refuse or take for something else."""

import os
import socket
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from mlflow import MlflowClient

from sparkscore.errors import RegistryUnreachable
from sparkscore.model.registry.mlflow_client import call_mlflow_in_time
from sparkscore.monitor.mlflow_run import RUN_TAG, log_run
from sparkscore.records import Drift, Pins, Run, RunReport
from tests.monitor.hostile import VALUES
from tests.monitor.loopback import Answer, serving

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


def drip(connection: socket.socket) -> None:
    """An answer that never ends: no time-out of a socket ever comes."""
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
    while True:
        connection.sendall(b" ")
        time.sleep(0.2)


@pytest.mark.parametrize(("answer", "seconds"), [(lambda _: time.sleep(60), 1.5), (drip, 1.5)])
def test_a_server_that_does_not_answer_holds_the_run_for_seconds(answer: Answer, seconds: float) -> None:
    run = Run("job", AS_OF, 1, 1, Pins("table-id", 3, "late", "1", "d" * 64, "s" * 64), "tables/x", "")
    report = RunReport("job", "2013-12-31T00:00:00Z", "published", run_id=run.run_id, table="t")
    start, before = time.monotonic(), dict(os.environ)
    with serving(answer, reads=False) as server:
        uri = f"http://127.0.0.1:{server.port}"
        with pytest.raises(RegistryUnreachable, match="within"):
            call_mlflow_in_time(lambda: log_run(report, run, [], tracking_uri=uri, home="/nowhere"), seconds=seconds)
    assert time.monotonic() - start < 40  # MLflow's own retries take minutes
    assert dict(os.environ) == before
