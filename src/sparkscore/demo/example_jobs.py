"""What the programs of the example configs share: a table and a registered model below a home folder."""

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa


def parse_home(arguments: Sequence[str], description: str | None) -> Path:
    """The folder that `--home` names; it is there afterwards."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--home", type=Path, default=Path(".sparkscore"))
    home: Path = parser.parse_args(arguments).home.resolve()
    home.mkdir(parents=True, exist_ok=True)
    return home


def write_example_job(home: Path, table: str, rows: pa.Table, model: str, log: Callable[[], Any]) -> None:
    """Write the table, log the model (`log` returns MLflow's ModelInfo), and let its alias champion point to it."""
    import mlflow
    from deltalake import write_deltalake

    write_deltalake(str(home / "tables" / table), rows, mode="overwrite")
    mlflow.set_tracking_uri(f"sqlite:///{home}/mlflow.db")
    if mlflow.get_experiment_by_name(model) is None:
        mlflow.create_experiment(model, artifact_location=(home / "mlflow-artifacts").as_uri())
    mlflow.set_experiment(model)
    made = log()
    mlflow.MlflowClient().set_registered_model_alias(model, "champion", made.registered_model_version)
