"""Folders that a client of Spark Connect reaches itself, without a JVM: on its own machine where the server is there,
too, and on stores that pyarrow reaches by their address. Links are never followed."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from pyarrow import fs
from pyspark.sql import SparkSession

from sparkscore.errors import AccessDenied, ConfigError, ScanUnsupported, UnsupportedSession
from sparkscore.records import TableRef
from sparkscore.store.table_location import locate_table

_LOG = "_delta_log"


class ClientFolder(NamedTuple):
    """A folder as this process reaches it."""

    files: fs.FileSystem
    root: str
    is_local: bool

    @classmethod
    def find(cls, spark: SparkSession, folder: str) -> "ClientFolder":
        """Where the folder lies.

        Raises:  UnsupportedSession where only the server reaches it.
        """
        try:
            location = locate_table(spark, TableRef(folder, folder))
        except ScanUnsupported as error:
            raise UnsupportedSession(
                f"a client of Spark Connect does not reach the files of {folder}: {error.found}",
                "files that the client reaches, too: on its own machine with the server on it, or on S3",
                "run this on the machine of the server, or by spark-submit; or move the folder to S3",
            ) from error
        root = location.root.rstrip("/")
        local = location.filesystem is None
        return cls(fs.LocalFileSystem() if local else location.filesystem, root, local)

    @property
    def is_link(self) -> bool:
        """Whether it is a link."""
        return self.is_local and Path(self.root).is_symlink()

    def list_entries(self) -> list[fs.FileInfo]:
        """What lies in it, without links; nothing where it is absent."""
        found = self.files.get_file_info(fs.FileSelector(self.root, allow_not_found=True))
        return [one for one in found if not (self.is_local and Path(one.path).is_symlink())]

    def list_folders(self) -> list[str]:
        """The names of the folders in it."""
        return sorted(one.base_name for one in self.list_entries() if one.type == fs.FileType.Directory)

    def list_sizes(self) -> dict[str, int]:
        """Bytes per file in it."""
        return {one.base_name: int(one.size) for one in self.list_entries() if one.is_file}

    def measure(self) -> tuple[int, datetime]:
        """Bytes of all files at every depth, and when the newest was written; of an empty folder, the folder itself."""
        found = list(self.walk_files())
        newest = max((one.mtime for one in found if one.mtime), default=self._own_time())
        return sum(int(one.size) for one in found), newest.astimezone(UTC)

    def remove_below(self, root: "ClientFolder") -> None:
        """Remove it with what is in it: its log first, so that a half-removed folder is no table.

        Raises:  ConfigError for a folder that is not below the root, or behind a link there.
        """
        self._require_below(root.root)
        for path in (f"{self.root}/{_LOG}", self.root):
            if self.is_local:
                shutil.rmtree(path, ignore_errors=True)
            else:
                self.files.delete_dir(path)
        if self.files.get_file_info(self.root).type != fs.FileType.NotFound:
            raise AccessDenied(
                f"{self.root} could not be removed", "a folder that may be removed", "check its owner and mode"
            )

    def remove_if_empty(self) -> bool:
        """Remove it where nothing is in it but empty folders and hidden files; whether it is gone."""
        if self.is_link or any(name for name in self.list_sizes() if not name.startswith(".")):
            return False
        if not self.is_local:
            self.files.delete_dir(self.root)
            return True
        for entry in list(Path(self.root).iterdir()):
            with suppress(OSError):  # a folder that holds something
                entry.rmdir() if entry.is_dir() else entry.unlink()
        with suppress(OSError):
            Path(self.root).rmdir()
        return not Path(self.root).exists()

    def walk_files(self) -> Iterator[fs.FileInfo]:
        """The files at every depth."""
        for one in self.list_entries():
            if one.type == fs.FileType.Directory:
                yield from self._replace(root=one.path).walk_files()
            elif one.is_file:
                yield one

    def _own_time(self) -> datetime:
        own = self.files.get_file_info(self.root)
        return own.mtime or datetime.now(UTC)

    def _require_below(self, root: str) -> None:
        own, above = Path(os.path.normpath(self.root)), Path(os.path.normpath(root))
        steps = [own, *own.parents][: len(own.parts) - len(above.parts)]
        linked = self.is_local and any(step.is_symlink() for step in steps)
        if above not in own.parents or linked:
            raise ConfigError(
                f"{self.root} is not below {root}, or there is a link between them",
                "a folder below the folder of stages",
                "check what the folder holds, and remove it by hand",
            )


@contextmanager
def name_denied_folder(folder: str, what: str) -> Iterator[None]:
    """Turn what the system refuses inside the block into the suite's own error."""
    try:
        yield
    except PermissionError as error:
        raise AccessDenied(
            f"no access while {what} {folder}", "a folder to work in", "check its owner and mode"
        ) from error


def write_client_file(spark: SparkSession, file: str, content: bytes) -> None:
    """Write a whole file on a store, at once.

    Raises:  UnsupportedSession where only the server reaches it.
    """
    place = ClientFolder.find(spark, file)
    with place.files.open_output_stream(place.root) as stream:
        stream.write(content)
