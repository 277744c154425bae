"""Models of the benchmark: trained here, registered in MLflow in every form that a contender takes, with an oracle.

One linear model and one MLP have a scikit-learn, an ONNX and (the MLP) a PyTorch form with the same coefficients.
"""

import json
import logging
import os
import pickle
import shutil
import warnings
from collections.abc import Callable
from contextlib import chdir, redirect_stdout
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from sys import stderr
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from bench import data

TRAINING_ROWS = 50_000
EXAMPLE_ROWS = 5
MAKERS = 3
"""Raised when what this module makes changes: what an earlier run has left is then made again."""

Matrix = npt.NDArray[np.float64]
Oracle = Callable[[Matrix], Matrix]


@dataclass(frozen=True, slots=True)
class Model:
    """A registered model in one form, as the contenders need it."""

    kind: str
    """linear, mlp, trees."""
    flavour: str
    """sklearn, onnx, torch."""
    columns: int
    name: str
    uri: str
    tracking_uri: str
    path: str
    """Its files, for contenders without a registry."""
    classes: bool
    """It returns the probabilities of both classes, not of the positive one alone."""


def made(kind: str, columns: int, home: Path) -> tuple[dict[str, Model], Oracle]:
    """The model in all forms that this environment can make, and its oracle; from an earlier run or made now."""
    folder = home / f"{kind}-{columns}-{_fingerprint()}"
    note = folder / "models.json"
    if not note.exists():
        shutil.rmtree(folder, ignore_errors=True)  # half a registry of an interrupted run
        folder.mkdir(parents=True)
        trained = _trained(kind, columns)
        forms = _registered(trained, kind, columns, folder)
        (folder / "oracle.pickle").write_bytes(pickle.dumps(trained))
        note.write_text(json.dumps([asdict(form) for form in forms]))
    forms = [Model(**form) for form in json.loads(note.read_text())]
    trained = pickle.loads((folder / "oracle.pickle").read_bytes())  # noqa: S301  ours
    names = data.features(columns)
    return {form.flavour: form for form in forms}, lambda rows: trained.predict_proba(
        pd.DataFrame(rows, columns=names)
    )[:, 1]


def _fingerprint() -> str:
    """What the files were made with."""
    return f"{MAKERS}-" + "-".join(_version(name) for name in ("mlflow", "scikit-learn", "onnx", "torch"))


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "none"


def _trained(kind: str, columns: int) -> Any:
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.neural_network import MLPClassifier

    frame = data.rows(0, TRAINING_ROWS, columns).to_pandas()[data.features(columns)]
    features = frame.to_numpy()
    random = np.random.default_rng(data.SEED)
    score = features @ random.normal(size=columns) / np.sqrt(columns) + np.sin(features[:, 0] * features[:, 1])
    outcome = (score + random.normal(0, 0.5, TRAINING_ROWS) > 0).astype(int)
    model = {
        "linear": LogisticRegression,
        "mlp": lambda: MLPClassifier((64, 64), max_iter=5, random_state=0),
        "trees": lambda: HistGradientBoostingClassifier(max_iter=100, early_stopping=False, random_state=0),
    }[kind]()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # five passes are not converged, and need not be
        return model.fit(frame, outcome)


def _registered(trained: Any, kind: str, columns: int, folder: Path) -> list[Model]:
    import mlflow

    logging.getLogger("mlflow").setLevel(logging.ERROR)
    os.environ["MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR"] = "false"
    uri = f"sqlite:///{folder}/mlflow.db"
    log: dict[str, Callable[..., None]] = {"sklearn": _log_sklearn}
    if kind != "trees" and find_spec("onnx") and find_spec("onnxruntime"):
        log["onnx"] = _log_onnx
    if kind == "mlp" and find_spec("torch"):
        log["torch"] = _log_torch
    with chdir(folder), redirect_stdout(stderr), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        mlflow.set_tracking_uri(uri)
        mlflow.set_registry_uri(uri)
        mlflow.create_experiment("bench", artifact_location=str(folder / "artifacts"))
        mlflow.set_experiment("bench")
        return [_form(write, trained, flavour, (kind, columns, uri, folder)) for flavour, write in log.items()]


