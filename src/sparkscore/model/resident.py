"""The model that stays in a Python worker.

A module of its own: Spark pickles what it finds in `__main__` or in closures, but a module is imported once per worker
process, so what it holds outlives a task.
"""

from collections import OrderedDict
from collections.abc import Callable
from typing import Any

from pyspark import SparkFiles, TaskContext

from sparkscore.model.loading import limit_threads, loaded
from sparkscore.model.scorer import Scorer
from sparkscore.model.shipped import ShippedModel

_MOST = 8
"""Models that one worker keeps; the one that was not asked for longest makes room."""

_residents: OrderedDict[tuple[Any, ...], Scorer] = OrderedDict()


def resident(model: ShippedModel, on_load: Callable[[], None]) -> Scorer:
    """The model, loaded at most once per worker process and device; `on_load` is called when it is loaded now.

    Runs on: executor.
    Raises:  DigestMismatch before anything of a changed model is imported; whatever the model raises on loading.
    """
    cores, device = _task()
    key = (model.digest, model.runtime, model.params, device)
    if key not in _residents:
        _residents[key] = loaded(model, SparkFiles.get(model.archive), cores=cores, device=device)
        on_load()
        if len(_residents) > _MOST:
            _residents.popitem(last=False)
    limit_threads(cores)
    _residents.move_to_end(key)
    return _residents[key]


def _task() -> tuple[int, str | None]:
    """Cores of the task, and the address of its GPU where Spark has given it one."""
    task = TaskContext.get()
    if task is None:
        return 1, None
    gpu = task.resources().get("gpu")
    return task.cpus(), gpu.addresses[0] if gpu is not None else None
