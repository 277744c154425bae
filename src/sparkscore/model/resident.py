"""The model that stays in a Python worker.

A module of its own: Spark pickles what it finds in `__main__` or in closures, but a module is imported once per worker
process, so what it holds outlives a task.
"""

import os
from collections import OrderedDict
from collections.abc import Callable
from contextlib import suppress
from importlib import import_module
from typing import Any

from pyspark import SparkFiles, TaskContext

from sparkscore.errors import DigestMismatch
from sparkscore.model.digest import digest_of
from sparkscore.model.runtimes import Predictor, load_pyfunc, load_sklearn
from sparkscore.model.scorer import Scorer, in_process
from sparkscore.model.shipped import ShippedModel

_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")
_MOST = 8
"""Models that one worker keeps; the one that was not asked for longest makes room."""

_residents: OrderedDict[tuple[Any, ...], Scorer] = OrderedDict()


def resident(model: ShippedModel, on_load: Callable[[], None]) -> Scorer:
    """The model, loaded at most once per worker process; `on_load` is called when it is loaded now.

    Runs on: executor.
    Raises:  DigestMismatch before anything of a changed model is imported; whatever the model raises on loading.
    """
    _limit_threads()
    key = (model.digest, model.runtime, model.params)
    if key not in _residents:
        _residents[key] = in_process(model, _loaded(model))
        on_load()
        if len(_residents) > _MOST:
            _residents.popitem(last=False)
    _residents.move_to_end(key)
    return _residents[key]


def _loaded(model: ShippedModel) -> Predictor:
    folder = SparkFiles.get(model.archive)
    found = digest_of(folder)
    if found != model.digest:
        raise DigestMismatch(
            f"the model's files on this executor have the digest {found[:12]}",
            f"{model.digest[:12]}, as pinned by the driver",
            "find out who changed them; a new session ships the model again",
        )
    if model.sklearn is not None:
        return load_sklearn(folder, model.sklearn)
    return load_pyfunc(folder, dict(model.params))


def _limit_threads() -> None:
    """Let numerical libraries use as many threads as the task has cores; else each worker takes all that there are."""
    task = TaskContext.get()
    cores = task.cpus() if task is not None else 1
    for name in _THREADS:
        os.environ[name] = str(cores)  # for libraries that the model imports
    with suppress(ImportError):
        import_module("threadpoolctl").threadpool_limits(cores)  # for those that are there already
