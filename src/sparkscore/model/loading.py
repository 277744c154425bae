"""Loads a model from its unpacked folder. Needs no Spark: a Python worker calls it, and the process per executor."""

from sparkscore.errors import DigestMismatch
from sparkscore.model.digest import digest_of
from sparkscore.model.runtimes import load_pyfunc, load_sklearn
from sparkscore.model.scorer import Scorer, in_process
from sparkscore.model.shipped import OnnxFile, ShippedModel, SklearnFile, TorchFile
from sparkscore.model.threads import limit_threads


def loaded(model: ShippedModel, folder: str, *, cores: int, device: str | None) -> Scorer:
    """The model in this process, its files verified first. `device` is the address of the task's GPU; None: the CPU.

    Runs on: executor.
    Raises:  DigestMismatch before anything of a changed model is imported; ModelError for a GPU that is missing, or a
             module of the model's in whose place another is imported; whatever the model raises on loading.
    """
    found = digest_of(folder)
    if found != model.digest:
        raise DigestMismatch(
            f"the model's files on this executor have the digest {found[:12]}",
            f"{model.digest[:12]}, as pinned by the driver",
            "find out who changed them; a new session ships the model again",
        )
    limit_threads(cores)
    score = _scorer(model, folder, cores, device)
    limit_threads(cores)  # of what was imported with the model
    return score


def _scorer(model: ShippedModel, folder: str, cores: int, device: str | None) -> Scorer:
    """Each runtime is imported where it is needed: an executor has only the packages of its models."""
    file = model.file
    if isinstance(file, OnnxFile):
        from sparkscore.model.onnx_session import onnx_scorer

        return onnx_scorer(model, folder, file, cores=cores, device=device)
    if isinstance(file, TorchFile):
        from sparkscore.model.torch_module import torch_scorer

        return torch_scorer(model, folder, file, cores=cores, device=device)
    if isinstance(file, SklearnFile):
        return in_process(model, load_sklearn(folder, file))
    return in_process(model, load_pyfunc(folder, dict(model.params), code=model.code))
