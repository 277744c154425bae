"""What MLflow does when it loads a model, as its files declare it: what it unpickles, imports, executes and fetches.

Of MLflow 3.17, whose flavours' `_load_pyfunc` these functions follow. Nothing is imported.
"""

import json
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from sparkscore.errors import TrustRefused
from sparkscore.model.trust.file_formats import ModelFile
from sparkscore.model.trust.flavor_paths import is_outside_path
from sparkscore.model.trust.onnx_references import refuse_outside_weights

FindingKind = Literal["code", "pickle", "downloads"]

_PYFUNC = "python_function"
_PICKLE_MODULES = ("pickle", "cloudpickle", "mlflow.pytorch.pickle_module")
_PICKLE_INFO = "pickle_module_info.txt"
_KERAS_INFO = "keras_module.txt"
_KERAS_PACKAGES = ("keras", "tensorflow", "tf_keras")
_BOOSTER = "lightgbm.basic.Booster"
_SAFE_SESSION_KEYS = frozenset(
    {
        "mlas.disable_kleidiai",
        "optimization.constant_folding_max_output_size_in_bytes",
        "optimization.disable_specified_optimizers",
        "optimization.enable_cast_chain_elimination",
        "optimization.enable_gelu_approximation",
        "optimization.minimal_build_optimizations",
        "session.allow_released_opsets_only",
        "session.disable_aot_function_inlining",
        "session.disable_cpu_ep_fallback",
        "session.disable_double_qdq_remover",
        "session.disable_prepacking",
        "session.disable_qdq_constant_folding",
        "session.disable_quant_qdq",
        "session.dynamic_block_base",
        "session.enable_quant_qdq_cleanup",
        "session.force_spinning_stop",
        "session.graph_optimizations_loop_level",
        "session.inter_op.allow_spinning",
        "session.intra_op.allow_spinning",
        "session.qdq_matmulnbits_accuracy_level",
        "session.set_denormal_as_zero",
        "session.strict_shape_type_inference",
        "session.use_deterministic_compute",
        "session.use_device_allocator_for_initializers",
        "session.use_env_allocators",
    }
)
"""Options of onnxruntime that choose how it computes. Others read or write files, or take memory for a file."""
_SESSION_OPTIONS = frozenset(
    {
        "execution_mode",
        "extra_session_config",
        "graph_optimization_level",
        "inter_op_num_threads",
        "intra_op_num_threads",
    }
)
_PROVIDERS = frozenset({"CPUExecutionProvider", "CUDAExecutionProvider", "ROCMExecutionProvider"})
"""Providers whose options name no library and no file."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that a model does when it is loaded."""

    kind: FindingKind
    text: str


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """What is known of a model before it is loaded."""

    folder: Path
    flavors: Mapping[str, Any]
    files: tuple[ModelFile, ...]
    modules: Collection[str]
    """Modules beside MLflow's own that the operator allows to load a model."""

    def find_files(self, *names: str) -> list[ModelFile]:
        """Its files of these names, in whichever folder."""
        return [file for file in self.files if file.name.rpartition("/")[2] in names]


def find_declared_loading(model: LoadedModel) -> Iterator[Finding]:
    """What the model's flavours say that MLflow unpickles, executes and fetches.

    Runs on: driver | executor.
    Raises:  TrustRefused where MLflow would import a module, or read a file, that the model's author chose.
    """
    for name, flavor in model.flavors.items():
        if isinstance(flavor, Mapping) and flavor.get("code"):
            yield Finding("code", f"{name}.code puts a folder of it on Python's path")
        if isinstance(flavor, Mapping) and name in _FLAVOR_FINDERS:
            yield from _FLAVOR_FINDERS[name](model, flavor)
    yield from _find_remote_code(model)


