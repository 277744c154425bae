"""An environment that is packed from the index, shipped to a standalone Spark, and used by its workers alone."""

import sys
from pathlib import Path
from typing import Any

import mlflow
import pandas as pd
import pytest
from mlflow.models import infer_signature
from sklearn.base import BaseEstimator

from tests.jobs.cluster_runs import run_program, submit_score, write_config
from tests.standalone import standalone
from tests.world import AS_OF, World, tracking

OTHER = "1.8.0"
"""A scikit-learn that this machine does not have."""

pytestmark = pytest.mark.slow


class TellsVersion(BaseEstimator):  # type: ignore[misc]
    """A model that answers with the version of scikit-learn where it runs."""

    def predict(self, frame: pd.DataFrame) -> Any:
        import numpy
        import sklearn

        major, minor = sklearn.__version__.split(".")[:2]
        return numpy.full(len(frame), float(major) + float(minor) / 100)


def register_teller(world: World) -> None:
    """The next version of the model, by value: no worker has this file."""
    import cloudpickle

    cloudpickle.register_pickle_by_value(sys.modules[__name__])
    frame = pd.DataFrame({"x1": [1.0], "x2": [2.0]})
    with tracking(world.registry.uri):
        mlflow.sklearn.log_model(
            TellsVersion(),
            name="teller",
            signature=infer_signature(frame, TellsVersion().predict(frame)),
            registered_model_name="teller",
            serialization_format="cloudpickle",
            pip_requirements=[f"scikit-learn=={OTHER}", f"cloudpickle=={cloudpickle.__version__}"],
        )


def test_workers_score_with_the_scikit_learn_of_the_archive(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import sklearn

    assert not sklearn.__version__.startswith("1.8.")
    register_teller(world)
    settings = world.settings(
        model={"uri": "models:/teller/1", "requirements": "refuse"}, output={"table": "told", "threshold": None}
    )
    config, archive = write_config(settings, tmp_path / "job.yaml"), tmp_path / "env.tar.gz"
    pack = ("jobs/pack_env.py", "--config", config, "--archive", str(archive))
    code, packed = run_program(world.home, sys.executable, *pack)
    assert (code, packed["status"]) == (0, "packed"), packed.get("error")
    assert packed["packages"]["scikit-learn"] == OTHER
    assert (tmp_path / "env.lock").read_text().count("--hash=sha256:") == len(packed["packages"])

    for name in ("PYTHONPATH", "PYSPARK_PYTHON"):
        monkeypatch.delenv(name, raising=False)
    with standalone(tmp_path) as address:
        shipped = ("--archives", f"{archive}#environment", "--conf", "spark.pyspark.python=./environment/bin/python")
        code, result = submit_score(world.home, address, "--config", config, "--as-of", AS_OF, options=shipped)
    assert (code, result["status"]) == (0, "published"), result.get("error")
    assert not [text for text in result["warnings"] if "packages" in text]
    assert set(world.predictions(name="told")["prediction"]) == {1.08}
