"""Models for tests of the model process, without registry and MLflow. Light: fresh processes import this."""

import os
import time
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any
from uuid import uuid4

import cloudpickle
import pyarrow as pa

from sparkscore.model.distribution.shipped_model import ShippedModel, SklearnFile
from sparkscore.model.trust.model_digest import compute_model_digest
from sparkscore.records import ModelInput, PinnedModel

Answer = Callable[[Any], Any]

_MLMODEL = """
flavors:
  python_function: {loader_module: mlflow.sklearn, predict_fn: predict}
  sklearn: {pickled_model: model.pkl, serialization_format: cloudpickle}
"""


class Tells:
    """Answers with a function of the features, and leaves a file in `loads` when it is loaded."""

    def __init__(self, answer: Answer, loads: Path, *, load_s: float = 0.0, error: Exception | None = None) -> None:
        self.answer, self.loads, self.load_s, self.error = answer, loads, load_s, error

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        (self.loads / f"{os.getpid()}-{uuid4().hex}").touch()
        time.sleep(self.load_s)
        if self.error is not None:
            raise self.error

    def predict(self, features: Any) -> Any:
        """What scikit-learn's models have."""
        return self.answer(features)


def pids(frame: Any) -> list[int]:
    """An answer: the number of the process, for each row."""
    return [os.getpid()] * len(frame)


def shipped(folder: Path, model: Any, *, inputs: Sequence[ModelInput], output: pa.DataType) -> ShippedModel:
    """The model, its files in `folder`."""
    folder.mkdir(exist_ok=True)
    (folder / "model.pkl").write_bytes(cloudpickle.dumps(model))
    return ShippedModel(
        digest=compute_model_digest(folder),
        archive="none",
        runtime="sklearn",
        inputs=tuple(inputs),
        tensor=False,
        output=output,
        residency="executor",
        file=SklearnFile("model.pkl", "cloudpickle", None, "predict"),
    )


def pinned(folder: Path, model: Any, *, inputs: Sequence[ModelInput], output: pa.DataType) -> PinnedModel:
    """The model as if it had been resolved: for executors, which cannot import this module."""
    here = import_module(__name__)
    cloudpickle.register_pickle_by_value(here)
    try:
        folder.mkdir()
        (folder / "MLmodel").write_text(_MLMODEL)
        digest = shipped(folder, model, inputs=inputs, output=output).digest
    finally:
        cloudpickle.unregister_pickle_by_value(here)
    return PinnedModel("tells", "1", "m-1", digest, str(folder), "sklearn", tuple(inputs), tensor=False, output=output)


def doubles(*names: str) -> tuple[ModelInput, ...]:
    """Required inputs of doubles."""
    return tuple(ModelInput(name, pa.float64(), required=True) for name in names)
