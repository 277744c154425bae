"""Reads files below one folder, by paths that rows hold: nothing outside of it, whatever a path says. Runs on
executors, in several threads.
"""

import os
import stat
from dataclasses import dataclass
from pathlib import Path

from pyarrow import fs

from sparkscore.records.model_files import ModelFiles
from sparkscore.workloads.images.image_decoding import BrokenImageError

MAX_FILE_BYTES = 256 << 20
_SAME_STORE = {"s3": "s3", "s3a": "s3", "s3n": "s3", "abfs": "abfs", "abfss": "abfs", "gs": "gs", "file": "", "": ""}
"""Schemes that name one store, by the name that stands for them."""
_OPEN_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


@dataclass(frozen=True, slots=True)
class FileFolder:
    """The folder that may be read."""

    files: ModelFiles
    max_bytes: int = MAX_FILE_BYTES
    """Larger files are rejected before they are read."""

    def require_folder(self) -> None:
        """Refuse a folder that is not there: else every row would be rejected.

        Raises:  FileNotFoundError.
        """
        system = self.files.filesystem or fs.LocalFileSystem()
        if system.get_file_info(self.files.root).type != fs.FileType.Directory:
            raise FileNotFoundError(f"model.files names no folder that is there: {self.files.uri}")

    @property
    def is_remote(self) -> bool:
        """Whether reading is mostly waiting."""
        return self.files.filesystem is not None

    def read_file(self, path: str) -> bytes:
        """The content of the file at a path: below the folder, or absolute and in it.

        Raises:  BrokenImageError with `path_outside_root` for a path that leaves the folder (by `..`, by a link, by
                 another scheme or bucket); `file_missing`, `file_denied`, `file_too_large`; OSError where the store
                 does not answer.
        """
        inside = self._to_inner_path(path)
        try:
            if self.files.filesystem is None:
                return self._read_local(inside)
            return self._read_remote(self.files.filesystem, inside)
        except FileNotFoundError:
            raise BrokenImageError("file_missing", "no file has this path") from None
        except (PermissionError, IsADirectoryError, NotADirectoryError):
            raise BrokenImageError("file_denied", "this is no file that may be read") from None
        except OSError as error:
            if "ACCESS_DENIED" in str(error):
                raise BrokenImageError("file_denied", "this is no file that may be read") from None
            raise

    def _to_inner_path(self, path: str) -> str:
        """The path from the folder on."""
        own, found = _split_uri(self.files.uri), _split_uri(path)
        if "\0" in path or ".." in found[2].split("/"):
            raise _outside_error()
        if not found[0] and not found[2].startswith("/"):
            inside = found[2]
        else:
            if _SAME_STORE.get(found[0], found[0]) != _SAME_STORE.get(own[0], own[0]) or found[1] != own[1]:
                raise _outside_error()
            root = own[2].rstrip("/")
            if not found[2].startswith(f"{root}/"):
                raise _outside_error()
            inside = found[2][len(root) :]
        inside = inside.strip("/")
        if not inside:
            raise BrokenImageError("file_missing", "no file has this path")
        return inside

    def _read_local(self, inside: str) -> bytes:
        root = os.path.realpath(self.files.root)
        real = os.path.realpath(Path(root, inside))
        if not real.startswith(f"{root.rstrip('/')}/"):
            raise _outside_error()
        descriptor = os.open(real, _OPEN_FLAGS)
        try:
            found = os.fstat(descriptor)
            if not stat.S_ISREG(found.st_mode):  # a pipe would never end
                raise BrokenImageError("file_denied", "this is no file that may be read")
            # a folder on the way may have become a link since
            if os.path.realpath(f"/proc/self/fd/{descriptor}") != real:
                raise _outside_error()
            self._refuse_large(found.st_size)
            with os.fdopen(descriptor, "rb", closefd=False) as file:
                return file.read(self.max_bytes + 1)
        finally:
            os.close(descriptor)

    def _read_remote(self, system: fs.FileSystem, inside: str) -> bytes:
        with system.open_input_file(f"{self.files.root.rstrip('/')}/{inside}") as file:
            self._refuse_large(file.size())
            content: bytes = file.read()
            return content

    def _refuse_large(self, size: int) -> None:
        if size > self.max_bytes:
            raise BrokenImageError("file_too_large", f"{size:,} bytes; {self.max_bytes:,} are allowed")


def _split_uri(path: str) -> tuple[str, str, str]:
    """Scheme, authority and path, literally: names may hold ? and #."""
    scheme, separator, rest = path.partition(":")
    if not separator or not scheme[:1].isalpha() or not scheme.replace("+", "").isalnum():
        return "", "", path
    if rest.startswith("//"):
        authority, _, inner = rest[2:].partition("/")
        return scheme.lower(), authority, f"/{inner}"
    return scheme.lower(), "", rest


def _outside_error() -> BrokenImageError:
    return BrokenImageError("path_outside_root", "the path leaves the folder of model.files")
