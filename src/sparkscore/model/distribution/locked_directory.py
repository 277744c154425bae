"""Folders of this node that belong to one user alone, and locks on files in them. Holds only that I/O."""

import fcntl
import math
import os
import stat
import tempfile
import time
from pathlib import Path

from sparkscore.errors import AccessDenied

_LOCK_RETRY_S = 0.05


def ensure_private_folder(*names: str) -> Path:
    """The folder `<temporary folder>/sparkscore-<uid>/<names>`, made where it is missing, open to its owner alone.

    Runs on: executor.
    Raises:  AccessDenied where it, or a folder above it up to `sparkscore-<uid>`, is a link, another user's, or open
             to others: whoever can write there chooses what is unpickled.
    """
    folder = Path(tempfile.gettempdir(), f"sparkscore-{os.geteuid()}")
    _ensure_owned_folder(folder)
    for name in names:
        folder = folder / name
        _ensure_owned_folder(folder)
    return folder


def acquire_file_lock(path: Path, *, shared: bool = False, deadline: float = math.inf) -> int | None:
    """The descriptor that holds a lock on the file; closing it, or the end of all processes that have it, frees it.

    Needs:   `deadline`: moment of `time.monotonic()`; one that is past asks once.
    Returns: None where somebody else held the lock until the deadline.
    Raises:  FileNotFoundError where the folder is gone.
    """
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        if _try_file_lock(descriptor, shared=shared):
            if _is_same_lock_file(path, descriptor):
                return descriptor
            os.close(descriptor)  # removed while we were asking: a lock on it excludes nobody
            continue
        os.close(descriptor)
        if time.monotonic() >= deadline:
            return None
        time.sleep(_LOCK_RETRY_S)


def find_foreign_access(folder: Path, *, forbidden_mode: int) -> str | None:
    """Why others than this user may change what is in a folder, or read it; None where they may not.

    Needs:   `forbidden_mode`: the bits of the mode that let others in.
    Raises:  OSError.
    """
    status = folder.lstat()
    if stat.S_ISLNK(status.st_mode):
        return f"{folder} is a link"
    if not stat.S_ISDIR(status.st_mode):
        return f"{folder} is no folder"
    if status.st_uid != os.geteuid():
        return f"{folder} belongs to the user {status.st_uid}"
    if status.st_mode & forbidden_mode:
        return f"{folder} is open to other users (mode {stat.S_IMODE(status.st_mode):o})"
    return None


def _ensure_owned_folder(folder: Path) -> None:
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        found = find_foreign_access(folder, forbidden_mode=0o077)
    except FileExistsError:
        found = f"{folder} is a link, or no folder"
    except OSError as error:
        raise _unsafe_folder_error(f"cannot create the folder {folder}: {error.strerror}") from error
    if found is not None:
        raise _unsafe_folder_error(found)


def _unsafe_folder_error(found: str) -> AccessDenied:
    return AccessDenied(
        found,
        f"a folder of the user {os.geteuid()}, mode 700",
        "remove it, or give executors another temporary folder: spark.executorEnv.TMPDIR",
    )


def _try_file_lock(descriptor: int, *, shared: bool) -> bool:
    try:
        fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _is_same_lock_file(path: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False
