"""Which data a registered model version was trained on, as MLflow was told."""

import json
from dataclasses import dataclass

from sparkscore.errors import ModelNotFound
from sparkscore.model.asking import asked, registry_at

_CONTEXT = "mlflow.data.context"
_TRAINING = "training"
_DELTA = "delta_table"


@dataclass(frozen=True, slots=True)
class TrainingData:
    """A Delta table that was logged as the training data of a model."""

    table: str
    """Its path or its catalog name."""
    version: int | None
    """None where none was logged, which MLflow also makes of version 0."""


def training_data(name: str, version: str, *, tracking_uri: str | None) -> TrainingData:
    """The Delta table that the run which made a model version has logged as its input for training.

    Runs on: driver.
    Raises:  ModelNotFound where there is none; AccessDenied, RegistryUnreachable.
    """
    client, what = registry_at(tracking_uri).client, f"{name} version {version}"
    run_id = asked(lambda: client.get_model_version(name, version), f"version {version} of the model {name}").run_id
    inputs = asked(lambda: client.get_run(run_id), f"the run of {what}").inputs.dataset_inputs if run_id else []
    logged = [
        one.dataset
        for one in inputs
        if any(tag.key == _CONTEXT and tag.value == _TRAINING for tag in one.tags) and one.dataset.source_type == _DELTA
    ]
    if len(logged) != 1:
        raise ModelNotFound(
            f"{len(logged) or 'no'} Delta tables logged as training data of {what}",
            "one input of its run with the context training and a Delta table as its source",
            "log it where the model is trained: mlflow.log_input(mlflow.data.load_delta(path=…, version=…), "
            'context="training"); or name a run or a window in drift.baseline',
        )
    source = json.loads(logged[0].source)
    return TrainingData(source.get("path") or source["delta_table_name"], source.get("delta_table_version"))