def _find_pyfunc_loading(model: LoadedModel, flavor: Mapping[str, Any]) -> Iterator[Finding]:
    if flavor.get("model_code_path"):
        yield Finding("code", "its model is a script (models from code)")
    elif flavor.get("loader_module") in ("mlflow.pyfunc.model", "mlflow.pyfunc.loaders.code_model"):
        yield Finding("pickle", f"{flavor.get('python_model')} is unpickled: a mlflow.pyfunc.PythonModel")
    elif flavor.get("loader_module") in ("mlflow.statsmodels", "mlflow.pmdarima", "mlflow.paddle", "mlflow.pytorch"):
        yield Finding("pickle", f"{flavor['loader_module']} unpickles its models")
    elif flavor.get("loader_module") == "mlflow.sklearn" and not isinstance(model.flavors.get("sklearn"), Mapping):
        yield Finding("pickle", "mlflow.sklearn unpickles a model without a flavour of its own")


def _find_sklearn_loading(model: LoadedModel, flavor: Mapping[str, Any]) -> Iterator[Finding]:
    if flavor.get("serialization_format", "pickle") != "skops":
        yield Finding("pickle", f"{flavor.get('pickled_model')} is unpickled by scikit-learn's flavour")
    elif trusted := flavor.get("skops_trusted_types"):
        names = ", ".join(map(str, trusted)) if isinstance(trusted, list) else str(trusted)
        yield Finding("pickle", f"it builds types that it names itself: {names:.200}")


def _find_lightgbm_loading(model: LoadedModel, flavor: Mapping[str, Any]) -> Iterator[Finding]:
    if flavor.get("model_class", _BOOSTER) != _BOOSTER:
        yield from _find_sklearn_loading(model, {"pickled_model": flavor.get("data"), **flavor})


def _find_xgboost_loading(model: LoadedModel, flavor: Mapping[str, Any]) -> Iterator[Finding]:
    _check_module(model, flavor.get("model_class", "xgboost.core.Booster"), "xgboost.model_class", ("xgboost",))
    yield from ()


def _find_torch_loading(model: LoadedModel, flavor: Mapping[str, Any]) -> Iterator[Finding]:
    yield Finding("pickle", "PyTorch unpickles its models, exported ones, too")
    for file in model.find_files(_PICKLE_INFO):
        _check_module(model, _read_word(model, file), file.name, (), _PICKLE_MODULES)
    name = flavor.get("pickle_module_name")
    if name is not None:
        _check_module(model, name, "pytorch.pickle_module_name", (), _PICKLE_MODULES)


def _find_keras_loading(model: LoadedModel, flavor: Mapping[str, Any]) -> Iterator[Finding]:
    for file in model.find_files(_KERAS_INFO):
        _check_module(model, _read_word(model, file), file.name, _KERAS_PACKAGES)
    if (module := flavor.get("keras_module")) is not None:
        _check_module(model, module, "keras_module", _KERAS_PACKAGES)
    if flavor.get("saved_model_dir") or flavor.get("save_exported_model") or model.find_files("saved_model.pb"):
        yield Finding("code", "a SavedModel of TensorFlow is a program, which may read and write files")


def _find_onnx_loading(model: LoadedModel, flavor: Mapping[str, Any]) -> Iterator[Finding]:
    options = flavor.get("onnx_session_options") or {}
    if not isinstance(options, Mapping) or not isinstance(options.get("extra_session_config") or {}, Mapping):
        raise _option_error("onnx_session_options that are no mapping")
    named = {*options} - _SESSION_OPTIONS | {*(options.get("extra_session_config") or {})} - _SAFE_SESSION_KEYS
    if named:
        raise _option_error(f"the session option {', '.join(sorted(map(str, named)))}")
    for provider in flavor.get("providers") or ():
        if isinstance(provider, list | tuple) and len(provider) > 1 and provider[1] and provider[0] not in _PROVIDERS:
            raise _option_error(f"options of {provider[0]}")
    path = model.flavors.get(_PYFUNC, {}).get("data") or flavor.get("data")
    for one in {path, flavor.get("data")} - {None}:
        if isinstance(one, str) and (model.folder / one).is_file():
            refuse_outside_weights(model.folder / one, model.folder)
    yield from ()


