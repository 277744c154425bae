"""What a model process inherits from its worker: the environment before the first model. Needs no Spark.

A model changes the process that it is loaded into: its code goes on the import path, and it may set variables of the
environment, the umask, the working directory. None of it may reach the process of another model.

What else a process inherits: descriptors are closed, the working directory is set (`host_start.py`), signals are reset
(`host_server.py`); limits (ulimit) stay, as Spark's own on memory is one: they end a process, and change no value.
Locale, seeds, threads and the processor's modes are not inherited by a new program.
"""

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sparkscore.model.distribution.locked_directory import ensure_private_folder


@dataclass(frozen=True, slots=True)
class InheritedEnvironment:
    """What a process passes on to the model process that it starts."""

    variables: dict[str, str]
    path: tuple[str, ...]
    """The import path; entries are absolute, or empty for the working directory."""
    umask: int


@dataclass(frozen=True, slots=True)
class _RememberedEnvironment:
    inherited: InheritedEnvironment
    spark_files: str
    """Where Spark puts files that are added later."""
    models: str
    """Where models are unpacked: nothing there is on another model's import path."""


_remembered: list[_RememberedEnvironment] = []
"""The environment of this process: at most one entry."""


def remember_environment(spark_files: str) -> None:
    """Remember the environment of this process, once. To be called before it loads a model.

    Needs:   Spark's folder for files that were added, of the task that runs.
    Runs on: executor.
    Raises:  AccessDenied.
    """
    if not _remembered or _remembered[0].spark_files != spark_files:
        _remembered[:] = [
            _RememberedEnvironment(
                _remembered[0].inherited if _remembered else _read_current_environment(),
                spark_files,
                str(ensure_private_folder("models")),
            )
        ]


def read_inherited_environment() -> InheritedEnvironment:
    """What a process that is started now inherits from this one.

    Runs on: executor.
    """
    if not _remembered:
        return _read_current_environment()
    (remembered,) = _remembered
    inherited = remembered.inherited
    return InheritedEnvironment(
        inherited.variables, _add_spark_files(inherited.path, _absolute_entries(sys.path), remembered), inherited.umask
    )


def _read_current_environment() -> InheritedEnvironment:
    return InheritedEnvironment(dict(os.environ), _absolute_entries(sys.path), _read_umask())


def _absolute_entries(path: Sequence[str]) -> tuple[str, ...]:
    return tuple(entry and str(Path(entry).absolute()) for entry in path)


def _add_spark_files(
    inherited: tuple[str, ...], current: Sequence[str], remembered: _RememberedEnvironment
) -> tuple[str, ...]:
    """The import path as Spark has it by now: it puts what is added behind the first entry."""
    added = [one for one in current if one not in inherited and _is_inside(one, remembered.spark_files)]
    return tuple(one for one in (*inherited[:1], *added, *inherited[1:]) if not _is_inside(one, remembered.models))


def _is_inside(entry: str, folder: str) -> bool:
    return bool(entry) and Path(entry).is_relative_to(Path(folder).absolute())


def _read_umask() -> int:
    umask = os.umask(0o077)  # there is no way to ask
    os.umask(umask)
    return umask
