"""Keeps a model resident: in a Python worker, or in a process that all workers of an executor share.

A module of its own: Spark pickles what it finds in `__main__` or in closures, but a module is imported once per worker
process, so what it holds outlives a task.
"""

from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa
from pyspark import TaskContext

from sparkscore.errors import BatchTimeout, DigestMismatch
from sparkscore.model.distribution.model_cache_limits import (
    folder_bytes,
    keep_freed_memory,
    memory_budget,
    process_rss_bytes,
)
from sparkscore.model.distribution.shipped_model import ShippedModel
from sparkscore.model.distribution.unpacked_model import release_model, unpack_model
from sparkscore.model.host.host_client import HostedModel, open_host_scorer
from sparkscore.model.host.inherited_environment import remember_environment
from sparkscore.model.host.model_variables import extend_environment, score_with_variables
from sparkscore.model.host.process_sharing import can_load_here, record_tenant
from sparkscore.model.host.time_limits import own_process_limits
from sparkscore.model.runtimes.batch_timeout import late_batch_error, limit_batch_time
from sparkscore.model.runtimes.model_loading import load_verified_scorer
from sparkscore.model.runtimes.scored_batch import ScoredBatch
from sparkscore.model.runtimes.scorer import Scorer, TaskScorer
from sparkscore.model.runtimes.thread_limits import limit_threads

_ModelLocation = Literal["worker", "private", "executor"]
"""Where a model is: in this worker, in a process of this worker's own, in one that the executor's workers share."""


@dataclass(frozen=True, slots=True)
class _ResidentModel:
    digest: str
    score: Scorer
    memory_bytes: int
    """Bytes of memory: its files' size or, where that is more, how much the process grew when it was loaded, or all of
    a process of the worker's own."""


_evictions = {"models": 0}
_resident_models: OrderedDict[tuple[Any, ...], _ResidentModel] = OrderedDict()
"""In order of their last use, the least recent first."""


def get_resident_scorer(model: ShippedModel, on_load: Callable[[], None]) -> Scorer:
    """The model, loaded at most once per worker process and device, or per executor and device (`model.residency`).

    No model that may bring code shares a process with another (`process_sharing.py`): a worker that has loaded
    one gets a process of its own for each further model, which ends with the worker.

    If models do not fit `memory_budget` together, the longest unused ones are dropped for the requested one, which
    stays, however large. `on_load` is called if this call has caused a load; for a model in a process of its own also
    later, if it had to be loaded again.

    Runs on: executor.
    Raises:  DigestMismatch before anything of a changed model is imported; whatever the model raises on loading;
             ModelError for a model whose modules are not those that would run; UnsupportedSession where the model needs
             a process of its own and the system cannot give it.
    """
    cores, gpu = _task_cores(), task_gpu_address()
    remember_environment(_spark_files_folder())
    location = _choose_location(model)
    key = (*_scorer_identity(model, location), gpu)
    if key not in _resident_models:
        load = _load_in_worker if location == "worker" else partial(_load_in_host, private=location == "private")
        _resident_models[key] = load(model, cores, gpu, on_load)
        _evict_resident_models(0, cores, model.most_resident)
    _resident_models.move_to_end(key)
    return _prepare_for_task(_resident_models[key].score, model, cores, on_load)


def task_gpu_address() -> str | None:
    """The address of the GPU that Spark has given the task; None where there is none. Runs on: executor."""
    task = TaskContext.get()
    gpu = None if task is None else task.resources().get("gpu")
    return None if gpu is None else gpu.addresses[0]


def _spark_files_folder() -> str:
    """Where the files of the context, or of the Connect session, lie. Runs on: executor."""
    from pyspark import SparkFiles  # here: the driver may have pyspark-client, which has none

    return str(SparkFiles.getRootDirectory())


def _find_archive(model: ShippedModel) -> str:
    return str(Path(_spark_files_folder(), model.archive).absolute())


def _choose_location(model: ShippedModel) -> _ModelLocation:
    if model.residency == "executor":
        return "executor"
    if model.residency == "process":
        return "private"
    return "worker" if can_load_here(model) else "private"


