"""Private copies of models on the driver, named by their digest. Holds only that I/O."""

import os
import re
import shutil
import stat
import tempfile
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from itertools import chain
from pathlib import Path

from sparkscore.errors import AccessDenied, ModelError
from sparkscore.model.distribution.locked_directory import find_foreign_access
from sparkscore.model.registry.copy_origin import CopyOrigin
from sparkscore.model.trust.model_digest import compute_former_digest, compute_model_digest

_COPY_NAME = re.compile(r"(?P<digest>[0-9a-f]{64})|\.fetch-.*")
"""What is created here: copies by their digest, and the folders of fetches."""
_ORIGIN = "origin-"
"""What the names of files begin with that say which copy was fetched for a model version, and by which evidence."""
_WRITABLE_BY_OTHERS = 0o022
_ZIP_NAME = re.compile(r"sparkscore-(?P<digest>[0-9a-f]{64})\.zip")
"""What older versions created here: zips of copies, and the folders in which they wrote them."""
_ZIP_FOLDER_NAME = re.compile(r"tmp[a-z0-9_]{8}")


def fetch_private_copy(
    fetch: Callable[[Path], Path], copies: str, origin: CopyOrigin | None = None
) -> tuple[Path, str]:
    """The folder `<copies>/<digest>` with what `fetch` downloads into the folder it is given, and the digest.

    A copy that is there already is used if its files still have that digest, else replaced. It appears all at once,
    readable by its owner alone. Nothing is downloaded where a copy came from this very origin.

    Runs on: driver.
    Raises:  AccessDenied where the folder cannot be written, or others can write to it; what `fetch` raises; ModelError
             for links among the files.
    """
    known = None if origin is None else find_known_copy(copies, origin)
    if known is not None:
        os.utime(known[0])  # in use: `list_unused_copies` goes by it
        return known
    with _temporary_fetch_folder(Path(copies)) as workplace:
        fetched = fetch(workplace)
        digest = compute_model_digest(fetched)
        target = Path(copies, digest)
        if _has_copy_digest(target, digest):
            os.utime(target)
        else:
            shutil.rmtree(target, ignore_errors=True)
            fetched.chmod(0o700)
            _move_fetched_copy(fetched, target, digest)
        if origin is not None:
            _note_origin(Path(workplace, "origin"), Path(copies), origin, digest)
        return target, digest


def find_known_copy(copies: str, origin: CopyOrigin) -> tuple[Path, str] | None:
    """The copy that was fetched from this very origin and still has its digest, and the digest. Writes nothing.

    Runs on: driver.
    """
    folder = Path(copies)
    try:
        if find_foreign_access(folder, forbidden_mode=_WRITABLE_BY_OTHERS) is not None:
            return None
        evidence, digest = _origin_file(folder, origin).read_text(encoding="ascii").split()
    except (OSError, ValueError):
        return None
    target = folder / digest
    is_right = evidence == origin.evidence and _COPY_NAME.fullmatch(digest) and _has_copy_digest(target, digest)
    return (target, digest) if is_right else None


def _note_origin(draft: Path, copies: Path, origin: CopyOrigin, digest: str) -> None:
    with suppress(OSError):  # it is downloaded again, then
        draft.write_text(f"{origin.evidence} {digest}\n", encoding="ascii")
        draft.replace(_origin_file(copies, origin))


def _origin_file(copies: Path, origin: CopyOrigin) -> Path:
    return copies / f"{_ORIGIN}{origin.key}"


def find_private_copy(copies: str, digest: str) -> tuple[Path, str] | None:
    """The copy whose files have a digest, by today's formula or by the former one, and its digest of today.

    Runs on: driver.
    """
    folder = Path(copies)
    candidates = chain([folder / digest], _former_copies(folder, digest))
    return next(((one, one.name) for one in candidates if _has_copy_digest(one, one.name)), None)


def _former_copies(folder: Path, digest: str) -> Iterator[Path]:
    """Copies that the former formula names by a digest."""
    for copy in sorted(folder.iterdir()) if folder.is_dir() else ():
        with suppress(ModelError):
            if _COPY_NAME.fullmatch(copy.name) and copy.is_dir() and compute_former_digest(copy) == digest:
                yield copy


def list_unused_copies(copies: str, *, pinned: Collection[str], unused_since: datetime) -> list[Path]:
    """Copies, their zips, and the remains of killed runs, of no pinned digest and not used since that moment.

    Runs on: driver.
    """
    folder = Path(copies)
    entries = sorted(folder.iterdir()) if folder.is_dir() else []
    return [one for one in entries if _is_created_here(one, pinned) and _is_older(one, unused_since)]


def copy_bytes(copy: Path) -> int:
    """Bytes in a copy's files, or of a zip; links are not followed."""
    files = (copy, *copy.rglob("*"))
    return sum(file.lstat().st_size for file in files if file.is_symlink() or not file.is_dir())


def remove_private_copy(copy: Path) -> None:
    """Remove a copy with the notes of where it came from, or a zip; links in it are removed, not followed.

    Raises:  AccessDenied.
    """
    try:
        if stat.S_ISDIR(copy.lstat().st_mode):
            shutil.rmtree(copy)
            _remove_origins(copy)
        else:
            copy.unlink()
    except FileNotFoundError:  # another process was faster
        return
    except OSError as error:
        raise AccessDenied(
            f"cannot remove {copy}: {error.strerror}", "a folder for copies of models", "check its owner and mode"
        ) from error


def _remove_origins(copy: Path) -> None:
    for note in copy.parent.glob(f"{_ORIGIN}*"):
        with suppress(OSError, ValueError):
            if note.read_text(encoding="ascii").split()[-1:] == [copy.name]:
                note.unlink()


def _is_created_here(entry: Path, pinned: Collection[str]) -> bool:
    """Whether it is a copy or a zip of no pinned digest, or what a killed run left; never a link."""
    if entry.is_symlink():
        return False
    named = (_COPY_NAME if entry.is_dir() else _ZIP_NAME).fullmatch(entry.name)
    if named is not None:
        return named["digest"] not in pinned
    return entry.is_dir() and _ZIP_FOLDER_NAME.fullmatch(entry.name) is not None and _has_only_zips(entry)


def _has_only_zips(folder: Path) -> bool:
    try:
        return all(_ZIP_NAME.fullmatch(one.name) for one in folder.iterdir())
    except OSError:
        return False


def _is_older(entry: Path, moment: datetime) -> bool:
    try:
        return entry.lstat().st_mtime < moment.timestamp()
    except FileNotFoundError:  # a fetch that has ended meanwhile
        return False


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
