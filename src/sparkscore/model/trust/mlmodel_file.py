"""Reads and checks an MLmodel file before anything of the model is imported."""

from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

import yaml

from sparkscore.errors import ModelError
from sparkscore.settings.strict_yaml import load_yaml
from sparkscore.settings.yaml_survey import RefusedYaml

TRUSTED_LOADERS = frozenset(
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

_FLAVOR_PATH_KEYS = ("code", "data", "model_data", "model_path", "pickled_model", "python_model")
_PYFUNC = "python_function"


def read_mlmodel(folder: str | Path) -> Mapping[str, Any]:
    """The MLmodel file of a model's folder, judged: its loader is one of MLflow's, its paths stay in the folder.

    Runs on: driver.
    Raises:  ModelError.
    """
    path = Path(folder) / "MLmodel"
    try:
        content = load_yaml(path.read_text(encoding="utf-8"))
    except RefusedYaml as refused:
        raise ModelError(
            f"the MLmodel file of the model: {refused.found}", refused.expected, "log the model again"
        ) from refused
    except (OSError, yaml.YAMLError, UnicodeDecodeError) as error:
        raise ModelError(
            f"no readable MLmodel file in the model: {type(error).__name__}",
            "a model logged by MLflow",
            "log the model again",
        ) from error
    flavors = content.get("flavors") if isinstance(content, dict) else None
    if not isinstance(flavors, dict) or not isinstance(flavors.get(_PYFUNC), dict):
        raise ModelError(
            "the MLmodel file has no flavour python_function",
            "a model that MLflow can load as a function",
            "log it with a flavour of MLflow",
        )
    _check_loader_module(flavors[_PYFUNC].get("loader_module"))
    for name, flavor in flavors.items():
        _check_flavor_paths(name, flavor)
    return content  # type: ignore[no-any-return]


def _check_loader_module(loader: object) -> None:
    if not isinstance(loader, str) or loader not in TRUSTED_LOADERS:
        raise ModelError(
            f"the model's MLmodel file names the loader module {loader!r}, which is not MLflow's own",
            f"one of {', '.join(sorted(TRUSTED_LOADERS))}",
            "log the model with one of MLflow's flavours, or as mlflow.pyfunc.PythonModel",
        )


def _check_flavor_paths(flavor_name: str, flavor: object) -> None:
    paths = (
        {key: flavor[key] for key in _FLAVOR_PATH_KEYS if isinstance(flavor.get(key), str)}
        if isinstance(flavor, dict)
        else {}
    )
    for key, value in paths.items():
        path = PurePosixPath(value)
        if path.is_absolute() or ".." in path.parts or "\\" in value:
            raise ModelError(
                f"{flavor_name}.{key} of the MLmodel file points outside the model's folder",
                "a path inside it",
                "log the model again",
            )
