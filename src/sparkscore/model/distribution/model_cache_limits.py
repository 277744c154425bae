"""Limits for models: which of them a node keeps on its disk, and how much memory those in one process may take."""

import ctypes
import os
import resource
import shutil
import time
from contextlib import suppress
from pathlib import Path
from typing import Literal

from sparkscore.model.distribution.locked_directory import acquire_file_lock

_UNUSED_MODEL_S = 7 * 24 * 3600
_DISK_SHARE = 4
"""Unpacked models take at most a quarter of the disk that they lie on."""

_MEMORY_SHARE = 4
_CGROUP_LIMIT_FILES = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
_MEMORY_PAGE_BYTES = resource.getpagesize()


def evict_unpacked_models(models: Path, *, max_bytes: int | None = None) -> None:
    """Remove models that nobody has used for a week and, the longest unused first, those beyond a quarter of the disk.

    Never one in use. Needs: `max_bytes`: bytes, instead of that quarter.
    Runs on: executor.
    """
    budget = shutil.disk_usage(models).total // _DISK_SHARE if max_bytes is None else max_bytes
    copies = {
        name: folder_bytes(models / name) + folder_bytes(models / f".{name}") for name in _list_cached_digests(models)
    }
    total = sum(copies.values())
    for name in sorted(copies, key=lambda name: _last_use_time(models, name)):
        old = _last_use_time(models, name) < time.time() - _UNUSED_MODEL_S
        if (old or total > budget) and _try_remove_model(models, name):
            total -= copies[name]


def folder_bytes(folder: str | Path) -> int:
    """Bytes in a folder's files, without those that disappear meanwhile."""
    total = 0
    for root, _, names in os.walk(folder):
        for name in names:
            with suppress(FileNotFoundError):
                total += Path(root, name).stat().st_size
    return total


def memory_budget(cores: int) -> int:
    """Bytes that the models of one Python worker, in it and in processes of its own, may take together.

    A quarter of the machine's or container's memory, shared by as many workers as tasks of `cores` cores fit its CPUs:
    how many slots the executor has is unknown here, but no more of them can compute at once. Where Spark limits the
    worker itself (spark.executor.pyspark.memory), half of that at most.
    """
    slots = max(1, len(os.sched_getaffinity(0)) // cores if hasattr(os, "sched_getaffinity") else 1)
    worker_limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    share = _read_memory_limit() // _MEMORY_SHARE // slots
    return share if worker_limit == resource.RLIM_INFINITY else min(share, worker_limit // 2)


def process_rss_bytes(process: int | Literal["self"] = "self") -> int:
    """What a process occupies in memory, this one or another; 0 where the system does not tell."""
    try:
        return int(Path(f"/proc/{process}/statm").read_text(encoding="ascii").split()[1]) * _MEMORY_PAGE_BYTES
    except OSError:
        return 0


def keep_freed_memory() -> None:
    """Have the C library keep what a batch has freed for the next one, up to 64 MiB, instead of giving it back.

    Scoring batches of 10,000 x 20 doubles with an MLP had 900 page faults per batch, in a thread 1,300; so it has
    none, and takes a quarter less CPU (measured with glibc 2.36). These are the limits that glibc would move to by
    itself, were the blocks larger. Nothing happens where the environment says how it is to be, or with another library.

    Runs on: executor.
    """
    if any(name.startswith(("MALLOC_", "GLIBC_TUNABLES")) for name in os.environ):
        return
    with suppress(OSError, AttributeError):
        library = ctypes.CDLL(None)
        library.mallopt(_M_MMAP_THRESHOLD, 32 << 20)
        library.mallopt(_M_TRIM_THRESHOLD, 64 << 20)


def _read_memory_limit() -> int:
    limits = [os.sysconf("SC_PHYS_PAGES") * _MEMORY_PAGE_BYTES]
    for name in _CGROUP_LIMIT_FILES:
        with suppress(OSError, ValueError):  # no such file, or "max"
            limits.append(int(Path(name).read_text(encoding="ascii")))
    return min(limits)


def _list_cached_digests(models: Path) -> set[str]:
    return {path.name.lstrip(".") for path in models.iterdir() if path.is_dir()}


def _last_use_time(models: Path, name: str) -> float:
    try:
        return (models / f"{name}.used").stat().st_mtime
    except FileNotFoundError:
        return 0.0


def _try_remove_model(models: Path, name: str) -> bool:
    """Whether the model is gone; not where somebody makes or uses it."""
    descriptors: list[int] = []
    try:
        for ending in ("lock", "used"):
            descriptor = acquire_file_lock(models / f"{name}.{ending}", deadline=0)
            if descriptor is None:
                return False
            descriptors.append(descriptor)
        if (models / name).exists():
            shutil.rmtree(models / f".{name}", ignore_errors=True)
            (models / name).rename(models / f".{name}")  # all at once: half of a model is never found
        shutil.rmtree(models / f".{name}", ignore_errors=True)
        for ending in ("used", "lock"):
            (models / f"{name}.{ending}").unlink(missing_ok=True)
        return True
    finally:
        for descriptor in descriptors:
            os.close(descriptor)
