"""Chooses what executes a model, on the driver, from the model's files, before anything of it is loaded."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from sparkscore.errors import ConfigError, ModelError
from sparkscore.model.distribution.shipped_model import OnnxFile, SklearnFile, TorchFile
from sparkscore.model.runtimes.onnx.graph_file import read_onnx_graph
from sparkscore.model.runtimes.onnx.graph_inputs import plan_graph_feeds
from sparkscore.model.runtimes.onnx.graph_outputs import choose_graph_outputs
from sparkscore.model.runtimes.transformers_pipelines import BATCH_SIZE, TRANSFORMERS_LOADER
from sparkscore.model.signature.mlflow_signature import Signature, output_names, tensor_names

Runtime = Literal["pyfunc", "sklearn", "onnx", "torch"]
RUNTIMES = ("auto", "pyfunc", "sklearn", "onnx", "torch")

_RUNTIME_BY_LOADER: Mapping[str, Runtime] = {
    "mlflow.sklearn": "sklearn",
    "mlflow.onnx": "onnx",
    "mlflow.pytorch": "torch",
}
_NATIVE_MODEL_TEXT = {
    "sklearn": "a plain scikit-learn model",
    "onnx": "a model logged by mlflow.onnx, in one graph file",
    "torch": "a model logged by mlflow.pytorch",
}
_SKLEARN_FORMATS = ("skops", "cloudpickle", "pickle")
_SKLEARN_METHODS = ("predict", "predict_proba", "predict_log_proba", "predict_joint_log_proba")
"""What MLflow's wrapper hands to the scikit-learn object unchanged."""
_LOADABLE_PICKLE_MODULES = ("pickle", "cloudpickle", "mlflow.pytorch.pickle_module")
"""Modules whose pickles Python's own pickle module can load."""


def check_model_config(mlmodel: Mapping[str, Any], config: Mapping[str, Any]) -> None:
    """Refuse settings that the model was not logged with: MLflow would only warn of them, and ignore them. A pipeline
    of transformers takes `batch_size` in any case.

    Runs on: driver.
    Raises:  ModelError.
    """
    function = mlmodel["flavors"]["python_function"]
    logged = function.get("config")
    known = list(logged) if isinstance(logged, Mapping) else []
    if function.get("loader_module") == TRANSFORMERS_LOADER and BATCH_SIZE not in known:
        known.append(BATCH_SIZE)
    unknown = [name for name in config if name not in known]
    if unknown:
        raise ModelError(
            f"model.config names {', '.join(unknown)}, which the model was not logged with",
            f"names of its model_config: {', '.join(known) or 'it has none'}",
            "check model.config, or log the model with a model_config that has these names",
        )


def choose_runtime(
    requested: str, mlmodel: Mapping[str, Any], params: Mapping[str, Any], folder: str | Path, *, is_signed: bool = True
) -> Runtime:
    """What executes the model. `auto`: its own library if that gives the same without MLflow, else pyfunc.

    `params`: those that are given, and what configures it.
    `is_signed`: the signature says what is predicted; without it only scikit-learn's models do not need MLflow.

    Runs on: driver.
    Raises:  ConfigError for another runtime; ModelError where one is asked for that cannot execute this model.
    """
    if requested not in RUNTIMES:
        raise ConfigError(f"there is no runtime {requested!r}", f"one of {', '.join(RUNTIMES)}", "check model.runtime")
    native = _RUNTIME_BY_LOADER.get(mlmodel["flavors"]["python_function"].get("loader_module", ""))
    if requested == "pyfunc" or (requested == "auto" and native is None):
        return "pyfunc"
    candidate = native if requested == "auto" else requested
    reason = _pyfunc_reason(str(candidate), native, mlmodel, params, Path(folder))
    if not is_signed and candidate != "sklearn":
        reason = reason or "the type of the result is the caller's, not the signature's"
    if reason is None and native is not None:
        return native
    if requested == "auto":
        return "pyfunc"
    raise ModelError(
        f"runtime {requested}, but {reason}", _NATIVE_MODEL_TEXT[requested], "set model.runtime to auto or pyfunc"
    )


def describe_runtime_file(
    runtime: Runtime, mlmodel: Mapping[str, Any], folder: str | Path
) -> SklearnFile | OnnxFile | TorchFile | None:
    """What the runtime loads: workers then need not read the MLmodel file.

    Needs:   a model for which `choose_runtime` says this runtime.
    """
    pyfunc = mlmodel["flavors"]["python_function"]
    if runtime == "sklearn":
        return _sklearn_file(mlmodel["flavors"]["sklearn"], pyfunc)
    if runtime == "onnx":
        return _onnx_file(mlmodel, pyfunc)
    if runtime == "torch":
        return TorchFile(pyfunc["data"], "pickle" if Path(folder, pyfunc["data"], "model.pth").is_file() else "pt2")
    return None


