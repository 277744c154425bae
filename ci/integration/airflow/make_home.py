"""Makes the home folder of a small job: a source, a suite, a model in a registry, and the job's config.

    python ci/integration/airflow/make_home.py FOLDER REGISTRY-ADDRESS

The model waits in the middle of scoring as long as the file FOLDER/hold is there: a run is killed, or started
twice, at a moment that is known.
"""

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd
import pyarrow as pa
import yaml
from deltalake import write_deltalake
from mlflow import MlflowClient

ROWS = 2000
SUITE = {
    "name": "flights",
    "expectations": [
        {"type": "expect_column_values_to_not_be_null", "kwargs": {"column": "x1"}, "severity": "critical"},
        {"type": "expect_table_row_count_to_be_between", "kwargs": {"min_value": 1}, "severity": "critical"},
    ],
}


class HeldModel(mlflow.pyfunc.PythonModel):  # type: ignore[misc, name-defined]
    """x1 - x2, as soon as nothing holds it."""

    def __init__(self, hold: str) -> None:
        self.hold = hold

    def predict(self, context: Any, model_input: pd.DataFrame, params: dict[str, Any] | None = None) -> Any:
        """Predictions of the rows."""
        if Path(self.hold).exists():
            Path(f"{self.hold}-{os.getpid()}").touch()
        while Path(self.hold).exists():
            time.sleep(0.05)
        return model_input["x1"] - model_input["x2"]


def write_source(folder: Path) -> None:
    """The flights, as one more version of their table."""
    ids = np.arange(ROWS)
    rows = pa.table(
        {"id": ids, "carrier": [("AA", "UA")[i % 2] for i in ids], "x1": np.sin(ids * 1.0), "x2": np.cos(ids * 1.7)}
    )
    write_deltalake(str(folder / "home" / "tables" / "flights"), rows, mode="overwrite")


def register_model(folder: Path) -> None:
    """The model, in the database that the registry will serve."""
    address = f"sqlite:///{folder}/registry.db"
    mlflow.set_tracking_uri(address)
    mlflow.set_experiment(
        experiment_id=mlflow.create_experiment("flights", artifact_location=str(folder / "artifacts"))
    )
    example = pd.DataFrame({"x1": [0.5], "x2": [0.25]})
    logged = mlflow.pyfunc.log_model(
        name="model",
        python_model=HeldModel(str(folder / "hold")),
        signature=mlflow.models.infer_signature(example, example["x1"]),
        pip_requirements=[],
        registered_model_name="flight-delay",
    )
    MlflowClient(address).set_registered_model_alias("flight-delay", "champion", str(logged.registered_model_version))


def write_config(folder: Path, registry: str) -> None:
    """The job and its suite."""
    job = {
        "job": "flight-delay",
        "home": str(folder / "home"),
        "source": {"table": "flights", "keys": ["id"], "passthrough": ["carrier"]},
        "model": {"uri": "models:/flight-delay@champion", "tracking_uri": registry},
        "output": {"table": "flight_delay_predictions"},
        "profile": {"rows": "none"},
        "monitor": {"report": False, "mlflow": False},
        "scoring": {"repeat_rows": 0},
    }
    (folder / "job.yaml").write_text(yaml.safe_dump(job), encoding="utf-8")
    (folder / "suite.json").write_text(json.dumps(SUITE), encoding="utf-8")


if __name__ == "__main__":
    target = Path(sys.argv[1])
    target.mkdir(parents=True, exist_ok=True)
    write_source(target)
    register_model(target)
    write_config(target, sys.argv[2])
