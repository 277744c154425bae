"""A registry on sqlite that tests put models on. Everything is real MLflow."""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit
from uuid import uuid4

import cloudpickle
import mlflow
import numpy as np
from mlflow import MlflowClient
from mlflow.models import ModelSignature
from mlflow.pyfunc.model import PythonModel
from mlflow.types import ColSpec, ParamSchema, ParamSpec, Schema, TensorSpec
from pyspark.sql import SparkSession
from sklearn.base import BaseEstimator

from sparkscore.model.distribution.model_shipping import describe_shipped_model, ship_model
from sparkscore.model.distribution.shipped_model import ShippedModel
from sparkscore.model.host.process_sharing import list_model_modules
from sparkscore.model.registry.model_resolution import resolve_model
from sparkscore.model.runtimes.model_loading import load_verified_scorer
from sparkscore.model.runtimes.runtime_selection import describe_runtime_file
from sparkscore.model.runtimes.scorer import Scorer
from sparkscore.model.signature.declared_signature import declare_signature
from sparkscore.model.trust.mlmodel_file import read_mlmodel
from sparkscore.records import PinnedModel
from tests import world
from tests.workers import expect_model

cloudpickle.register_pickle_by_value(__import__(__name__, fromlist=["_"]))  # executors cannot import tests


def columns(**types: str) -> Schema:
    """Named columns, all required; a type with a question mark is optional: `x="long?"`."""
    return Schema([ColSpec(kind.rstrip("?"), name, required=not kind.endswith("?")) for name, kind in types.items()])


def positions(*types: str) -> Schema:
    """Columns without names."""
    return Schema([ColSpec(kind) for kind in types])


def tensor(kind: str, *shape: int) -> Schema:
    """One tensor, its first dimension open."""
    return Schema([TensorSpec(np.dtype(kind), (-1, *shape))])


def signature(inputs: Schema | None, outputs: Schema | None, **params: Any) -> ModelSignature:
    """A signature; params by their defaults."""
    names = {int: "long", float: "double", str: "string", bool: "boolean"}
    specs = [ParamSpec(name, names[type(default)], default) for name, default in params.items()]
    more = {"params": ParamSchema(specs)} if specs else {}
    return ModelSignature(inputs=inputs, outputs=outputs, **more)


@dataclass(frozen=True)
class Placed:
    """A model and the folder with its files."""

    model: ShippedModel
    folder: str

    def scorer(self, *, cores: int = 1, device: str | None = None) -> Scorer:
        """The model, loaded into this process."""
        return load_verified_scorer(self.model, self.folder, cores=cores, device=device)


@dataclass(frozen=True)
class Shelf:
    """A registry, and the folder of private copies."""

    folder: Path

    @property
    def uri(self) -> str:
        """The registry's address."""
        return f"sqlite:///{self.folder}/mlflow.db"

    @property
    def client(self) -> MlflowClient:
        """MLflow's client for it."""
        return MlflowClient(self.uri, registry_uri=self.uri)

    @property
    def copies(self) -> str:
        """Where private copies go."""
        return str(self.folder / "copies")

    def put(self, name: str, model: Any, signed: ModelSignature | None, *, method: str = "predict", **more: Any) -> str:
        """Register one more version of a model, by scikit-learn's flavour or as a PythonModel; its URI."""
        if isinstance(model, BaseEstimator):
            more = {"pyfunc_predict_fn": method, "serialization_format": "cloudpickle"} | more
            return self.logged(name, partial(mlflow.sklearn.log_model, model), signed, **more)
        return self.logged(name, partial(mlflow.pyfunc.log_model, python_model=model), signed, **more)

    def logged(self, name: str, log: Callable[..., Any], signed: ModelSignature | None, **more: Any) -> str:
        """Register one more version of a model, by `log_model` of any flavour; its URI."""
        with world.tracking(self.uri):
            if mlflow.get_experiment_by_name("tests") is None:
                mlflow.create_experiment("tests", artifact_location=(self.folder / "artifacts").as_uri())
            mlflow.set_experiment("tests")
            told: dict[str, Any] = {"signature": signed, "registered_model_name": name, "pip_requirements": []}
            info = log(name="model", **told | more)
        uri = f"models:/{name}/{info.registered_model_version}"
        expect_model((self.uri, uri))
        return uri

    def files(self, name: str) -> Path:
        """Where the registry keeps the files of a model's first version."""
        return Path(unquote(urlsplit(self.client.get_model_version_download_uri(name, "1")).path))

    def pinned(self, uri: str, *, runtime: str = "auto", **params: Any) -> PinnedModel:
        """The model resolved."""
        return resolve_model(uri, tracking_uri=self.uri, runtime=runtime, params=params, copies=self.copies)

    def placed(self, uri: str, *, runtime: str = "auto", **more: Any) -> Placed:
        """The model as an executor would have it, without Spark; `more` as `resolve_model` takes it."""
        model = resolve_model(uri, tracking_uri=self.uri, runtime=runtime, copies=self.copies, **{"params": {}} | more)
        mlmodel = declare_signature(read_mlmodel(model.path, model.trust), model.declared)
        shipped = ShippedModel(
            model.digest,
            "",
            model.runtime,
            model.inputs,
            model.tensor,
            model.output,
            file=describe_runtime_file(model.runtime, mlmodel, model.path),
            parts=model.parts,
            params=tuple(sorted(more.get("params", {}).items())),
            code=list_model_modules(mlmodel, model.path),
            trust=model.trust,
        )
        return Placed(shipped, model.path)

    def shipped(self, spark: SparkSession, uri: str, *, runtime: str = "auto", **params: Any) -> ShippedModel:
        """The model resolved and given to Spark."""
        model = self.pinned(uri, runtime=runtime, **params)
        return ship_model(spark, model, describe_shipped_model(model, params=params))


class Returns(PythonModel):
    """Answers with a function of the features (and params), and leaves a file in `loads` each time it is loaded."""

    def __init__(self, answer: Callable[..., Any], loads: Path | None = None) -> None:
        self.answer = answer
        self.loads = loads

    def load_context(self, context: Any) -> None:
        if self.loads is not None:
            (self.loads / f"{os.getpid()}-{uuid4().hex}").touch()

    def predict(self, context, model_input, params=None):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201 - MLflow warns
        return self.answer(model_input, params) if params else self.answer(model_input)


class Answers(BaseEstimator):  # type: ignore[misc]
    """The same as a scikit-learn model: executors need no MLflow for it, so that it loads in no time."""

    def __init__(self, answer: Callable[..., Any]) -> None:
        self.answer = answer

    def predict(self, features: Any) -> Any:
        return self.answer(features)


class Sums(BaseEstimator):  # type: ignore[misc]
    """A scikit-learn model that adds its inputs, in whatever type they come."""

    def predict(self, frame: Any) -> Any:
        return sum(frame[name] for name in frame.columns[1:]) + frame[frame.columns[0]]


def loads_in(folder: Path) -> Sequence[str]:
    """The pids of processes that loaded a model, once per load."""
    return [file.name.partition("-")[0] for file in folder.iterdir()]
