"""Faster versions of a model in MLflow: what was measured, and the version itself. Holds only that I/O."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from sparkscore.model.optimise.candidate_folders import save_candidate_folder
from sparkscore.model.registry.mlflow_client import call_registry, open_registry
from sparkscore.records import OptimizationReport, PinnedModel
from sparkscore.redaction.secret_patterns import mask_secrets

PARENT_VERSION_TAG, PARENT_DIGEST_TAG = "sparkscore.parent_version", "sparkscore.parent_digest"
CANDIDATE_TAG = "sparkscore.candidate"


def log_measurements(
    report: OptimizationReport, page: str, *, tracking_uri: str | None, find_experiment: Callable[[Any], str]
) -> str:
    """The id of a new MLflow run with the report (`optimization.html`), the result (`optimization.json`) and metrics.

    Raises:  AccessDenied, RegistryUnreachable.
    """
    client = open_registry(tracking_uri).client
    return call_registry(
        lambda: _log_optimizer_run(client, report, page, find_experiment(client)),
        "the experiment of the job",
        is_transfer=True,
    )


def register_faster_version(
    report: OptimizationReport, folder: Path, parent: PinnedModel, *, tracking_uri: str | None
) -> str:
    """The new version of the parent's registered model, with tags that name the parent. No alias is moved.

    The version is the last that is written: a process that dies before leaves the registered model as it was.

    Raises:  AccessDenied, RegistryUnreachable.
    """
    client = open_registry(tracking_uri).client
    return call_registry(
        lambda: _register(client, report, folder, parent), f"a new version of {parent.name}", is_transfer=True
    )


def move_model_alias(name: str, version: str, alias: str, *, tracking_uri: str | None) -> None:
    """Let an alias name a version.

    Raises:  AccessDenied, RegistryUnreachable.
    """
    client = open_registry(tracking_uri).client
    call_registry(lambda: client.set_registered_model_alias(name, alias, version), f"the alias {alias} of {name}")


def _log_optimizer_run(client: Any, report: OptimizationReport, page: str, experiment: str) -> str:
    from mlflow.entities import Metric, Param

    parent = report.parent
    named = "" if parent is None else mask_secrets(f"{parent.name} {parent.version}")
    run_id = str(
        client.create_run(experiment, run_name=f"optimize {named}", tags={"sparkscore.job": report.job}).info.run_id
    )
    params = {
        "model": named,
        "rows": report.rows,
        "batch_rows": report.batch_rows,
        "cores": report.cores,
        "chosen": report.chosen,
    }
    now_ms = int(time.time() * 1000)
    metrics = [Metric(name, value, now_ms, 0) for name, value in _list_metrics(report)]
    client.log_batch(
        run_id, metrics=metrics, params=[Param(name, mask_secrets(str(one))) for name, one in params.items()]
    )
    client.log_text(run_id, mask_secrets(page), "optimization.html")
    client.log_text(run_id, mask_secrets(json.dumps(json.loads(report.to_json()), indent=1)), "optimization.json")
    client.set_terminated(run_id, "FINISHED" if report.chosen else "FAILED")
    return run_id


def _list_metrics(report: OptimizationReport) -> Iterator[tuple[str, float]]:
    for one in report.measured:
        name = one.name.replace(", ", "/")
        if one.speed is not None:
            yield f"{name}/rows_per_second", one.speed.rows_per_second
            yield f"{name}/p99_ms", one.speed.p99_ms
            yield f"{name}/load_seconds", one.speed.load_seconds
        if one.agreement is not None and one.agreement.max_difference is not None:
            yield f"{name}/max_difference", min(one.agreement.max_difference, 1e300)
        if one.bytes is not None:
            yield f"{name}/bytes", one.bytes


def _register(client: Any, report: OptimizationReport, folder: Path, parent: PinnedModel) -> str:
    run_id = str(report.mlflow_run)
    experiment = client.get_run(run_id).info.experiment_id
    logged = client.create_logged_model(experiment, name=parent.name, source_run_id=run_id)
    try:
        return _upload_version(client, logged, report, folder, parent)
    except Exception:
        with suppress(Exception):  # what is left of it would be a logged model without a version
            client.delete_logged_model(logged.model_id)
        raise


def _upload_version(client: Any, logged: Any, report: OptimizationReport, folder: Path, parent: PinnedModel) -> str:
    from mlflow.entities import LoggedModelStatus
    from mlflow.models import Model

    run_id = str(report.mlflow_run)
    with TemporaryDirectory(prefix="sparkscore-register-") as place:
        files = Path(place, "model")
        described = Model(model_id=logged.model_id, run_id=run_id)
        save_candidate_folder(folder / "model.onnx", parent.path, files, mlflow_model=described)
        client.log_model_artifacts(logged.model_id, str(files))
    client.finalize_logged_model(logged.model_id, LoggedModelStatus.READY)
    tags = {PARENT_VERSION_TAG: parent.version, PARENT_DIGEST_TAG: parent.digest, CANDIDATE_TAG: str(report.chosen)}
    version = client.create_model_version(parent.name, logged.artifact_location, run_id, tags, model_id=logged.model_id)
    return str(version.version)
