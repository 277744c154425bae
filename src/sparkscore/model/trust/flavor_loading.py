"""What MLflow does when it loads a model, as its files declare it: what it unpickles, imports, executes and fetches.

Of MLflow 3.17, whose flavours' `_load_pyfunc` these functions follow. Nothing is imported.
"""

from collections.abc import Callable, Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any

from sparkscore.errors import TrustRefused
from sparkscore.model.trust.file_formats import ModelFile
from sparkscore.model.trust.inspected_model import Finding, InspectedModel, check_named_module
from sparkscore.model.trust.onnx_options import find_onnx_loading
from sparkscore.model.trust.transformers_loading import (
    find_remote_code,
    find_sentence_loading,
    find_transformers_loading,
)

_PYFUNC = "python_function"
_PICKLE_MODULES = ("pickle", "cloudpickle", "mlflow.pytorch.pickle_module")
_PICKLE_INFO = "pickle_module_info.txt"
_KERAS_INFO = "keras_module.txt"
_KERAS_PACKAGES = ("keras", "tensorflow", "tf_keras")
_BOOSTER = "lightgbm.basic.Booster"


def find_declared_loading(model: InspectedModel) -> tuple[Finding, ...]:
    """What the model's flavours say that MLflow unpickles, executes and fetches.

    Runs on: driver | executor.
    Raises:  TrustRefused where MLflow would import a module, or read a file, that the model's author chose, and for
             flavours that MLflow has not written so.
    """
    try:
        return tuple(_find_flavor_loading(model))
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise TrustRefused(
            f"the flavours in the model's MLmodel file cannot be read: {type(error).__name__}",
            "flavours as MLflow writes them",
            "log the model again",
        ) from error


def _find_flavor_loading(model: InspectedModel) -> Iterator[Finding]:
    _refuse_second_mlmodel(model)
    for name, flavor in model.flavors.items():
        if isinstance(flavor, Mapping) and flavor.get("code"):
            yield Finding("code", f"{name}.code puts a folder of it on Python's path")
        if isinstance(flavor, Mapping) and name in _FLAVOR_FINDERS:
            yield from _FLAVOR_FINDERS[name](model, flavor)
    yield from find_remote_code(model)


def _refuse_second_mlmodel(model: InspectedModel) -> None:
    """Some loaders of MLflow read the MLmodel file beside the data first. Databricks keeps a copy in `metadata`."""
    data = str(model.flavors.get(_PYFUNC, {}).get("data", ""))
    for file in model.find_files("MLmodel"):
        is_copy = file.name == "metadata/MLmodel" and PurePosixPath(data).parts[:1] != ("metadata",)
        if file.name != "MLmodel" and not is_copy:
            raise TrustRefused(
                f"the model has a second MLmodel file, {file.name}, which its loader may read",
                "one MLmodel file, in the model's folder",
                "log the model again without it",
            )


def _find_pyfunc_loading(model: InspectedModel, flavor: Mapping[str, Any]) -> Iterator[Finding]:
    if flavor.get("model_code_path"):
        yield Finding("code", "its model is a script (models from code)")
    elif flavor.get("loader_module") in ("mlflow.pyfunc.model", "mlflow.pyfunc.loaders.code_model"):
        yield Finding("pickle", f"{flavor.get('python_model')} is unpickled: a mlflow.pyfunc.PythonModel")
    elif flavor.get("loader_module") in ("mlflow.statsmodels", "mlflow.pmdarima", "mlflow.paddle", "mlflow.pytorch"):
        yield Finding("pickle", f"{flavor['loader_module']} unpickles its models")
    elif flavor.get("loader_module") == "mlflow.sklearn" and not isinstance(model.flavors.get("sklearn"), Mapping):
        yield Finding("pickle", "mlflow.sklearn unpickles a model without a flavour of its own")


def _find_sklearn_loading(model: InspectedModel, flavor: Mapping[str, Any]) -> Iterator[Finding]:
    if flavor.get("serialization_format", "pickle") != "skops":
        yield Finding("pickle", f"{flavor.get('pickled_model')} is unpickled by scikit-learn's flavour")
    elif trusted := flavor.get("skops_trusted_types"):
        names = ", ".join(map(str, trusted)) if isinstance(trusted, list) else str(trusted)
        yield Finding("pickle", f"it builds types that it names itself: {names:.200}")


def _find_lightgbm_loading(model: InspectedModel, flavor: Mapping[str, Any]) -> Iterator[Finding]:
    if flavor.get("model_class", _BOOSTER) != _BOOSTER:
        yield from _find_sklearn_loading(model, {"pickled_model": flavor.get("data"), **flavor})


def _find_xgboost_loading(model: InspectedModel, flavor: Mapping[str, Any]) -> Iterator[Finding]:
    check_named_module(model, flavor.get("model_class", "xgboost.core.Booster"), "xgboost.model_class", ("xgboost",))
    yield from ()


def _find_torch_loading(model: InspectedModel, flavor: Mapping[str, Any]) -> Iterator[Finding]:
    yield Finding("pickle", "PyTorch unpickles its models, exported ones, too")
    for file in model.find_files(_PICKLE_INFO):
        check_named_module(model, _read_word(model, file), file.name, (), _PICKLE_MODULES)
    name = flavor.get("pickle_module_name")
    if name is not None:
        check_named_module(model, name, "pytorch.pickle_module_name", (), _PICKLE_MODULES)


def _find_keras_loading(model: InspectedModel, flavor: Mapping[str, Any]) -> Iterator[Finding]:
    for file in model.find_files(_KERAS_INFO):
        check_named_module(model, _read_word(model, file), file.name, _KERAS_PACKAGES)
    if (module := flavor.get("keras_module")) is not None:
        check_named_module(model, module, "keras_module", _KERAS_PACKAGES)
    if flavor.get("saved_model_dir") or flavor.get("save_exported_model") or model.find_files("saved_model.pb"):
        yield Finding("code", "a SavedModel of TensorFlow is a program, which may read and write files")


def _read_word(model: InspectedModel, file: ModelFile) -> str:
    with (model.folder / file.name).open("rb") as content:
        return content.read(1024).decode("utf-8", "replace").strip()


_FLAVOR_FINDERS: Mapping[str, Callable[[InspectedModel, Mapping[str, Any]], Iterator[Finding]]] = {
    _PYFUNC: _find_pyfunc_loading,
    "keras": _find_keras_loading,
    "lightgbm": _find_lightgbm_loading,
    "onnx": find_onnx_loading,
    "pytorch": _find_torch_loading,
    "sentence_transformers": find_sentence_loading,
    "sklearn": _find_sklearn_loading,
    "tensorflow": _find_keras_loading,
    "transformers": find_transformers_loading,
    "xgboost": _find_xgboost_loading,
}
