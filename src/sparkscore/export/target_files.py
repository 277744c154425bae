"""The files of a folder to which is exported, on the machine or in an object store."""

import fcntl
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any
from uuid import uuid4

from pyarrow import fs

from sparkscore.errors import ExportFailed, is_disk_full
from sparkscore.records import TableLocation
from sparkscore.redaction.secret_patterns import shorten_redacted
from sparkscore.whole_files import place_new_file


class TargetFiles:
    """Paths are relative to the folder. A file that is replaced is the old or the new one for each reader."""

    def __init__(self, location: TableLocation) -> None:
        self._root, self._files = location.root, location.files
        self._is_local = location.filesystem is None

    def path(self, name: str) -> str:
        """As pyarrow names it."""
        return f"{self._root}/{name}"

    def open_output(self, name: str) -> Any:
        """A new file to write; its folders are made."""
        if self._is_local:
            Path(self.path(name)).parent.mkdir(parents=True, exist_ok=True)
        return self._files.open_output_stream(self.path(name))

    def exists(self, name: str) -> bool:
        """Whether a file or a folder of this name is there."""
        return bool(self._files.get_file_info(self.path(name)).type != fs.FileType.NotFound)

    def size_of(self, name: str) -> int:
        """Bytes of a file."""
        found = self._files.get_file_info(self.path(name))
        if found.size is None:
            raise FileNotFoundError(f"{self.path(name)} is gone")
        return int(found.size)

    def list_names(self, folder: str) -> list[str]:
        """What lies in a folder; nothing if it is absent."""
        found = self._files.get_file_info(fs.FileSelector(self.path(folder), allow_not_found=True))
        return [one.base_name for one in found]

    def remove_folder(self, folder: str) -> None:
        """Remove a folder with its files, as far as that is possible: what is left is in nobody's way."""
        with suppress(OSError):
            self._files.delete_dir(self.path(folder))

    def read_json(self, name: str) -> Mapping[str, Any] | None:
        """A file's mapping; None where there is no such file.

        Raises:  ExportFailed for a file that is none of an export's.
        """
        try:
            with self._files.open_input_stream(self.path(name)) as file:
                content = json.loads(file.read())
        except FileNotFoundError:
            return None
        except ValueError:
            content = None
        if isinstance(content, dict):
            return content
        raise ExportFailed(
            f"{self.path(name)} is not what an export writes", "a JSON object", "remove the file, or name another path"
        )

    def replace_json(self, name: str, content: Mapping[str, Any]) -> None:
        """Write a file at once."""
        encoded = json.dumps(content, indent=1).encode()
        if self._is_local:
            file = Path(self.path(name))
            _write_beside(file, encoded).replace(file)
        else:
            with self._files.open_output_stream(self.path(name)) as stream:
                stream.write(encoded)

    def create_json(self, name: str, content: Mapping[str, Any]) -> bool:
        """Write a file unless it is there; whether it was not. Object stores cannot tell: the later one wins."""
        if not self._is_local:
            self.replace_json(name, content)
            return True
        file = Path(self.path(name))
        whole = _write_beside(file, json.dumps(content).encode())
        try:
            return place_new_file(whole, file)
        finally:
            whole.unlink(missing_ok=True)

    @contextmanager
    def lock(self, name: str) -> Iterator[None]:
        """A block that one process of the machine enters at a time; object stores have no such thing."""
        if not self._is_local:
            yield
            return
        with Path(self.path(name)).open("a") as file:
            _wait_for_lock(file)
            yield


def _write_beside(file: Path, content: bytes) -> Path:
    """A file of another name in the same folder, written whole."""
    file.parent.mkdir(parents=True, exist_ok=True)
    other = file.with_name(f".{file.name}.{uuid4().hex}.tmp")
    other.write_bytes(content)
    return other


def _wait_for_lock(file: IO[str]) -> None:
    with suppress(OSError):  # a file system without locks: as an object store
        fcntl.flock(file, fcntl.LOCK_EX)


@contextmanager
def translate_file_errors(folder: str) -> Iterator[None]:
    """Turn failures of a folder's storage into errors that name it."""
    try:
        yield
    except OSError as error:
        reason = "no space left" if is_disk_full(error) else shorten_redacted(str(error).partition("\n")[0], 300)
        raise ExportFailed(
            f"cannot write to {folder}: {reason}", "a folder to write to", "check its owner, its mode and the space"
        ) from error
