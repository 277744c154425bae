"""What an MLmodel file says, read and judged before anything of the model is imported."""

from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any, Literal

import yaml

from sparkscore.errors import ConfigError, ModelError
from sparkscore.model.runtimes import SKLEARN_FORMATS, SKLEARN_METHODS, SklearnFile

LOADERS = frozenset(
    {
        "mlflow.catboost",
        "mlflow.keras.load",
        "mlflow.lightgbm",
        "mlflow.onnx",
        "mlflow.paddle",
        "mlflow.pmdarima",
        "mlflow.prophet",
        "mlflow.pyfunc.loaders.code_model",
        "mlflow.pyfunc.model",
        "mlflow.pytorch",
        "mlflow.sentence_transformers",
        "mlflow.sklearn",
        "mlflow.spacy",
        "mlflow.statsmodels",
        "mlflow.tensorflow",
        "mlflow.transformers",
        "mlflow.xgboost",
    }
)
"""Modules that may load a model: MLflow's own. A loader_module is imported by name, so any other could be anything."""

_PATHS = ("code", "data", "model_path", "pickled_model", "python_model")
_PYFUNC = "python_function"
Runtime = Literal["pyfunc", "sklearn"]
RUNTIMES = ("auto", "pyfunc", "sklearn")


def read_mlmodel(folder: str | Path) -> Mapping[str, Any]:
    """The MLmodel file of a model's folder, judged: its loader is one of MLflow's, its paths stay in the folder.

    Runs on: driver.
    Raises:  ModelError.
    """
    path = Path(folder) / "MLmodel"
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError, UnicodeDecodeError) as error:
        raise ModelError(
            f"no readable MLmodel file in the model: {type(error).__name__}",
            "a model logged by MLflow",
            "log the model again",
        ) from error
    flavors = content.get("flavors") if isinstance(content, dict) else None
    if not isinstance(flavors, dict) or not isinstance(flavors.get(_PYFUNC), dict):
        raise ModelError(
            "an MLmodel file without the flavour python_function",
            "a model that MLflow can load as a function",
            "log it with a flavour of MLflow",
        )
    _check_loader(flavors[_PYFUNC].get("loader_module"))
    for name, flavor in flavors.items():
        _check_paths(name, flavor)
    return content  # type: ignore[no-any-return]


def chosen_runtime(asked: str, mlmodel: Mapping[str, Any], params: Mapping[str, Any]) -> Runtime:
    """What executes the model. `auto`: sklearn without MLflow where that is the same function call, else pyfunc.

    Raises:  ConfigError for another runtime; ModelError where sklearn is asked for and cannot be had.
    """
    if asked not in RUNTIMES:
        raise ConfigError(f"the runtime {asked!r}", f"one of {', '.join(RUNTIMES)}", "check model.runtime")
    reason = _not_plain_sklearn(mlmodel, params)
    if asked == "sklearn" and reason is not None:
        raise ModelError(
            f"runtime sklearn, but {reason}", "a plain scikit-learn model", "set model.runtime to auto or pyfunc"
        )
    return "pyfunc" if asked == "pyfunc" or reason is not None else "sklearn"


def sklearn_file(mlmodel: Mapping[str, Any]) -> SklearnFile:
    """Where the scikit-learn object lies, how it was saved, and which of its methods predicts.

    Needs:   a model for which `chosen_runtime` says sklearn.
    """
    flavor, pyfunc = mlmodel["flavors"]["sklearn"], mlmodel["flavors"][_PYFUNC]
    trusted = flavor.get("skops_trusted_types")
    return SklearnFile(
        path=flavor["pickled_model"],
        format=flavor["serialization_format"],
        trusted=None if trusted is None else tuple(trusted),
        method=pyfunc.get("predict_fn", "predict"),
    )


def _not_plain_sklearn(mlmodel: Mapping[str, Any], params: Mapping[str, Any]) -> str | None:
    """Why MLflow is needed to predict; None where calling a method of the loaded object is all that it does."""
    flavor, pyfunc = mlmodel["flavors"].get("sklearn"), mlmodel["flavors"][_PYFUNC]
    if not isinstance(flavor, dict) or pyfunc.get("loader_module") != "mlflow.sklearn":
        return "the model is not loaded by mlflow.sklearn"
    if params:
        return "params are given, which scikit-learn's models do not take"
    if flavor.get("code") or pyfunc.get("code"):
        return "the model brings code of its own"
    if flavor.get("serialization_format") not in SKLEARN_FORMATS or not isinstance(flavor.get("pickled_model"), str):
        return f"it is saved as {flavor.get('serialization_format')}"
    method = pyfunc.get("predict_fn", "predict")
    return None if method in SKLEARN_METHODS else f"its predict_fn is {method}"


def _check_loader(loader: object) -> None:
    if not isinstance(loader, str) or loader not in LOADERS:
        raise ModelError(
            f"the loader module {loader!r} in the model's MLmodel file",
            f"one of {', '.join(sorted(LOADERS))}",
            "log the model with one of MLflow's flavours, or as mlflow.pyfunc.PythonModel",
        )


def _check_paths(flavor_name: str, flavor: object) -> None:
    named = {key: flavor[key] for key in _PATHS if isinstance(flavor.get(key), str)} if isinstance(flavor, dict) else {}
    for key, value in named.items():
        path = PurePosixPath(value)
        if path.is_absolute() or ".." in path.parts or "\\" in value:
            raise ModelError(
                f"{flavor_name}.{key} of the MLmodel file points outside the model's folder",
                "a path inside it",
                "log the model again",
            )
