"""Makes the home folder in `home-schema-1.tar.gz`: the last one whose tables have the schema version 1.

    git worktree add ../former eb8bd59 && cd ../former && PYTHONPATH=src:. python .../make_home_of_schema_1.py FILE

Three as_of of one job without output.threshold, profiled: 2013-12-29 is published; 2013-12-30 is published with a
reject; 2013-12-31 died after it had staged. The model's files lie beside the home, as its registry is full of paths.
"""

# mypy: ignore-errors
# ruff: noqa: I001
import shutil
import sys
import tarfile
import tempfile
from pathlib import Path

import mlflow
import pyarrow as pa
import sparkscore.pipelines.score as verb
from mlflow import MlflowClient
from mlflow.artifacts import download_artifacts
from mlflow.models import infer_signature
from sklearn.linear_model import LinearRegression
from sparkscore.pipelines.score import score
from sparkscore.spark.session import start_local_session
from tests.world import MODEL, Registry, World, source_rows, tracking


class Died(BaseException):
    """No error of the suite: nothing is recorded, as when a process is killed."""


def die(*_: object, **__: object) -> None:
    """In place of what publishes."""
    raise Died


def log_regression(folder: Path) -> Registry:
    """A registry with one model that returns one number: its table can get a label later."""
    uri, rows = f"sqlite:///{folder}/mlflow.db", source_rows(200).to_pandas()
    inputs, late = rows[["x1", "x2"]], (rows["x1"] > rows["x2"]).astype(float)
    model = LinearRegression().fit(inputs, late)
    with tracking(uri):
        mlflow.create_experiment("tests", artifact_location=str(folder / "artifacts"))
        mlflow.set_experiment("tests")
        signature = infer_signature(inputs, model.predict(inputs))
        mlflow.sklearn.log_model(
            model, name=MODEL, signature=signature, registered_model_name=MODEL, pip_requirements=[]
        )
    registry = Registry(uri, ())
    registry.alias(1)
    return registry


def make_home(folder: Path) -> None:
    """The home folder and the model's files, under a folder."""
    (folder / "registry").mkdir()
    spark, registry = start_local_session("former", master="local[2]"), log_regression(folder / "registry")
    world = World(spark, folder / "home", registry)
    world.write_source(source_rows())
    settings = world.settings(source={"passthrough": []}, output={"threshold": None}, profile={"rows": "all"})
    score(spark, settings, as_of="2013-12-29")
    nameless = source_rows(1, first=60).set_column(0, "id", pa.array([None], pa.int64()))
    world.write_source(nameless, mode="append")
    score(spark, settings, as_of="2013-12-30")
    world.write_source(source_rows())
    verb.publish_stage = die
    try:
        score(spark, settings, as_of="2013-12-31")
    except Died:
        spark.stop()
    version = MlflowClient(registry.uri, registry_uri=registry.uri).get_model_version(MODEL, "1")
    with tracking(registry.uri):
        shutil.copytree(download_artifacts(version.source), folder / "model")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as scratch:
        make_home(Path(scratch))
        with tarfile.open(sys.argv[1], "w:gz") as archive:
            for name in ("home", "model"):
                archive.add(Path(scratch) / name, name)
