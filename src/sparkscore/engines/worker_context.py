"""A worker of another engine, made to look like Spark's to the code of a task: where files lie, which cores it has.

It is what `pyspark.worker` does before it runs a task; nothing of it talks to Spark.
"""

import atexit
import fcntl
import os
import shutil
import tempfile
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pyspark.resource import ResourceInformation
from pyspark.taskcontext import TaskContext

_VISIBLE_GPU = "0"
"""Engines hide the other GPUs from a process: its own is the first that it sees."""
_FOLDER_PREFIX = "sparkscore-archive-"
_LOCK = "in-use"
_kept: dict[str, tuple[Path, int]] = {}
"""By the name of an archive the folder of this process that has it, and the lock on that folder: one at a time."""


@dataclass(frozen=True, slots=True)
class ModelArchive:
    """The zip of a model's files."""

    path: str
    """Where the driver has written it, which may be on this machine."""
    bring: Callable[[], Path] | None = field(default=None, repr=False, compare=False)
    """Brings it from the driver's machine by the engine's own means, and tells where it lies; None: all workers are on
    that machine."""


@dataclass(frozen=True, slots=True)
class TaskPlace:
    """What a task may use."""

    number: int
    cores: int
    has_gpu: bool


def enter_task(place: TaskPlace, archives: Sequence[ModelArchive]) -> None:
    """Make this process one that runs a task: the next task of it has another place.

    Needs:   one task at a time in a process: what a task is, is told by globals. Archives that lie in one folder.
    Runs on: a worker of the engine.
    """
    from pyspark import SparkFiles

    SparkFiles._root_directory = _provide_archives(archives)  # noqa: SLF001  as pyspark.worker does
    SparkFiles._is_running_on_worker = True  # noqa: SLF001
    resources = {"gpu": ResourceInformation("gpu", [_VISIBLE_GPU])} if place.has_gpu else {}
    context: Any = TaskContext  # its annotations are of what each argument is wrapped in
    context._setTaskContext(  # noqa: SLF001
        context(partitionId=place.number, attemptNumber=0, cpus=place.cores, resources=resources)
    )


def keep_archive(name: str, fetch: Callable[[], bytes]) -> Path:
    """Where this process has an archive, fetched once; that of the job before is removed.

    A worker that is killed leaves its folder: the next one on the machine that keeps an archive removes it.

    Runs on: a worker of the engine.
    """
    if name not in _kept:
        content = fetch()
        _remove_kept()
        _remove_left_folders(Path(tempfile.gettempdir()))
        folder = Path(tempfile.mkdtemp(prefix=_FOLDER_PREFIX))
        lock = _lock_folder(folder)
        (folder / name).write_bytes(content)
        _kept[name] = folder, lock
    return _kept[name][0] / name


@atexit.register
def _remove_kept() -> None:
    while _kept:
        _, (folder, lock) = _kept.popitem()
        shutil.rmtree(folder, ignore_errors=True)
        os.close(lock)


def _provide_archives(archives: Sequence[ModelArchive]) -> str:
    """The folder in which they all are."""
    if not archives:
        return tempfile.gettempdir()
    here = [Path(one.path) if os.access(one.path, os.R_OK) else _bring_archive(one) for one in archives]
    return str(here[0].parent)


def _bring_archive(archive: ModelArchive) -> Path:
    if archive.bring is None:
        raise FileNotFoundError(f"{archive.path} is not on this machine")
    return archive.bring()


def _lock_folder(folder: Path) -> int:
    """The descriptor that holds the lock until the process ends, however it does.

    Raises:  OSError where another process holds it.
    """
    descriptor = os.open(folder / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def _remove_left_folders(place: Path) -> None:
    """Folders of this user whose process has ended."""
    for folder in place.glob(f"{_FOLDER_PREFIX}*"):
        with suppress(OSError):  # in use, another user's, or removed by another worker just now
            if folder.is_symlink() or folder.stat().st_uid != os.geteuid() or not (folder / _LOCK).exists():
                continue
            os.close(_lock_folder(folder))
            shutil.rmtree(folder, ignore_errors=True)
