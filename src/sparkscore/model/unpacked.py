"""A model's files on a node: unpacked once from the archive that Spark brought, and shared by every executor there.

Per digest, in a folder of the user's own: `<digest>/` the files, `<digest>.lock` held while they are made or removed,
`<digest>.used` held shared by each process that uses them. `.<digest>/` is unfinished: nobody reads it, and whoever
holds the lock next removes it, so a killed unpacker leaves nothing that could be taken for a model.
"""

import os
import shutil
import stat
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from sparkscore.errors import DigestMismatch, ModelError
from sparkscore.model.digest import digest_of
from sparkscore.model.private import locked, private_folder
from sparkscore.model.room import make_room

_uses: dict[str, int] = {}
"""Per digest the descriptor by which this process says that it uses the files."""


def unpacked(archive: str | Path, digest: str, *, doubted: bool = False) -> str:
    """The folder with the archive's files, in use by this process until it calls `released` or ends.

    Needs:   `doubted`: its files were found to have another digest. It is looked at again, and replaced if it is so.
    Runs on: executor.
    Raises:  DigestMismatch where the archive itself holds something else; AccessDenied for a folder of another user;
             ModelError where there is no room.
    """
    models = private_folder("models")
    folder = models / digest
    with _alone(folder):
        made = not folder.is_dir() or (doubted and not _holds(folder, digest))
        if made:
            _unpack(Path(archive), folder, digest)
        use(folder)
    if made:
        make_room(models)
    return str(folder)


def use(folder: str | Path) -> None:
    """Say that this process uses an unpacked model: nobody removes it until the process ends, or calls `released`."""
    path = Path(folder)
    marker = path.with_name(f"{path.name}.used")
    if path.name not in _uses:
        descriptor = locked(marker, shared=True)
        assert descriptor is not None  # noqa: S101 - without an end to the waiting there is always one
        _uses[path.name] = descriptor
    os.utime(marker)


def released(digest: str) -> None:
    """Say that this process no longer uses the model."""
    if digest in _uses:
        os.close(_uses.pop(digest))


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    descriptor = locked(folder.with_name(f"{folder.name}.lock"))
    assert descriptor is not None  # noqa: S101 - as above
    try:
        yield
    finally:
        os.close(descriptor)


def _holds(folder: Path, digest: str) -> bool:
    try:
        return digest_of(folder) == digest
    except (ModelError, OSError):
        return False


def _unpack(archive: Path, folder: Path, digest: str) -> None:
    """The folder appears all at once, and only with the right files."""
    partial = folder.with_name(f".{folder.name}")
    shutil.rmtree(partial, ignore_errors=True)
    try:
        partial.mkdir(mode=0o700)
        _extract(archive, partial)
        found = digest_of(partial)
        if found != digest:
            raise _mismatch(f"have the digest {found[:12]}", digest)
        if folder.exists():
            _remove_changed(folder, partial)
        partial.rename(folder)
    except (zipfile.BadZipFile, NotImplementedError) as error:
        raise _mismatch("cannot be read", digest) from error
    except OSError as error:
        raise ModelError(
            f"the model could not be unpacked in {folder.parent}: {error.strerror}",
            "a temporary folder with room for the model",
            "make room, or give executors another one: spark.executorEnv.TMPDIR",
        ) from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _remove_changed(folder: Path, partial: Path) -> None:
    """Out of the way first: a reader finds either all of the old files, or all of the new ones, or no folder."""
    away = partial / ".changed"
    folder.rename(away)
    shutil.rmtree(away)


def _extract(archive: Path, target: Path) -> None:
    with zipfile.ZipFile(archive) as packed:
        seen: set[str] = set()
        for entry in packed.infolist():
            _check(entry, seen)
            path = target / entry.filename
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with packed.open(entry) as content, path.open("xb") as file:
                shutil.copyfileobj(content, file, 1 << 20)


def _check(entry: zipfile.ZipInfo, seen: set[str]) -> None:
    """Only what `ship` packs: plain files inside the folder, each once and uncompressed, so that they cannot swell."""
    path = PurePosixPath(entry.filename)
    inside = not path.is_absolute() and ".." not in path.parts and "\\" not in entry.filename and path.parts
    plain = not entry.is_dir() and stat.S_IFMT(entry.external_attr >> 16) in (0, stat.S_IFREG)
    if not inside or not plain or entry.filename in seen or entry.compress_type != zipfile.ZIP_STORED:
        raise zipfile.BadZipFile(f"an odd member: {entry.filename!r}")
    seen.add(entry.filename)


def _mismatch(found: str, digest: str) -> DigestMismatch:
    return DigestMismatch(
        f"the model's files in the archive on this executor {found}",
        f"{digest[:12]}, as pinned by the driver",
        "find out who changed it; a new session ships the model again",
    )
