"""Keeps the sizes of batches in a Python worker, as long as it lives: they are found once, not by every task."""

from collections import OrderedDict

from pyspark import TaskContext

from sparkscore.model.distribution.shipped_model import ShippedModel
from sparkscore.model.host.resident_model import task_gpu_address
from sparkscore.records import BatchLimits
from sparkscore.scoring.batch_memory import MemoryWatch, choose_batch_bytes
from sparkscore.scoring.batch_sizer import BatchSizer

_TIMEOUT_SHARE = 4
"""No size is tried that would take longer than such a part of `scoring.batch_timeout`."""
_RETRY_ROWS, _RETRY_SHARE = 65_536, 8
"""A task that is tried again has an eighth of so many rows, or of what an earlier run has found; then a 64th."""
_MAX_SIZERS = 64

_sizers: OrderedDict[tuple[object, ...], BatchSizer] = OrderedDict()
"""In order of their last use, the least recent first."""


def get_batch_sizer(model: ShippedModel) -> BatchSizer:
    """What sizes the batches of a model in this process, on the task's device.

    A task that is tried again has one of its own, with small batches, where the settings name no number of rows: what
    ended its worker before, without a message, may have been that memory ran out.

    Runs on: executor.
    """
    task = TaskContext.get()
    tries, cores = (0, 1) if task is None else (task.attemptNumber(), task.cpus())
    limits = model.batches
    if tries and limits.rows is None:
        return _make_batch_sizer(model, _shrink_limits(limits, model.wanted_rows, tries), cores)
    if model.wanted_rows is not None and limits.rows is None:
        limits = _fix_rows(limits, min(model.wanted_rows, limits.most_rows or model.wanted_rows), cores)
    wanted = (limits.rows, limits.bytes, model.batch_timeout)
    key = (model.digest, model.runtime, model.residency, task_gpu_address(), wanted)
    if key not in _sizers:
        _sizers[key] = _make_batch_sizer(model, limits, cores)
        while len(_sizers) > _MAX_SIZERS:
            _sizers.popitem(last=False)
    _sizers.move_to_end(key)
    return _sizers[key]


def _make_batch_sizer(model: ShippedModel, limits: BatchLimits, cores: int) -> BatchSizer:
    return BatchSizer(
        limits,
        max_bytes=choose_batch_bytes(cores),
        max_batch_s=None if model.batch_timeout is None else model.batch_timeout / _TIMEOUT_SHARE,
        memory=MemoryWatch.of_worker(cores) if model.residency == "worker" else None,
    )


def _fix_rows(limits: BatchLimits, rows: int, cores: int) -> BatchLimits:
    """So many rows, and nothing is tried. The inputs' bytes stay bounded: nobody knows yet how large rows are."""
    return BatchLimits(rows=rows, bytes=limits.bytes or choose_batch_bytes(cores))


def _shrink_limits(limits: BatchLimits, wanted_rows: int | None, tries: int) -> BatchLimits:
    most = (limits.most_rows or wanted_rows or limits.known_rows or _RETRY_ROWS) // _RETRY_SHARE**tries
    return BatchLimits(bytes=limits.bytes, most_rows=max(1, most))
