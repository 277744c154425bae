"""Versions of a model that bring modules of the same names, and leave their marks in the process that loads them."""

import json
import os
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import cloudpickle
import numpy as np
from mlflow.pyfunc.model import PythonModel

from tests.model.shelf import Shelf, columns, signature, tensor

cloudpickle.register_pickle_by_value(import_module(__name__))  # executors cannot import tests

TELLING = columns(value="double", draw="double", pid="long", seen="string")
"""What a version answers that tells of its process."""


class Coded(PythonModel):
    """Adds to its input a number whose digits say of which version what runs is: a module, a package that imports
    relatively, a module that is imported late, a variable of the environment, something registered in a library.
    """

    def __init__(self, version: int, *, telling: bool = False) -> None:
        self.version, self.telling = version, telling

    def load_context(self, context: Any) -> None:
        import_module("own_helper")
        import_module("own_package")
        np.random.seed(self.version)
        os.environ.setdefault("OWN_VERSION", str(self.version))
        json.__dict__.setdefault("own_registry", self.version)
        if self.telling and self.version == 1:  # raises, so that Spark would try the task again, in another worker
            np.seterr(divide="raise")

    def predict(self, context, model_input, params=None):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201 - MLflow warns
        digits = [import_module(name).VALUE for name in ("own_helper", "own_package", "own_late")]
        digits += [int(os.environ["OWN_VERSION"]), json.__dict__["own_registry"]]
        if self.version != 1:
            np.log(np.zeros(1))  # raises where the first version's settings are left
        value = model_input["x1"] + int("".join(map(str, digits)))
        if not self.telling:
            return value
        seen = json.dumps({"path": sys.path, "environment": dict(os.environ)})
        return {"value": value, "draw": [np.random.random()], "pid": [os.getpid()], "seen": [seen]}


def offset(version: int) -> int:
    """What a version adds where all that runs is its own."""
    return version * 11_111


def put_coded(shelf: Shelf, folder: Path, version: int, *, name: str = "coded", telling: bool = False) -> str:
    """Register one more version of the model, with code of its own; its URI."""
    package = folder / str(version) / "own_package"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("from .inner import VALUE\n")
    (package / "inner.py").write_text(f"VALUE = {version}\n")
    for module in ("own_helper", "own_late"):
        (package.parent / f"{module}.py").write_text(f"VALUE = {version}\n")
    code = [str(path) for path in sorted(package.parent.iterdir())]
    signed = signature(columns(x1="double"), TELLING if telling else tensor("float64"))
    return shelf.put(name, Coded(version, telling=telling), signed, code_paths=code)