def _find_transformers_loading(model: LoadedModel, flavor: Mapping[str, Any]) -> Iterator[Finding]:
    if flavor.get("local_base_model_path"):
        raise TrustRefused(
            "the model's weights lie in a folder outside of it (transformers.local_base_model_path)",
            "a model whose files are all inside its folder",
            "log it without base_model_path",
        )
    if "source_model_revision" in flavor:
        yield from _find_fetched_parts(flavor)
    components = flavor.get("components") or ()
    unsafe = [one for one in components if not isinstance(one, str) or "/" in one or is_outside_path(one)]
    if unsafe:
        raise TrustRefused(
            f"transformers.components of the MLmodel file has {unsafe[0]!s:.100}",
            "names of components: tokenizer, feature_extractor, image_processor, processor",
            "log the model again",
        )


def _find_fetched_parts(flavor: Mapping[str, Any]) -> Iterator[Finding]:
    sources = [value for key, value in flavor.items() if str(key).endswith("_name") and isinstance(value, str)]
    for source in sources:
        if is_outside_path(source):
            raise TrustRefused(
                f"transformers would load {source:.100}, which is no part of the model",
                "a model whose files are all inside its folder",
                "log it with save_pretrained=True",
            )
    yield Finding("downloads", f"transformers fetches {flavor.get('source_model_name')!s:.100} from a hub")


def _find_sentence_loading(model: LoadedModel, flavor: Mapping[str, Any]) -> Iterator[Finding]:
    for file in model.find_files("modules.json"):
        content = _read_json(model, file)
        for module in content if isinstance(content, list) else ():
            if isinstance(module, Mapping):
                _check_module(model, module.get("type"), file.name, ("sentence_transformers",))
                if is_outside_path(str(module.get("path") or "")):
                    raise TrustRefused(
                        f"{file.name} points outside the model's folder", "paths inside it", "log the model again"
                    )
    yield from ()


def _find_remote_code(model: LoadedModel) -> Iterator[Finding]:
    """Files of transformers that name classes of their own: code in the folder, or on a hub."""
    for file in model.files:
        if file.format == "json" and file.name.endswith("config.json"):
            content = _read_json(model, file)
            mapped = content.get("auto_map") if isinstance(content, Mapping) else None
            if mapped:
                yield Finding("code", f"{file.name} names classes that it brings (auto_map)")
                if "--" in json.dumps(mapped):
                    yield Finding("downloads", f"{file.name} names code on a hub (auto_map)")


def _check_module(
    model: LoadedModel, name: object, where: str, packages: Collection[str], modules: Collection[str] = ()
) -> None:
    """Refuse a module that is imported because the model's author has named it."""
    known = isinstance(name, str) and (name in modules or name in model.modules or name.partition(".")[0] in packages)
    if not known:
        expected = ", ".join((*modules, *(f"{package}.…" for package in packages)))
        raise TrustRefused(
            f"{where} of the model names the module {str(name)!r:.100}, which would be imported",
            f"one of {expected}",
            "log the model with one of these, or list the module in model.trust.loaders if you trust it",
        )


def _read_word(model: LoadedModel, file: ModelFile) -> str:
    with (model.folder / file.name).open("rb") as content:
        return content.read(1024).decode("utf-8", "replace").strip()


def _read_json(model: LoadedModel, file: ModelFile) -> Any:
    try:
        with (model.folder / file.name).open("rb") as content:
            return json.loads(content.read(16 << 20))
    except (ValueError, RecursionError):
        return None


def _option_error(found: str) -> TrustRefused:
    return TrustRefused(
        f"the model's MLmodel file sets {found} of onnxruntime",
        f"options that choose how it computes: {', '.join(sorted(_SESSION_OPTIONS))}, and the like",
        "log the model without it: such options can read or write files, or load libraries",
    )


_FLAVOR_FINDERS: Mapping[str, Callable[[LoadedModel, Mapping[str, Any]], Iterator[Finding]]] = {
    _PYFUNC: _find_pyfunc_loading,
    "keras": _find_keras_loading,
    "lightgbm": _find_lightgbm_loading,
    "onnx": _find_onnx_loading,
    "pytorch": _find_torch_loading,
    "sentence_transformers": _find_sentence_loading,
    "sklearn": _find_sklearn_loading,
    "tensorflow": _find_keras_loading,
    "transformers": _find_transformers_loading,
    "xgboost": _find_xgboost_loading,
}
