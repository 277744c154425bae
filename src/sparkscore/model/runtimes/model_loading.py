"""Loads a model from its unpacked folder. Needs no Spark: a Python worker calls it, and the process per executor."""

from sparkscore.errors import DigestMismatch
from sparkscore.model.distribution.shipped_model import OnnxFile, ShippedModel, SklearnFile, TorchFile
from sparkscore.model.runtimes.pyfunc_runtime import load_pyfunc, load_sklearn
from sparkscore.model.runtimes.scorer import Scorer, build_local_scorer
from sparkscore.model.runtimes.thread_limits import limit_threads
from sparkscore.model.trust.model_digest import compute_model_digest


def load_verified_scorer(model: ShippedModel, folder: str, *, cores: int, device: str | None) -> Scorer:
    """The model in this process, its files verified first. `device` is the address of the task's GPU; None: the CPU.

    Runs on: executor.
    Raises:  DigestMismatch before anything of a changed model is imported; ModelError for a GPU that is missing, or a
             module of the model's in whose place another is imported; whatever the model raises on loading.
    """
    actual_digest = compute_model_digest(folder)
    if actual_digest != model.digest:
        raise DigestMismatch(
            f"the model's files on this executor have the digest {actual_digest[:12]}",
            f"{model.digest[:12]}, as pinned by the driver",
            "find out who changed them; a new session ships the model again",
        )
    limit_threads(cores)
    score = _load_runtime_scorer(model, folder, cores, device)
    limit_threads(cores)  # of what was imported with the model
    return score


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
