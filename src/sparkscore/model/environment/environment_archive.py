"""Writes the archive of an environment: equal files give equal bytes, and it appears all at once."""

import gzip
import hashlib
import os
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import unquote, urlsplit

from sparkscore.errors import ConfigError, TemporaryError, is_disk_full

_BLOCK_BYTES = 1 << 20
DIGEST_SUFFIX = ".sha256"
"""Of the file beside an archive that says its sha256, as sha256sum writes and reads it."""


def write_archive(folder: Path, archive: Path) -> str:
    """Pack the folder's content; the archive's sha256, which the file beside it says, too.

    Raises:  ConfigError where it cannot be written, TemporaryError where there is no space for it.
    """
    with _replace_at_end(archive) as draft:
        with (
            draft.open("wb") as file,
            gzip.GzipFile("", "wb", compresslevel=6, fileobj=file, mtime=0) as packed,
            tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as entries,
        ):
            for path in _sorted_paths(folder):
                _add_path(entries, path, path.relative_to(folder).as_posix())
        digest = compute_file_digest(draft)
    with _replace_at_end(archive.with_name(archive.name + DIGEST_SUFFIX)) as beside:
        beside.write_text(f"{digest}  {archive.name}\n", encoding="ascii")
    return digest


def write_lock_file(path: Path, text: str) -> None:
    """Write a small file, all at once.

    Raises:  as `write_archive`.
    """
    with _replace_at_end(path) as draft:
        draft.write_text(text, encoding="utf-8")


def compute_file_digest(path: Path) -> str:
    """The sha256 of a file."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK_BYTES):
            digest.update(block)
    return digest.hexdigest()


def refuse_changed_archives(archives: str) -> None:
    """Refuse an archive that is another than the file beside it says; one without such a file may be anybody's.

    `archives`: as Spark's setting spark.archives lists them.

    Raises:  ConfigError.
    """
    for entry in archives.split(","):
        address = urlsplit(entry.strip())
        file = Path(unquote(address.path))
        beside = file.with_name(file.name + DIGEST_SUFFIX) if file.name else file
        if address.scheme in ("", "file") and file.is_file() and beside.is_file():
            told = beside.read_text(encoding="ascii", errors="replace").partition(" ")[0]
            if compute_file_digest(file) != told:
                raise ConfigError(
                    f"{file} was changed after it was packed: its sha256 is another than {beside.name} says",
                    "the archive as it was packed",
                    "pack it again: sparkscore pack_env",
                )


def _sorted_paths(folder: Path) -> Iterator[Path]:
    """All files, links and folders; without bytecode, which holds times."""
    for path in sorted(folder.rglob("*")):
        if "__pycache__" not in path.relative_to(folder).parts:
            yield path


def _add_path(entries: tarfile.TarFile, path: Path, name: str) -> None:
    entry = entries.gettarinfo(str(path), name)
    if entry.islnk():  # two names of one file: each is packed by itself
        entry.type, entry.linkname, entry.size = tarfile.REGTYPE, "", path.stat().st_size
    entry.mtime, entry.uid, entry.gid, entry.uname, entry.gname = 0, 0, 0, "", ""
    is_program = entry.isdir() or entry.issym() or bool(path.stat().st_mode & 0o111)
    entry.mode = 0o755 if is_program else 0o644
    if entry.isreg():
        with path.open("rb") as content:
            entries.addfile(entry, content)
    else:
        entries.addfile(entry)


@contextmanager
def _replace_at_end(target: Path) -> Iterator[Path]:
    """A file beside the target that takes its place when the block ends well."""
    draft: Path | None = None
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
        os.close(descriptor)
        draft = Path(name)
        yield draft
        draft.chmod(0o644)
        draft.replace(target)
    except OSError as error:
        kind = TemporaryError if is_disk_full(error) else ConfigError
        raise kind(
            f"{target} cannot be written: {error.strerror or type(error).__name__}",
            "a folder with space that can be written",
            "name another with --archive",
        ) from error
    finally:
        if draft is not None:
            draft.unlink(missing_ok=True)
