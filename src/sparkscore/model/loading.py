"""Loads a model from its unpacked folder. Needs no Spark: a Python worker calls it, and the process per executor."""

import os
from contextlib import suppress
from importlib import import_module

from sparkscore.errors import DigestMismatch
from sparkscore.model.digest import digest_of
from sparkscore.model.runtimes import Predictor, load_pyfunc, load_sklearn
from sparkscore.model.scorer import Scorer, in_process
from sparkscore.model.shipped import ShippedModel

_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")


def loaded(model: ShippedModel, folder: str, *, cores: int, device: str | None) -> Scorer:
    """The model in this process, its files verified first. `device` is the address of the task's GPU; None: the CPU.

    Runs on: executor.
    Raises:  DigestMismatch before anything of a changed model is imported; whatever the model raises on loading.
    """
    found = digest_of(folder)
    if found != model.digest:
        raise DigestMismatch(
            f"the model's files on this executor have the digest {found[:12]}",
            f"{model.digest[:12]}, as pinned by the driver",
            "find out who changed them; a new session ships the model again",
        )
    limit_threads(cores)
    return in_process(model, _predictor(model, folder))


def limit_threads(cores: int) -> None:
    """Let numerical libraries use as many threads as the task has cores; else each worker takes all that there are."""
    for name in _THREADS:
        os.environ[name] = str(cores)  # for libraries that the model imports
    with suppress(ImportError):
        import_module("threadpoolctl").threadpool_limits(cores)  # for those that are there already


def _predictor(model: ShippedModel, folder: str) -> Predictor:
    if model.sklearn is not None:
        return load_sklearn(folder, model.sklearn)
    return load_pyfunc(folder, dict(model.params))
