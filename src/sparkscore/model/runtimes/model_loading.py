"""Loads a model from its unpacked folder. Needs no Spark: a Python worker calls it, and the process per executor."""

from collections.abc import Mapping, Sequence
from typing import Any

from sparkscore.errors import DigestMismatch, ModelNotLoaded, SparkscoreError
from sparkscore.model.distribution.shipped_model import OnnxFile, ShippedModel, SklearnFile, TorchFile
from sparkscore.model.runtimes.pyfunc_runtime import load_pyfunc, load_sklearn
from sparkscore.model.runtimes.scorer import Scorer, build_local_scorer, to_load_error, visible_cause
from sparkscore.model.runtimes.thread_limits import limit_threads
from sparkscore.model.runtimes.trained_categories import with_trained_categories
from sparkscore.model.signature.model_inputs import build_features, build_record_batch
from sparkscore.model.trust.model_digest import compute_model_digest
from sparkscore.model.trust.model_trust import check_model_digest, judge_model
from sparkscore.model.trust.package_requirements import find_requirement_mismatches, requirement_mismatch_error


def load_verified_scorer(model: ShippedModel, folder: str, *, cores: int, device: str | None) -> Scorer:
    """The model in this process, its files verified first. `device` is the address of the task's GPU; None: the CPU.

    Runs on: executor.
    Raises:  DigestMismatch before anything of a changed model is imported, TrustRefused before anything of one is that
             may not be loaded; ModelError for a GPU that is missing, for packages that are missing where that matters,
             or a module of the model's in whose place another is imported; whatever the model raises on loading.
    """
    actual_digest = compute_model_digest(folder)
    if actual_digest != model.digest:
        raise DigestMismatch(
            f"the model's files on this executor have the digest {actual_digest[:12]}",
            f"{model.digest[:12]}, as pinned by the driver",
            "find out who changed them; a new session ships the model again",
        )
    _judge_unpacked_model(model, folder)
    limit_threads(cores)
    try:
        score = _load_runtime_scorer(model, folder, cores, device)
    except SparkscoreError:
        raise
    except Exception as error:
        found = () if model.trust.requirements == "ignore" else find_requirement_mismatches(folder, model.runtime)
        if not found:
            raise
        raise _unmet_load_error(error, model, found) from visible_cause(error, model)
    limit_threads(cores)  # of what was imported with the model
    return score


def _unmet_load_error(error: Exception, model: ShippedModel, found: Sequence[str]) -> ModelNotLoaded:
    """The error for a model that could not be loaded where other packages are than it was logged with."""
    known = to_load_error(error, sensitive=model.sensitive)
    raised = known.raised if isinstance(known, ModelNotLoaded) else ""
    text = f"{known.found}; it was logged with other packages: {'; '.join(found)}"
    return ModelNotLoaded(text, known.expected, known.do, raised=raised)


def _judge_unpacked_model(model: ShippedModel, folder: str) -> None:
    """Decide once more, from what is loaded. Only MLflow reads the MLmodel file, and it brings what reads YAML."""
    if model.runtime == "pyfunc":
        from sparkscore.model.trust.mlmodel_file import read_mlmodel

        mlmodel = read_mlmodel(folder, model.trust)
    else:
        mlmodel = {"flavors": _describe_flavor(model.file)}
    check_model_digest(model.trust, model.digest)
    judge_model(folder, model.trust, mlmodel)
    if model.trust.requirements == "refuse" and (found := find_requirement_mismatches(folder, model.runtime)):
        raise requirement_mismatch_error(found, "an executor")


def _describe_flavor(file: SklearnFile | OnnxFile | TorchFile | None) -> Mapping[str, Any]:
    """What the MLmodel file says of what is loaded without it."""
    if isinstance(file, SklearnFile):
        named = list(file.trusted or ())
        parts = {"pickled_model": file.path, "serialization_format": file.format, "skops_trusted_types": named}
        return {"sklearn": parts}
    if isinstance(file, OnnxFile):
        return {"onnx": {"data": file.path, "onnx_session_options": {"extra_session_config": dict(file.config)}}}
    return {} if file is None else {"pytorch": {}}


def _load_runtime_scorer(model: ShippedModel, folder: str, cores: int, device: str | None) -> Scorer:
    """Each runtime is imported where it is needed: an executor has only the packages of its models."""
    file = model.file
    if isinstance(file, OnnxFile):
        from sparkscore.model.runtimes.onnx.onnx_runtime import load_onnx_scorer

        return load_onnx_scorer(model, folder, file, cores=cores, device=device)
    if isinstance(file, TorchFile):
        from sparkscore.model.runtimes.torch_runtime import load_torch_scorer

        return load_torch_scorer(model, folder, file, cores=cores, device=device)
    if isinstance(file, SklearnFile):
        predict = load_sklearn(folder, file, cores=cores)
        trained_on: Any = getattr(predict, "__self__", None)
        restored = None if model.tensor else with_trained_categories(predict, trained_on, model.inputs)
        return build_local_scorer(model, restored or predict, end_task=getattr(trained_on, "end_task", None))
    loaded = load_pyfunc(folder, model, cores=cores, device=device)
    prepare = build_record_batch if loaded.takes_arrow else build_features
    return build_local_scorer(model, loaded.predict, prepare, end_task=loaded.end_task)
