"""A worker of another engine, made to look like Spark's to the code of a task: where files lie, which cores it has.

It is what `pyspark.worker` does before it runs a task; nothing of it talks to Spark.
"""

import os
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pyspark.resource import ResourceInformation
from pyspark.taskcontext import TaskContext

_VISIBLE_GPU = "0"
"""Engines hide the other GPUs from a process: its own is the first that it sees."""
_folders: dict[tuple[str, ...], str] = {}
"""Where this process has the archives of a job."""


@dataclass(frozen=True, slots=True)
class ModelArchive:
    """The zip of a model's files."""

    path: str
    """Where the driver has written it, which may be on this machine."""
    fetch: Callable[[], bytes] | None = field(default=None, repr=False, compare=False)
    """Brings it here from the driver's machine, with the engine's own means; None: all workers are on that one."""


@dataclass(frozen=True, slots=True)
class TaskPlace:
    """What a task may use."""

    number: int
    cores: int
    has_gpu: bool


def enter_task(place: TaskPlace, archives: Sequence[ModelArchive]) -> None:
    """Make this process one that runs a task: the next task of it has another place.

    Needs:   one task at a time in a process: what a task is, is told by globals.
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


def _provide_archives(archives: Sequence[ModelArchive]) -> str:
    """The folder in which they all are. What was fetched lies in a folder of this process, and goes with it."""
    names = tuple(one.path for one in archives)
    if all(os.access(name, os.R_OK) for name in names):
        return str(Path(names[0]).parent) if names else tempfile.gettempdir()
    if names not in _folders:
        folder = tempfile.TemporaryDirectory(prefix="sparkscore-")
        _kept.append(folder)
        for one in archives:
            if one.fetch is None:
                raise FileNotFoundError(f"{one.path} is not on this machine")
            Path(folder.name, Path(one.path).name).write_bytes(one.fetch())
        _folders[names] = folder.name
    return _folders[names]


_kept: list["tempfile.TemporaryDirectory[str]"] = []
