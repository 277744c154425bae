"""What a model process inherits from its worker: the environment before the first model. Needs no Spark.

A model changes the process that it is loaded into: its code goes on the import path, and it may set variables of the
environment, the umask, the working directory. None of it may reach the process of another model.

What else a process inherits: descriptors are closed, the working directory is set (`start.py`), signals are put back
(`server.py`); limits (ulimit) stay, as Spark's own on memory is one: they end a process, and change no value. Locale,
seeds, threads and the processor's modes are not inherited by a new program.
"""

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sparkscore.model.distribution.locked_directory import ensure_private_folder


@dataclass(frozen=True, slots=True)
class Heritage:
    """What passes on."""

    environment: dict[str, str]
    path: tuple[str, ...]
    """The import path; entries are absolute, or empty for the working directory."""
    umask: int


@dataclass(frozen=True, slots=True)
class _Kept:
    heritage: Heritage
    spark_files: str
    """Where Spark puts files that are added later."""
    models: str
    """Where models are unpacked: nothing there is on another model's import path."""


_kept: list[_Kept] = []
"""The environment of this process: at most one entry."""


def keep_heritage(spark_files: str) -> None:
    """Remember the environment of this process, once. To be called before it loads a model.

    Needs:   Spark's folder for files that were added, of the task that runs.
    Runs on: executor.
    Raises:  AccessDenied.
    """
    if not _kept or _kept[0].spark_files != spark_files:
        _kept[:] = [
            _Kept(_kept[0].heritage if _kept else _read_heritage(), spark_files, str(ensure_private_folder("models")))
        ]


def current_heritage() -> Heritage:
    """What a process that is started now inherits from this one.

    Runs on: executor.
    """
    if not _kept:
        return _read_heritage()
    (kept,) = _kept
    own = kept.heritage
    return Heritage(own.environment, _with_files_added(own.path, _absolute_entries(sys.path), kept), own.umask)


def _read_heritage() -> Heritage:
    return Heritage(dict(os.environ), _absolute_entries(sys.path), _read_umask())


def _absolute_entries(path: Sequence[str]) -> tuple[str, ...]:
    return tuple(entry and str(Path(entry).absolute()) for entry in path)


def _with_files_added(before: tuple[str, ...], now: Sequence[str], kept: _Kept) -> tuple[str, ...]:
    """The import path as Spark has it by now: it puts what is added behind the first entry."""
    added = [one for one in now if one not in before and _is_in(one, kept.spark_files)]
    return tuple(one for one in (*before[:1], *added, *before[1:]) if not _is_in(one, kept.models))


def _is_in(entry: str, folder: str) -> bool:
    return bool(entry) and Path(entry).is_relative_to(Path(folder).absolute())


def _read_umask() -> int:
    own = os.umask(0o077)  # there is no way to ask
    os.umask(own)
    return own
