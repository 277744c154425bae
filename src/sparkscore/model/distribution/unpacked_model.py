"""A model's files on a node: unpacked once from the archive that Spark brought, and shared by every executor there.

Per digest, in a folder of the user: `<digest>/` the files, `<digest>.lock` held while they are written or removed,
`<digest>.used` held shared by each process that uses them. `.<digest>/` is unfinished: nobody reads it, and whoever
holds the lock next removes it, so a killed unpacker leaves nothing that could be taken for a model.
"""

import os
import shutil
import stat
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from functools import lru_cache
from pathlib import Path, PurePosixPath

from sparkscore.errors import DigestMismatch, ModelError
from sparkscore.model.distribution.locked_directory import acquire_file_lock, ensure_private_folder
from sparkscore.model.distribution.model_cache_limits import evict_unpacked_models
from sparkscore.model.trust.model_digest import compute_model_digest

_EVICTION_INTERVAL = 200
"""So many models of packs are unpacked by a process from one look at what the node keeps to the next."""
_packed_count = {"models": 0}

_use_descriptors: dict[str, int] = {}
"""Per digest the descriptor by which this process says that it uses the files."""


def unpack_model(archive: str | Path, digest: str, *, verify: bool = False, is_packed: bool = False) -> str:
    """The folder with the archive's files, in use by this process until it calls `release_model` or ends.

    Needs:   `verify`: its files were found to have another digest. They are checked, and replaced where it is so.
             `is_packed`: the archive holds many models, each below its digest.
    Runs on: executor.
    Raises:  DigestMismatch where the archive itself holds something else; AccessDenied for a folder of another user;
             ModelError where there is no room.
    """
    models = ensure_private_folder("models")
    folder = models / digest
    with _lock_model_folder(folder):
        is_missing = not folder.is_dir() or (verify and not _has_unpacked_digest(folder, digest))
        if is_missing:
            _unpack_archive(Path(archive), folder, digest, f"{digest}/" if is_packed else "")
        mark_model_used(folder)
    if is_missing and _is_eviction_due(is_packed=is_packed):
        evict_unpacked_models(models)
    return str(folder)


def _is_eviction_due(*, is_packed: bool) -> bool:
    """Looking at all models takes as long as there are models: of many small ones not each is worth it."""
    _packed_count["models"] += is_packed
    return not is_packed or _packed_count["models"] % _EVICTION_INTERVAL == 0


def mark_model_used(folder: str | Path) -> None:
    """Say that this process uses an unpacked model: nobody removes it until the process ends, or calls
    `release_model`."""
    path = Path(folder)
    marker = path.with_name(f"{path.name}.used")
    if path.name not in _use_descriptors:
        descriptor = acquire_file_lock(marker, shared=True)
        assert descriptor is not None  # noqa: S101 - without an end to the waiting there is always one
        _use_descriptors[path.name] = descriptor
    os.utime(marker)


def release_model(digest: str) -> None:
    """Say that this process no longer uses the model."""
    if digest in _use_descriptors:
        os.close(_use_descriptors.pop(digest))


@contextmanager
def _lock_model_folder(folder: Path) -> Iterator[None]:
    descriptor = acquire_file_lock(folder.with_name(f"{folder.name}.lock"))
    assert descriptor is not None  # noqa: S101 - as above
    try:
        yield
    finally:
        os.close(descriptor)


def _has_unpacked_digest(folder: Path, digest: str) -> bool:
    try:
        return compute_model_digest(folder) == digest
    except (ModelError, OSError):
        return False


def _unpack_archive(archive: Path, folder: Path, digest: str, inside: str) -> None:
    """The folder appears all at once, and only with the right files; `inside`: what their names begin with."""
    partial = folder.with_name(f".{folder.name}")
    shutil.rmtree(partial, ignore_errors=True)
    try:
        partial.mkdir(mode=0o700)
        _extract_archive(archive, partial, inside)
        unpacked_digest = compute_model_digest(partial)
        if unpacked_digest != digest:
            raise _archive_mismatch_error(f"have the digest {unpacked_digest[:12]}", digest)
        if folder.exists():
            _remove_changed_folder(folder, partial)
        partial.rename(folder)
    except (zipfile.BadZipFile, NotImplementedError) as error:
        raise _archive_mismatch_error("cannot be read", digest) from error
    except OSError as error:
        raise ModelError(
            f"the model could not be unpacked in {folder.parent}: {error.strerror}",
            "a temporary folder with space for the model",
            "free space, or give executors another folder: spark.executorEnv.TMPDIR",
        ) from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _remove_changed_folder(folder: Path, partial: Path) -> None:
    """Out of the way first: a reader finds either all of the old files, or all of the new ones, or no folder."""
    replaced = partial / ".changed"
    folder.rename(replaced)
    shutil.rmtree(replaced)


def _extract_archive(archive: Path, target: Path, inside: str) -> None:
    with zipfile.ZipFile(archive) if not inside else nullcontext(_open_pack(str(archive))) as packed:
        seen: set[str] = set()
        for entry in packed.infolist() if not inside else _list_model_entries(str(archive), inside):
            _check_archive_entry(entry, seen)
            path = target / entry.filename.removeprefix(inside)
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with packed.open(entry) as content, path.open("xb") as file:
                shutil.copyfileobj(content, file, 1 << 20)


@lru_cache(maxsize=2)
def _open_pack(archive: str) -> zipfile.ZipFile:
    """Kept open: its directory takes as long to read as there are models in it."""
    return zipfile.ZipFile(archive)


def _list_model_entries(archive: str, inside: str) -> list[zipfile.ZipInfo]:
    found = _list_pack(archive).get(inside)
    if found is None:
        raise zipfile.BadZipFile(f"no model {inside}")
    return found


@lru_cache(maxsize=2)
def _list_pack(archive: str) -> Mapping[str, list[zipfile.ZipInfo]]:
    """The entries of each model, by what their names begin with."""
    entries: dict[str, list[zipfile.ZipInfo]] = {}
    for entry in _open_pack(archive).infolist():
        entries.setdefault(f"{entry.filename.partition('/')[0]}/", []).append(entry)
    return entries


def _check_archive_entry(entry: zipfile.ZipInfo, seen: set[str]) -> None:
    """Only what `ship_model` packs: plain files inside the folder, each once and uncompressed: they cannot swell."""
    path = PurePosixPath(entry.filename)
    inside = not path.is_absolute() and ".." not in path.parts and "\\" not in entry.filename and path.parts
    plain = not entry.is_dir() and stat.S_IFMT(entry.external_attr >> 16) in (0, stat.S_IFREG)
    if not inside or not plain or entry.filename in seen or entry.compress_type != zipfile.ZIP_STORED:
        raise zipfile.BadZipFile(f"an unexpected member: {entry.filename!r}")
    seen.add(entry.filename)


def _archive_mismatch_error(found: str, digest: str) -> DigestMismatch:
    return DigestMismatch(
        f"the model's files in the archive on this executor {found}",
        f"{digest[:12]}, as pinned by the driver",
        "find out who changed it; a new session ships the model again",
    )
