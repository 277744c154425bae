"""The demo's model in MLflow: logged, registered, found again. Holds only that I/O.

All of it goes through a client: MLflow's shorter `mlflow.sklearn.log_model` works on the process's global tracking URI.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import mlflow.sklearn
import numpy as np
import pandas as pd
from mlflow import MlflowClient
from mlflow.artifacts import list_artifacts
from mlflow.data.delta_dataset_source import DeltaDatasetSource
from mlflow.entities import Dataset, DatasetInput, InputTag, LoggedModelStatus
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException
from mlflow.models import Model, ModelSignature
from mlflow.types import ColSpec, Schema, TensorSpec
from sklearn.pipeline import Pipeline

from sparkscore.demo.recipe import INPUTS

MODEL_NAME = "flight-delay"
ALIAS = "champion"
EXPERIMENT = "sparkscore-quickstart"
FINGERPRINT_TAG = "sparkscore.fingerprint"
"""Tag of a model version: what it was trained on, and how."""

_ABSENT_ERROR_CODES = ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE")
_DESCRIPTION = "Probability that a flight arrives 15 or more minutes late."


@dataclass(frozen=True, slots=True)
class Candidate:
    """A trained model that is not registered yet."""

    model: Pipeline
    example: pd.DataFrame
    metrics: Mapping[str, float]
    fingerprint: str


def find_champion(client: MlflowClient) -> ModelVersion | None:
    """The version that the alias points to; None if there is none, or if its files are gone."""
    try:
        version = client.get_model_version_by_alias(MODEL_NAME, ALIAS)
    except MlflowException as error:
        if error.error_code in _ABSENT_ERROR_CODES:
            return None
        raise
    files = list_artifacts(client.get_model_version_download_uri(MODEL_NAME, version.version))
    return version if files else None


def load_training_metrics(client: MlflowClient, version: ModelVersion) -> Mapping[str, float]:
    """The metrics of the run that trained a version."""
    metrics: dict[str, float] = client.get_run(str(version.run_id)).data.metrics
    return metrics


def register_candidate(
    client: MlflowClient, candidate: Candidate, *, artifact_root: str, trained_on: DeltaDatasetSource | None = None
) -> str:
    """Log the model, its metrics and the table it was trained on; register it; let the alias point to it.

    Returns the new version.

    The alias moves last: a process that dies before that leaves the old version in use.
    """
    experiment_id = _ensure_demo_experiment(client, artifact_root)
    run_id = client.create_run(experiment_id, run_name="train").info.run_id
    logged = client.create_logged_model(experiment_id, name=MODEL_NAME, source_run_id=run_id)
    _upload_model_files(client, candidate, Model(model_id=logged.model_id, run_id=run_id))
    if trained_on is not None:
        inputs = [DatasetInput(_training_dataset(candidate, trained_on), [InputTag("mlflow.data.context", "training")])]
        client.log_inputs(run_id, inputs)
    for name, value in candidate.metrics.items():
        client.log_metric(run_id, name, value, model_id=logged.model_id)
    client.set_terminated(run_id)
    if not client.search_registered_models(f"name = '{MODEL_NAME}'"):
        client.create_registered_model(MODEL_NAME, description=_DESCRIPTION)
    tags = {FINGERPRINT_TAG: candidate.fingerprint}
    # Not `models:/<id>` as the source: MLflow looks that up in the global registry.
    version = client.create_model_version(MODEL_NAME, logged.artifact_location, run_id, tags, model_id=logged.model_id)
    client.set_registered_model_alias(MODEL_NAME, ALIAS, str(version.version))
    return str(version.version)


def delay_signature() -> ModelSignature:
    """Named and typed inputs, all of them required; as output the probabilities of (on time, late)."""
    columns = Schema([ColSpec(kind, name) for name, kind in INPUTS.items()])
    return ModelSignature(inputs=columns, outputs=Schema([TensorSpec(np.dtype("float64"), (-1, 2))]))


def _training_dataset(candidate: Candidate, source: DeltaDatasetSource) -> Dataset:
    return Dataset("flights_training", candidate.fingerprint[:36], "delta_table", source.to_json())


def _ensure_demo_experiment(client: MlflowClient, artifact_root: str) -> str:
    """The id of the quickstart's experiment, whose files lie under `artifact_root` and not in the working directory."""
    experiment = client.get_experiment_by_name(EXPERIMENT)
    if experiment is not None:
        return str(experiment.experiment_id)
    location = artifact_root if "://" in artifact_root else Path(artifact_root).resolve().as_uri()
    return str(client.create_experiment(EXPERIMENT, artifact_location=location))


def _upload_model_files(client: MlflowClient, candidate: Candidate, description: Model) -> None:
    """The model's files, in skops' format, which loads without running code that the file brings."""
    with TemporaryDirectory() as folder:
        files = f"{folder}/model"
        mlflow.sklearn.save_model(
            candidate.model,
            files,
            mlflow_model=description,
            signature=delay_signature(),
            input_example=candidate.example,
            pyfunc_predict_fn="predict_proba",
            serialization_format=mlflow.sklearn.SERIALIZATION_FORMAT_SKOPS,
            # Left to itself MLflow loads the model in another process to find out, which takes seconds.
            pip_requirements=mlflow.sklearn.get_default_pip_requirements(include_skops=True),
        )
        client.log_model_artifacts(str(description.model_id), files)
    client.finalize_logged_model(str(description.model_id), LoggedModelStatus.READY)