def check_onnx_signature(mlmodel: Mapping[str, Any], signature: Signature, folder: str | Path) -> None:
    """Refuse a signature that does not fit the model's ONNX graph. Where onnx is not installed, executors do.

    Needs:   a model whose runtime is onnx.
    Runs on: driver.
    Raises:  SignatureError, ModelError.
    """
    file = _onnx_file(mlmodel, mlmodel["flavors"]["python_function"])
    graph = read_onnx_graph(Path(folder, file.path))
    if graph is not None:
        plan_graph_feeds(graph, signature.inputs)
        choose_graph_outputs(graph, file.outputs, signature.output)


def _sklearn_file(flavor: Mapping[str, Any], pyfunc: Mapping[str, Any]) -> SklearnFile:
    trusted = flavor.get("skops_trusted_types")
    return SklearnFile(
        path=flavor["pickled_model"],
        format=flavor["serialization_format"],
        trusted=None if trusted is None else tuple(trusted),
        method=pyfunc.get("predict_fn", "predict"),
    )


def _onnx_file(mlmodel: Mapping[str, Any], pyfunc: Mapping[str, Any]) -> OnnxFile:
    options = mlmodel["flavors"]["onnx"].get("onnx_session_options") or {}
    more = options.get("extra_session_config") or {}
    return OnnxFile(
        path=pyfunc["data"],
        outputs=output_names(mlmodel),
        optimisation=options.get("graph_optimization_level") or None,  # as MLflow: 0 is no wish
        config=tuple(sorted((str(key), str(value)) for key, value in more.items())),
    )


def _pyfunc_reason(
    runtime: str, native: str | None, mlmodel: Mapping[str, Any], params: Mapping[str, Any], folder: Path
) -> str | None:
    """Why MLflow is needed to predict; None where the library's own call is all that it does."""
    flavor = mlmodel["flavors"].get("pytorch" if runtime == "torch" else runtime)
    pyfunc = mlmodel["flavors"]["python_function"]
    if not isinstance(flavor, dict) or native != runtime:
        loader = next(name for name, other in _RUNTIME_BY_LOADER.items() if other == runtime)
        return f"the model is not loaded by {loader}"
    if params:
        return "params are given, or a configuration, which only MLflow passes on"
    if flavor.get("code") or pyfunc.get("code"):
        return "the model brings code of its own"
    if runtime == "sklearn":
        return _sklearn_pyfunc_reason(flavor, pyfunc)
    return _onnx_pyfunc_reason(pyfunc, folder) if runtime == "onnx" else _torch_pyfunc_reason(mlmodel, pyfunc, folder)


def _sklearn_pyfunc_reason(flavor: Mapping[str, Any], pyfunc: Mapping[str, Any]) -> str | None:
    file_format, method = flavor.get("serialization_format"), pyfunc.get("predict_fn", "predict")
    if file_format not in _SKLEARN_FORMATS or not isinstance(flavor.get("pickled_model"), str):
        return f"it is saved as {file_format}"
    return None if method in _SKLEARN_METHODS else f"its predict_fn is {method}"


def _onnx_pyfunc_reason(pyfunc: Mapping[str, Any], folder: Path) -> str | None:
    path = pyfunc.get("data")
    return None if isinstance(path, str) and (folder / path).is_file() else f"its graph is not one file: {path}"


def _torch_pyfunc_reason(mlmodel: Mapping[str, Any], pyfunc: Mapping[str, Any], folder: Path) -> str | None:
    path = pyfunc.get("data")
    data = folder / path if isinstance(path, str) else folder
    if any(name is not None for name in tensor_names(mlmodel)):
        return "its signature names its tensors, which MLflow's flavour for PyTorch does not take"
    if (data / "model.pth").is_file():
        return _pickle_pyfunc_reason(data / "pickle_module_info.txt")
    return None if (data / "model.pt2").is_file() else f"there is neither model.pth nor model.pt2 in {path}"


def _pickle_pyfunc_reason(info: Path) -> str | None:
    module = info.read_text(encoding="utf-8").strip() if info.is_file() else "nothing known"
    return None if module in _LOADABLE_PICKLE_MODULES else f"it was pickled by {module}"
