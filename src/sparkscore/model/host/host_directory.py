"""The folder in which a model process and its clients meet. Holds only that I/O."""

import hashlib
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from sparkscore.model.distribution.locked_directory import acquire_file_lock, ensure_private_folder
from sparkscore.model.distribution.shipped_model import ShippedModel
from sparkscore.model.host.executor_process import Process

_HOSTS_FOLDER = "hosts"
_PROTOCOL_VERSION = 2
"""Part of the name, so that a process started by other code is left alone. Raise it when `wire_format.py` changes."""
_DIRECTORY_EXPIRY_S = 24 * 3600


@dataclass(frozen=True, slots=True)
class HostDirectory:
    """One model process's folder. Locks live by descriptors, so nothing in it outlives a killed process wrongly."""

    name: str

    @property
    def folder(self) -> Path:
        """The folder, made where it is missing.

        Raises:  AccessDenied.
        """
        return ensure_private_folder(_HOSTS_FOLDER, self.name)

    @property
    def start_lock(self) -> Path:
        """Locked by the worker that starts the process."""
        return self.folder / "lock"

    @property
    def alive_lock(self) -> Path:
        """Locked from before the process starts until its end: the worker locks it and hands the descriptor over."""
        return self.folder / "alive"

    @property
    def log_file(self) -> Path:
        """What the model prints."""
        return self.folder / "log"

    @contextmanager
    def open_address(self) -> Iterator[str]:
        """The socket's address while the block lasts: short, however long the folder's path is."""
        descriptor = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            yield f"/proc/self/fd/{descriptor}/socket"
        finally:
            os.close(descriptor)

    def write_end_marker(self, process: Process) -> None:
        """Leave word that the process is about to be ended because a batch took too long."""
        with suppress(OSError):  # no room for it: then that end counts for the others, too
            (self.folder / _end_marker_name(process)).touch(mode=0o600)

    def has_end_marker(self, process: Process) -> bool:
        """Whether somebody has left such word: the process's end says nothing about the other batches that it had."""
        return (self.folder / _end_marker_name(process)).exists()

    def remove_directory(self) -> None:
        """Take everything away. Called by the process at its end, while it still holds `alive_lock`."""
        (self.folder / "socket").unlink(missing_ok=True)
        descriptor = acquire_file_lock(self.start_lock, deadline=0)
        if descriptor is not None:  # else a worker is here already, to start the next process
            shutil.rmtree(self.folder, ignore_errors=True)
            os.close(descriptor)


def _end_marker_name(process: Process) -> str:
    return f"ended-{process.pid}-{process.start_ticks}"


def locate_host_directory(executor: Process, model: ShippedModel, device: str | None) -> HostDirectory:
    """Where workers of an executor find the process for a model and a GPU.

    The whole of what was shipped is in the name.
    """
    key = repr((executor.pid, executor.start_ticks, model, model.environment, device, _PROTOCOL_VERSION))
    return HostDirectory(hashlib.sha256(key.encode()).hexdigest()[:32])


def remove_old_host_directories() -> None:
    """Remove what processes left that were killed together with their executor."""
    for folder in ensure_private_folder(_HOSTS_FOLDER).iterdir():
        with suppress(FileNotFoundError):
            if folder.stat().st_mtime < time.time() - _DIRECTORY_EXPIRY_S:
                _remove_host_directory(folder)


def _remove_host_directory(folder: Path) -> None:
    descriptors = [acquire_file_lock(folder / name, deadline=0) for name in ("lock", "alive")]
    if None not in descriptors:
        shutil.rmtree(folder, ignore_errors=True)
    for descriptor in descriptors:
        if descriptor is not None:
            os.close(descriptor)