def _form(write: Callable[..., None], trained: Any, flavour: str, about: tuple[str, int, str, Path]) -> Model:
    from mlflow.artifacts import download_artifacts

    kind, columns, uri, folder = about
    name = f"bench-{kind}-{columns}-{flavour}"
    example = data.rows(0, EXAMPLE_ROWS, columns).to_pandas()[data.features(columns)]
    write(trained, example, name=name, registered_model_name=name, pip_requirements=[])
    path = download_artifacts(f"models:/{name}/1", dst_path=str(folder / flavour))
    return Model(kind, flavour, columns, name, f"models:/{name}/1", uri, path.rstrip("/"), flavour == "sklearn")


def _log_sklearn(trained: Any, example: pd.DataFrame, **where: Any) -> None:
    import mlflow.sklearn
    import skops.io
    from mlflow.models import infer_signature

    mlflow.sklearn.log_model(
        trained,
        signature=infer_signature(example, trained.predict_proba(example)),
        pyfunc_predict_fn="predict_proba",
        skops_trusted_types=skops.io.get_untrusted_types(data=skops.io.dumps(trained)),
        **where,
    )


def _log_onnx(trained: Any, example: pd.DataFrame, **where: Any) -> None:
    import mlflow.onnx

    mlflow.onnx.log_model(
        _onnx(_layers(trained)),
        signature=_signature(example, "probability"),
        # two workers on two cores: a pool of threads in each would only be in the way
        onnx_session_options={"intra_op_num_threads": 1, "inter_op_num_threads": 1},
        onnx_execution_providers=["CPUExecutionProvider"],
        **where,
    )


def _log_torch(trained: Any, example: pd.DataFrame, **where: Any) -> None:
    import mlflow.pytorch

    os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")
    mlflow.pytorch.log_model(
        _torch(_layers(trained)),
        signature=_signature(example, None),
        serialization_format="pickle",
        **where,
    )


def _signature(example: pd.DataFrame, output: str | None) -> Any:
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, Schema

    columns = Schema([ColSpec("double", name) for name in example.columns])
    return ModelSignature(columns, Schema([ColSpec("float", output)]))


Layers = list[tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]]


def _layers(trained: Any) -> Layers:
    """Weights (inputs, outputs) and biases of each layer; ReLU between them, a sigmoid at the end."""
    if hasattr(trained, "coefs_"):
        pairs = zip(trained.coefs_, trained.intercepts_, strict=True)
    else:
        pairs = zip([trained.coef_.T], [trained.intercept_], strict=True)
    return [(weights.astype(np.float32), biases.astype(np.float32)) for weights, biases in pairs]


def _onnx(layers: Layers) -> Any:
    from onnx import TensorProto, checker, helper, numpy_helper

    nodes, constants, last = [], [], "features"
    for place, (weights, biases) in enumerate(layers):
        constants += [numpy_helper.from_array(weights, f"w{place}"), numpy_helper.from_array(biases, f"b{place}")]
        final = place == len(layers) - 1
        nodes.append(helper.make_node("Gemm", [last, f"w{place}", f"b{place}"], [f"gemm{place}"]))
        last = "probability" if final else f"relu{place}"
        nodes.append(helper.make_node("Sigmoid" if final else "Relu", [f"gemm{place}"], [last]))
    inputs = [helper.make_tensor_value_info("features", TensorProto.FLOAT, ["rows", layers[0][0].shape[0]])]
    outputs = [helper.make_tensor_value_info("probability", TensorProto.FLOAT, ["rows", 1])]
    graph = helper.make_graph(nodes, "bench", inputs, outputs, constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    checker.check_model(model)
    return model


def _torch(layers: Layers) -> Any:
    import torch

    parts: list[Any] = []
    for weights, biases in layers:
        linear = torch.nn.Linear(*weights.shape)
        linear.load_state_dict({"weight": torch.from_numpy(weights.T.copy()), "bias": torch.from_numpy(biases)})
        parts += [linear, torch.nn.ReLU()]
    return torch.nn.Sequential(*parts[:-1], torch.nn.Sigmoid()).eval()
