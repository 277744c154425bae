"""Folders of this node that belong to one user alone, and locks on files in them. Holds only that I/O."""

import fcntl
import math
import os
import stat
import tempfile
import time
from pathlib import Path

from sparkscore.errors import AccessDenied

_EVERY_S = 0.05


def private_folder(*names: str) -> Path:
    """The folder `<temporary folder>/sparkscore-<uid>/<names>`, made where it is missing, open to its owner alone.

    Runs on: executor.
    Raises:  AccessDenied where it, or a folder above it up to `sparkscore-<uid>`, is a link, another user's, or open
             to others: whoever can write there chooses what is unpickled.
    """
    folder = Path(tempfile.gettempdir(), f"sparkscore-{os.geteuid()}")
    _made(folder)
    for name in names:
        folder = folder / name
        _made(folder)
    return folder


def locked(path: Path, *, shared: bool = False, until: float = math.inf) -> int | None:
    """The descriptor that holds a lock on the file; closing it, or the end of all processes that have it, frees it.

    Needs:   `until`: moment of `time.monotonic()`; one that is past asks once.
    Returns: None where somebody else held the lock until then.
    Raises:  FileNotFoundError where the folder is gone.
    """
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        if _free(descriptor, shared=shared):
            if _still_there(path, descriptor):
                return descriptor
            os.close(descriptor)  # removed while we were asking: a lock on it excludes nobody
            continue
        os.close(descriptor)
        if time.monotonic() >= until:
            return None
        time.sleep(_EVERY_S)


def _made(folder: Path) -> None:
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        found = folder.lstat()
    except OSError as error:
        raise _refused(f"no folder {folder}: {error.strerror}") from error
    if not stat.S_ISDIR(found.st_mode):
        raise _refused(f"{folder} is a link")
    if found.st_uid != os.geteuid():
        raise _refused(f"{folder} belongs to the user {found.st_uid}")
    if found.st_mode & 0o077:
        raise _refused(f"{folder} is open to other users (mode {stat.S_IMODE(found.st_mode):o})")


def _refused(found: str) -> AccessDenied:
    return AccessDenied(
        found,
        f"a folder of the user {os.geteuid()}, mode 700",
        "remove it, or give executors another temporary folder: spark.executorEnv.TMPDIR",
    )


def _free(descriptor: int, *, shared: bool) -> bool:
    try:
        fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _still_there(path: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False
