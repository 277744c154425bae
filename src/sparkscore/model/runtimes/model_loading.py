"""Loads a model from its unpacked folder. Needs no Spark: a Python worker calls it, and the process per executor."""

from sparkscore.errors import DigestMismatch
from sparkscore.model.distribution.shipped_model import OnnxFile, ShippedModel, SklearnFile, TorchFile
from sparkscore.model.runtimes.pyfunc_runtime import load_pyfunc, load_sklearn
from sparkscore.model.runtimes.scorer import Scorer, build_local_scorer
from sparkscore.model.runtimes.thread_limits import limit_threads
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
    score = _load_runtime_scorer(model, folder, cores, device)
    limit_threads(cores)  # of what was imported with the model
    return score


def _judge_unpacked_model(model: ShippedModel, folder: str) -> None:
    """Decide once more, from what is loaded. Only MLflow reads the MLmodel file, and it brings what reads YAML."""
    mlmodel = None
    if model.runtime == "pyfunc":
        from sparkscore.model.trust.mlmodel_file import read_mlmodel

        mlmodel = read_mlmodel(folder, model.trust)
    check_model_digest(model.trust, model.digest)
    judge_model(folder, model.trust, mlmodel)
    if model.trust.requirements == "refuse" and (found := find_requirement_mismatches(folder, model.runtime)):
        raise requirement_mismatch_error(found, "an executor")


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
        return build_local_scorer(model, load_sklearn(folder, file))
    return build_local_scorer(model, load_pyfunc(folder, dict(model.params), code=model.code))
