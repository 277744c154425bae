"""The model that stays: in a Python worker, or in a process that all workers of an executor share.

A module of its own: Spark pickles what it finds in `__main__` or in closures, but a module is imported once per worker
process, so what it holds outlives a task.
"""

from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import pyarrow as pa
from pyspark import SparkFiles, TaskContext

from sparkscore.errors import BatchTimeout, DigestMismatch
from sparkscore.model.host.client import HostedModel, hosted
from sparkscore.model.host.heritage import keep_heritage
from sparkscore.model.isolation import admit_here, admits_here
from sparkscore.model.loading import loaded
from sparkscore.model.patience import late_batch, patient
from sparkscore.model.room import keep_freed_memory, memory_budget, resident_bytes, size_of
from sparkscore.model.scorer import Scorer
from sparkscore.model.shipped import ShippedModel
from sparkscore.model.threads import limit_threads
from sparkscore.model.unpacked import released, unpacked

_Home = Literal["worker", "beside", "executor"]
"""Where a model is: in this worker, in a process of this worker's own, in one that the executor's workers share."""


@dataclass(frozen=True, slots=True)
class _Resident:
    digest: str
    score: Scorer
    occupied: int
    """Bytes of memory: its files' size or, where that is more, how much the process grew when it was loaded, or all of
    a process of the worker's own."""


_residents: OrderedDict[tuple[Any, ...], _Resident] = OrderedDict()
"""The one that was not asked for longest first."""


def resident(model: ShippedModel, on_load: Callable[[], None]) -> Scorer:
    """The model, loaded at most once per worker process and device, or per executor and device (`model.residency`).

    No model that may bring code is in one process with another (`isolation.py`): a worker that has loaded one gets a
    process beside it for each further model, which ends with the worker.

    Models that do not fit `memory_budget` together make room for the one asked for, the longest unused first; that one
    stays, however large. `on_load` is called where this call has caused a load; for a model in a process of its own
    also later, when it had to be loaded again.

    Runs on: executor.
    Raises:  DigestMismatch before anything of a changed model is imported; whatever the model raises on loading;
             ModelError for a model whose modules are not those that would run; UnsupportedSession where the model needs
             a process of its own and the system cannot give it.
    """
    cores, gpu = _cores(), device()
    keep_heritage(SparkFiles.getRootDirectory())
    home = _home_of(model)
    key = (*_identity(model, home), gpu)
    if key not in _residents:
        load = _load_here if home == "worker" else partial(_host, private=home == "beside")
        _residents[key] = load(model, cores, gpu, on_load)
        _make_room(0, cores)
    _residents.move_to_end(key)
    return _ready(_residents[key].score, model, cores, on_load)


def device() -> str | None:
    """The address of the GPU that Spark has given the task; None where there is none. Runs on: executor."""
    task = TaskContext.get()
    gpu = None if task is None else task.resources().get("gpu")
    return None if gpu is None else gpu.addresses[0]


def _home_of(model: ShippedModel) -> _Home:
    if model.residency == "executor":
        return "executor"
    return "worker" if admits_here(model) else "beside"


def _identity(model: ShippedModel, home: _Home) -> tuple[Any, ...]:
    """What makes a scorer another one. Params as text: 1, 1.0 and True differ."""
    hosted_for = None if home == "worker" else model.batch_timeout
    return model.digest, model.runtime, repr(model.params), model.sensitive, home, hosted_for


def _ready(score: Scorer, model: ShippedModel, cores: int, on_load: Callable[[], None]) -> Scorer:
    """The scorer as this task has to call it."""
    if isinstance(score, HostedModel):
        score.count_loads(on_load)
        return _named_if_late(score, model.batch_timeout) if model.residency == "worker" else score
    if model.batch_timeout is None:
        limit_threads(cores)
        return score
    return patient(score, model.batch_timeout, cores=cores, where=_partition())


def _named_if_late(score: Scorer, seconds: float | None) -> Scorer:
    """The scorer of a process beside the worker, which says of a hang what it would say in the worker."""
    where = _partition()

    def named(columns: Sequence[pa.Array]) -> pa.Array:
        try:
            return score(columns)
        except BatchTimeout:
            raise late_batch(seconds or 0.0, len(columns[0]), where) from None

    return score if seconds is None else named


def _load_here(model: ShippedModel, cores: int, device: str | None, on_load: Callable[[], None]) -> _Resident:
    archive = SparkFiles.get(model.archive)
    folder = unpacked(archive, model.digest)
    files = size_of(folder)
    keep_freed_memory()
    _make_room(files, cores)
    before = resident_bytes()
    admit_here(model)
    try:
        score = loaded(model, folder, cores=cores, device=device)
    except DigestMismatch:  # somebody changed this node's copy; the archive may be as it was
        score = loaded(model, unpacked(archive, model.digest, doubted=True), cores=cores, device=device)
    on_load()
    return _Resident(model.digest, score, max(files, resident_bytes() - before))


def _host(
    model: ShippedModel, cores: int, device: str | None, on_load: Callable[[], None], *, private: bool
) -> _Resident:
    def folder(*, doubted: bool) -> str:
        return unpacked(SparkFiles.get(model.archive), model.digest, doubted=doubted)

    files = size_of(folder(doubted=False)) if private else 0
    if private:
        _make_room(files, cores)
    score = hosted(model, folder, cores=cores, device=device, on_load=on_load, private=private)
    return _Resident(model.digest, score, max(files, resident_bytes(score.pid)) if private and score.pid else 0)


def _make_room(needed: int, cores: int) -> None:
    """Let models go until `needed` bytes fit; with nothing needed, the newest stays."""
    stays = 1 if needed == 0 else 0
    while len(_residents) > stays and needed + sum(one.occupied for one in _residents.values()) > memory_budget(cores):
        _, gone = _residents.popitem(last=False)
        if isinstance(gone.score, HostedModel):
            gone.score.end()
        if all(one.digest != gone.digest for one in _residents.values()):
            released(gone.digest)


def _partition() -> str:
    task = TaskContext.get()
    return "no task" if task is None else f"partition {task.partitionId()}"


def _cores() -> int:
    task = TaskContext.get()
    return 1 if task is None else task.cpus()
