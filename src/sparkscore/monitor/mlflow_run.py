"""Logs a scoring run in MLflow: source, model, speed, outcome."""

import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sparkscore.records import Drift, Run, RunReport, to_utc_text
from sparkscore.redaction.secret_patterns import mask_secrets

RUN_TAG = "sparkscore.run_id"


def log_run(report: RunReport, run: Run, drifts: Sequence[Drift], *, tracking_uri: str | None, home: str) -> str:
    """The id of the MLflow run of a scoring run, in the experiment `sparkscore/<job>`; the same one for a second call.

    Its inputs are the pinned source and the logged model, so the model's page lists what it has scored. The
    report of the run is an artifact if it is a local file.

    Raises:  MlflowException and what its store raises.
    """
    from mlflow import MlflowClient
    from mlflow.entities import Dataset, DatasetInput, InputTag, LoggedModelInput, Metric, Param, RunTag

    client = MlflowClient(tracking_uri)
    experiment = ensure_job_experiment(client, report.job, tracking_uri, home)
    existing = client.search_runs([experiment], f"tags.`{RUN_TAG}` = '{run.run_id}'", max_results=1)
    tags = {RUN_TAG: run.run_id, "sparkscore.job": report.job, "sparkscore.table": mask_secrets(str(report.table))}
    mlflow_run = (
        existing[0]
        if existing
        else client.create_run(experiment, run_name=f"{report.job} {to_utc_text(run.as_of)}", tags=tags)
    )
    run_id = str(mlflow_run.info.run_id)
    if existing:
        return run_id
    table = mask_secrets(run.source_table)
    source = {"path": table} if "/" in table else {"delta_table_name": table}
    source_json = json.dumps({**source, "delta_table_version": run.pins.source_version})
    name = table.rstrip("/").rpartition("/")[2]
    dataset = Dataset(name=name[:500], digest=run.pins.source_id[:36], source_type="delta_table", source=source_json)
    models = [LoggedModelInput(run.model_id)] if run.model_id else None
    client.log_inputs(run_id, [DatasetInput(dataset, [InputTag("mlflow.data.context", "scoring")])], models)
    now_ms = int(time.time() * 1000)
    params = [Param(key, mask_secrets(str(value))[:500]) for key, value in _mlflow_params(report, run).items()]
    metrics = [Metric(key, float(value), now_ms, 0) for key, value in _mlflow_metrics(report, drifts).items()]
    client.log_batch(run_id, metrics=metrics, params=params, tags=[RunTag("sparkscore.status", report.status)])
    if report.report and Path(report.report).is_file():
        client.log_artifact(run_id, report.report)
    client.set_terminated(run_id)
    return run_id


def _mlflow_params(report: RunReport, run: Run) -> dict[str, Any]:
    return {
        "as_of": to_utc_text(run.as_of),
        "revision": run.revision,
        "attempt": run.attempt,
        "model_name": run.pins.model_name,
        "model_version": run.pins.model_version,
        "model_digest": run.pins.model_digest,
        "source_table": run.source_table,
        "source_version": run.pins.source_version,
        "transport": report.transport,
    }


def _mlflow_metrics(report: RunReport, drifts: Sequence[Drift]) -> dict[str, float]:
    metrics: dict[str, float | None] = {
        "rows_read": report.rows_read,
        "rows_scored": report.rows_scored,
        "rows_rejected": report.rows_rejected,
        "rows_per_second": report.rows_per_second,
        "model_loads": report.model_loads,
        "drifted_columns": report.drifted,
        "sla_broken": len(report.sla_broken),
        **{f"seconds/{part}": seconds for part, seconds in report.seconds.items()},
        **{f"executors/{name}": value for name, value in report.executors.items()},
        **{f"model_counts/{name}": value for name, value in report.model_counts.items()},
    }
    for one in drifts:
        if one.slice_key is None and one.psi is not None and one.drift_type == "BASELINE":
            metrics[f"psi/{_mlflow_metric_name(one.column)}"] = one.psi
    return {name: value for name, value in metrics.items() if value is not None}


def _mlflow_metric_name(name: str) -> str:
    """A column's name as MLflow takes it for a metric: letters, digits, and few signs."""
    plain = "".join(sign if sign.isalnum() or sign in "_-. " else "_" for sign in name)[:200]
    return plain if plain.strip(".") else "_" * len(plain)  # a path of dots alone is refused with all other metrics


def ensure_job_experiment(client: Any, job: str, tracking_uri: str | None, home: str) -> str:
    """The id of the job's experiment. With a local database its files lie under the home, not in the working folder."""
    name = f"sparkscore/{job}"
    experiment = client.get_experiment_by_name(name)
    if experiment is not None:
        return str(experiment.experiment_id)
    local = (tracking_uri or "").startswith("sqlite:") and Path(home).is_absolute()
    return str(
        client.create_experiment(name, artifact_location=Path(f"{home}/mlartifacts").as_uri() if local else None)
    )
