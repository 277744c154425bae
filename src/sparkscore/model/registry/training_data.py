"""Which data a registered model version was trained on, as logged in MLflow."""

import json
from dataclasses import dataclass

from sparkscore.errors import ModelNotFound
from sparkscore.model.registry.mlflow_client import call_registry, open_registry
from sparkscore.model.registry.model_uri import VERTEX_SCHEME

_CONTEXT_TAG = "mlflow.data.context"
_TRAINING_CONTEXT = "training"
_DELTA_SOURCE_TYPE = "delta_table"


@dataclass(frozen=True, slots=True)
class TrainingData:
    """A Delta table that was logged as the training data of a model."""

    table: str
    """Its path or its catalog name."""
    version: int | None
    """None where none was logged, which MLflow also makes of version 0."""


def find_training_data(name: str, version: str, *, tracking_uri: str | None) -> TrainingData:
    """The Delta table that the run which made a model version has logged as its input for training.

    Runs on: driver.
    Raises:  ModelNotFound where there is none; AccessDenied, RegistryUnreachable.
    """
    if name.startswith(VERTEX_SCHEME):
        raise ModelNotFound(
            f"Vertex AI has {name}, and MLflow tells what a model was trained on",
            "a baseline of another kind",
            "name a run or a window in drift.baseline",
        )
    client, subject = open_registry(tracking_uri).client, f"{name} version {version}"
    run_id = call_registry(
        lambda: client.get_model_version(name, version), f"version {version} of the model {name}"
    ).run_id
    inputs = (
        call_registry(lambda: client.get_run(run_id), f"the run of {subject}").inputs.dataset_inputs if run_id else []
    )
    logged = [
        one.dataset
        for one in inputs
        if any(tag.key == _CONTEXT_TAG and tag.value == _TRAINING_CONTEXT for tag in one.tags)
        and one.dataset.source_type == _DELTA_SOURCE_TYPE
    ]
    if len(logged) != 1:
        raise ModelNotFound(
            f"{len(logged) or 'no'} Delta tables logged as training data of {subject}",
            "one input of its run with the context training and a Delta table as its source",
            "log it where the model is trained: mlflow.log_input(mlflow.data.load_delta(path=…, version=…), "
            'context="training"); or name a run or a window in drift.baseline',
        )
    source = json.loads(logged[0].source)
    return TrainingData(source.get("path") or source["delta_table_name"], source.get("delta_table_version"))
