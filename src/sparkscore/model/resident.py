"""The model that stays: in a Python worker, or in a process that all workers of an executor share.

A module of its own: Spark pickles what it finds in `__main__` or in closures, but a module is imported once per worker
process, so what it holds outlives a task.
"""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pyspark import SparkFiles, TaskContext

from sparkscore.errors import DigestMismatch
from sparkscore.model.host.client import hosted
from sparkscore.model.loading import loaded
from sparkscore.model.patience import patient
from sparkscore.model.room import keep_freed_memory, memory_budget, resident_bytes, size_of
from sparkscore.model.scorer import Scorer
from sparkscore.model.shipped import ShippedModel
from sparkscore.model.threads import limit_threads
from sparkscore.model.unpacked import released, unpacked


@dataclass(frozen=True, slots=True)
class _Resident:
    digest: str
    score: Scorer
    occupied: int
    """Bytes of memory: its files' size or, where that is more, how much the process grew when it was loaded."""


_residents: OrderedDict[tuple[Any, ...], _Resident] = OrderedDict()
"""The one that was not asked for longest first."""


def resident(model: ShippedModel, on_load: Callable[[], None]) -> Scorer:
    """The model, loaded at most once per worker process and device, or per executor and device (`model.residency`).

    Models that do not fit `memory_budget` together make room for the one asked for, the longest unused first; that one
    stays, however large. `on_load` is called where this call has caused a load; for a residency of `executor` also
    later, when the model had to be loaded again.

    Runs on: executor.
    Raises:  DigestMismatch before anything of a changed model is imported; whatever the model raises on loading;
             UnsupportedSession for a residency of `executor` that the system cannot give.
    """
    cores, gpu = _cores(), device()
    key = (*_identity(model), gpu)
    if key not in _residents:
        _residents[key] = (_shared if model.residency == "executor" else _own)(model, cores, gpu, on_load)
        _make_room(0, cores)
    _residents.move_to_end(key)
    score = _residents[key].score
    if model.residency == "executor":
        return score
    if model.batch_timeout is None:
        limit_threads(cores)
        return score
    return patient(score, model.batch_timeout, cores=cores, where=_partition())


def device() -> str | None:
    """The address of the GPU that Spark has given the task; None where there is none. Runs on: executor."""
    task = TaskContext.get()
    gpu = None if task is None else task.resources().get("gpu")
    return None if gpu is None else gpu.addresses[0]


def _identity(model: ShippedModel) -> tuple[Any, ...]:
    """What makes a scorer another one. Params as text: 1, 1.0 and True differ."""
    hosted_for = model.batch_timeout if model.residency == "executor" else None
    return model.digest, model.runtime, repr(model.params), model.sensitive, model.residency, hosted_for


def _own(model: ShippedModel, cores: int, device: str | None, on_load: Callable[[], None]) -> _Resident:
    archive = SparkFiles.get(model.archive)
    folder = unpacked(archive, model.digest)
    files = size_of(folder)
    keep_freed_memory()
    _make_room(files, cores)
    before = resident_bytes()
    try:
        score = loaded(model, folder, cores=cores, device=device)
    except DigestMismatch:  # somebody changed this node's copy; the archive may be as it was
        score = loaded(model, unpacked(archive, model.digest, doubted=True), cores=cores, device=device)
    on_load()
    return _Resident(model.digest, score, max(files, resident_bytes() - before))


def _shared(model: ShippedModel, cores: int, device: str | None, on_load: Callable[[], None]) -> _Resident:
    def folder(*, doubted: bool) -> str:
        return unpacked(SparkFiles.get(model.archive), model.digest, doubted=doubted)

    score = hosted(model, folder, cores=cores, device=device, on_load=on_load)
    return _Resident(model.digest, score, 0)


def _make_room(needed: int, cores: int) -> None:
    """Let models go until `needed` bytes fit; with nothing needed, the newest stays."""
    stays = 1 if needed == 0 else 0
    while len(_residents) > stays and needed + sum(one.occupied for one in _residents.values()) > memory_budget(cores):
        _, gone = _residents.popitem(last=False)
        if all(one.digest != gone.digest for one in _residents.values()):
            released(gone.digest)


def _partition() -> str:
    task = TaskContext.get()
    return "no task" if task is None else f"partition {task.partitionId()}"


def _cores() -> int:
    task = TaskContext.get()
    return 1 if task is None else task.cpus()