def _scorer_identity(model: ShippedModel, location: _ModelLocation) -> tuple[Any, ...]:
    """What makes a scorer another one. Params and inputs as text: 1, 1.0 and True differ."""
    hosted_for = None if location == "worker" else model.batch_timeout
    loading = (model.params, model.config, model.files, model.environment, model.accelerator)
    settings = repr((*loading, model.inputs, model.output, model.parts))
    return model.digest, model.runtime, settings, model.sensitive, location, hosted_for


def _prepare_for_task(score: Scorer, model: ShippedModel, cores: int, on_load: Callable[[], None]) -> Scorer:
    """The scorer as this task has to call it."""
    if isinstance(score, HostedModel):
        score.count_loads(on_load)
        return _add_partition_to_timeout(score, model.batch_timeout) if model.residency == "worker" else score
    score = score_with_variables(score, model)
    if model.batch_timeout is None:
        limit_threads(cores)
        return score
    return limit_batch_time(score, model.batch_timeout, cores=cores, location=_partition_label())


def _add_partition_to_timeout(score: HostedModel, seconds: float | None) -> Scorer:
    """The scorer of the worker's own model process, with the error for a hang that the worker would raise."""
    partition = _partition_label()

    def score_batch(columns: Sequence[pa.Array]) -> ScoredBatch:
        try:
            return score(columns)
        except BatchTimeout:
            raise late_batch_error(seconds or 0.0, len(columns[0]), partition) from None

    return score if seconds is None else TaskScorer(score_batch, score.end_task)


def _load_in_worker(model: ShippedModel, cores: int, device: str | None, on_load: Callable[[], None]) -> _ResidentModel:
    archive = _find_archive(model)
    unpack = partial(unpack_model, archive, model.digest, is_packed=model.is_packed)
    folder = unpack()
    files = folder_bytes(folder)
    keep_freed_memory()
    _evict_resident_models(files, cores)
    rss_before = process_rss_bytes()
    record_tenant(model)
    with extend_environment(model):
        try:
            score = load_verified_scorer(model, folder, cores=cores, device=device)
        except DigestMismatch:  # somebody changed this node's copy; the archive may be as it was
            score = load_verified_scorer(model, unpack(verify=True), cores=cores, device=device)
    on_load()
    return _ResidentModel(model.digest, score, max(files, process_rss_bytes() - rss_before))


def _load_in_host(
    model: ShippedModel, cores: int, device: str | None, on_load: Callable[[], None], *, private: bool
) -> _ResidentModel:
    def provide_folder(*, verify: bool) -> str:
        return unpack_model(_find_archive(model), model.digest, verify=verify, is_packed=model.is_packed)

    files = folder_bytes(provide_folder(verify=False)) if private else 0
    if private:
        _evict_resident_models(files, cores)
    limits = own_process_limits(model.batch_timeout) if model.residency == "process" else None
    score = open_host_scorer(
        model, provide_folder, cores=cores, device=device, on_load=on_load, limits=limits, private=private
    )
    return _ResidentModel(model.digest, score, max(files, process_rss_bytes(score.pid)) if private and score.pid else 0)


def _evict_resident_models(needed_bytes: int, cores: int, most: int | None = None) -> None:
    """Evict models until `needed_bytes` fit, and `most` or fewer are left; with nothing needed, the newest stays."""
    min_models = 1 if needed_bytes == 0 else 0
    while len(_resident_models) > min_models and _exceeds_limits(needed_bytes, cores, most):
        _, evicted = _resident_models.popitem(last=False)
        _evictions["models"] += 1
        if isinstance(evicted.score, HostedModel):
            evicted.score.end_process()
        if all(one.digest != evicted.digest for one in _resident_models.values()):
            release_model(evicted.digest)


def _exceeds_limits(needed_bytes: int, cores: int, most: int | None) -> bool:
    if most is not None and len(_resident_models) > most:
        return True
    return needed_bytes + sum(one.memory_bytes for one in _resident_models.values()) > memory_budget(cores)


def count_evicted_models() -> int:
    """How many models this process has dropped for others. Runs on: executor."""
    return _evictions["models"]


def _partition_label() -> str:
    task = TaskContext.get()
    return "no task" if task is None else f"partition {task.partitionId()}"


def _task_cores() -> int:
    task = TaskContext.get()
    return 1 if task is None else task.cpus()
