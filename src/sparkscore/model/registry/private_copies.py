"""Private copies of models on the driver, named by their digest. Holds only that I/O."""

import os
import re
import shutil
import stat
import tempfile
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from sparkscore.errors import AccessDenied, ModelError
from sparkscore.model.distribution.locked_directory import find_foreign_access
from sparkscore.model.trust.model_digest import compute_model_digest

_COPY_NAME = re.compile(r"[0-9a-f]{64}|\.fetch-.*")
"""What is created here: copies by their digest, and the folders of fetches."""
_WRITABLE_BY_OTHERS = 0o022


def fetch_private_copy(fetch: Callable[[Path], Path], copies: str) -> tuple[Path, str]:
    """The folder `<copies>/<digest>` with what `fetch` downloads into the folder it is given, and the digest.

    A copy that is there already is used if its files still have that digest, else replaced. It appears all at once,
    readable by its owner alone.

    Runs on: driver.
    Raises:  AccessDenied where the folder cannot be written, or others can write to it; what `fetch` raises; ModelError
             for links among the files.
    """
    with _temporary_fetch_folder(Path(copies)) as workplace:
        fetched = fetch(workplace)
        digest = compute_model_digest(fetched)
        target = Path(copies, digest)
        if _has_copy_digest(target, digest):
            os.utime(target)  # in use: `list_unused_copies` goes by it
        else:
            shutil.rmtree(target, ignore_errors=True)
            fetched.chmod(0o700)
            _move_fetched_copy(fetched, target, digest)
        return target, digest


def list_unused_copies(copies: str, *, pinned: Collection[str], unused_since: datetime) -> list[Path]:
    """Copies, and the remains of killed downloads, of no pinned digest and not used since that moment.

    Runs on: driver.
    """
    folder = Path(copies)
    entries = sorted(folder.iterdir()) if folder.is_dir() else []
    return [
        one
        for one in entries
        if _COPY_NAME.fullmatch(one.name) and one.name not in pinned and _is_folder_older(one, unused_since)
    ]


def copy_bytes(copy: Path) -> int:
    """Bytes in a copy's files; links are not followed."""
    return sum(file.lstat().st_size for file in copy.rglob("*") if file.is_symlink() or not file.is_dir())


def remove_private_copy(copy: Path) -> None:
    """Remove a copy; links in it are removed, not followed.

    Raises:  AccessDenied.
    """
    try:
        shutil.rmtree(copy)
    except FileNotFoundError:  # another process was faster
        return
    except OSError as error:
        raise AccessDenied(
            f"cannot remove {copy}: {error.strerror}", "a folder for copies of models", "check its owner and mode"
        ) from error


def _is_folder_older(entry: Path, moment: datetime) -> bool:
    """Whether it is a folder, not a link, that is older than the moment."""
    try:
        status = entry.lstat()
    except FileNotFoundError:  # a fetch that has ended meanwhile
        return False
    return stat.S_ISDIR(status.st_mode) and status.st_mtime < moment.timestamp()


def _move_fetched_copy(fetched: Path, target: Path, digest: str) -> None:
    try:
        fetched.rename(target)
    except OSError:  # another process was faster
        if not _has_copy_digest(target, digest):
            raise


def _has_copy_digest(folder: Path, digest: str) -> bool:
    """Whether the copy is whole, and others cannot change it after this look."""
    try:
        is_private = find_foreign_access(folder, forbidden_mode=_WRITABLE_BY_OTHERS) is None
        return is_private and compute_model_digest(folder) == digest
    except (FileNotFoundError, ModelError):
        return False


def _refuse_foreign_copies(copies: Path) -> None:
    """Whoever can write there chooses the code that is loaded: the look at a copy's digest comes before its use."""
    found = find_foreign_access(copies, forbidden_mode=_WRITABLE_BY_OTHERS)
    if found is not None:
        raise AccessDenied(
            found,
            f"a folder of the user {os.geteuid()} that nobody else can write to, for copies of models",
            f"remove it or `chmod 700 {copies}`; if it is another user's, set home to a folder of your own",
        )


@contextmanager
def _temporary_fetch_folder(copies: Path) -> Iterator[Path]:
    try:
        copies.mkdir(mode=0o700, parents=True, exist_ok=True)
        _refuse_foreign_copies(copies)
        created = tempfile.mkdtemp(dir=copies, prefix=".fetch-")
    except OSError as error:
        raise AccessDenied(
            f"cannot write to {copies}: {error.strerror}",
            "a folder for copies of models",
            "check its owner and mode, or set home",
        ) from error
    try:
        yield Path(created)
    finally:
        shutil.rmtree(created, ignore_errors=True)
