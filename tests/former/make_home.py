"""Makes the home folder in `home-0.1.0.tar.gz`. It runs in a checkout of the commit d779952, whose names it uses.

    git worktree add ../former d779952 && cd ../former && PYTHONPATH=src:. python .../make_home.py home-0.1.0.tar.gz

Three as_of of one job with output.threshold 0.5: 2013-12-29 is published; 2013-12-30 is published with a
reject; 2013-12-31 died after it had staged. The model's files lie beside the home, as its registry is full of paths.
"""

# mypy: ignore-errors
# ruff: noqa: I001
import shutil
import sys
import tarfile
import tempfile
from pathlib import Path

import pyarrow as pa
import sparkscore.pipelines.score as verb
from mlflow import MlflowClient
from mlflow.artifacts import download_artifacts
from sparkscore.pipelines.score import score
from sparkscore.session import local_session
from tests.world import MODEL, World, registry_in, source_rows, tracking


class Died(BaseException):
    """No error of the suite: nothing is recorded, as when a process is killed."""


def die(*_: object, **__: object) -> None:
    """In place of what publishes."""
    raise Died


def make_home(folder: Path) -> None:
    """The home folder and the model's files, under a folder."""
    spark, registry = local_session("former", master="local[2]"), registry_in(folder / "registry")
    world = World(spark, folder / "home", registry)
    world.write_source(source_rows())
    score(spark, world.settings(), as_of="2013-12-29")
    nameless = source_rows(1, first=60).set_column(0, "id", pa.array([None], pa.int64()))
    world.write_source(nameless, mode="append")
    score(spark, world.settings(), as_of="2013-12-30")
    world.write_source(source_rows())
    verb.published = die
    try:
        score(spark, world.settings(), as_of="2013-12-31")
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
