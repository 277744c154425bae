"""What the Delta log of a table says, read by deltalake and pyarrow where that is certain to be what Spark says."""

import io
import json
import re
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import PurePosixPath
from threading import RLock
from typing import Any
from urllib.parse import unquote, urlsplit

import pyarrow as pa
import pyarrow.compute as pc
from deltalake import DeltaTable
from deltalake.exceptions import DeltaError, TableNotFoundError
from pyarrow import fs

from sparkscore.errors import ScanUnsupported, TableNotFound
from sparkscore.records import TableLocation
from sparkscore.store.log_metadata import LogMetadata, refuse_unsure_protocol
from sparkscore.store.table_location import LOG_FOLDER, open_deltalake_table

_COMMIT_FILE = re.compile(r"(\d{20})\.json")
_FIRST_ALONE = 8
"""Commits that are read one after the other before the rest is read at once: what is looked for is mostly new."""
_READERS = 32
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

FileFilter = Callable[[pa.Table], Any]
"""Which add actions to keep: a mask."""


class TableLog:
    """A table's log, opened at the first question, and once. Each later question looks first for newer commits.

    Looking costs two requests: a newer commit is the next number, and whoever has made the table anew has written
    other commits. What commits say is kept.

    Raises:  TableNotFound where certainly no table is; ScanUnsupported, DeltaError and OSError where Spark has to be
             asked.
    """

    def __init__(self, location: TableLocation) -> None:
        self.location, self._files = location, location.files
        self._table: DeltaTable | None = None
        self._pinned: DeltaTable | None = None
        self._mark: tuple[object, ...] = ()
        self._notes: dict[int, str | None] = {}
        self._lock = RLock()

    @contextmanager
    def stay_at_version(self) -> Iterator[None]:
        """A block in which no other thread moves the table on: a commit follows what the block has read."""
        with self._lock:
            yield

    @property
    def is_open(self) -> bool:
        """Whether the last question could open it."""
        return self._table is not None

    def load_metadata(self) -> LogMetadata:
        """What the newest version says about the table itself."""
        return LogMetadata.of(self._catch_up())

    def load_newest_version(self) -> int:
        """The newest version."""
        return self._catch_up().version()

    def open_version(self, version: int) -> DeltaTable:
        """The table at a version. Needs to be asked for again after other questions: they may move it on."""
        newest = self._catch_up()
        if newest.version() == version:
            return newest
        if self._pinned is None or self._pinned.version() != version:
            self._pinned = _open_sure_table(self.location, version)
        return self._pinned

    def list_newest_files(self, keep: FileFilter | None = None) -> pa.Table:
        """The data files of the newest version: `list_data_files`."""
        return list_data_files(self._catch_up(), keep)

    def iterate_user_metadata(self) -> Iterator[tuple[int, str | None]]:
        """Version and `userMetadata` of each commit, newest first, as far as the log holds them. Reads as it goes."""
        newest = self._catch_up().version()
        for version in range(newest, -1, -1):
            with suppress(FileNotFoundError):
                yield version, self._load_user_metadata(version)
                if self.location.filesystem is not None and newest - version == _FIRST_ALONE:
                    self._load_all_user_metadata(version)
                continue
            # cleaned up; Spark, too, skips a commit that is missing between others
            for older in reversed([found for found, _ in self._list_commits() if found < version]):
                yield older, self._load_user_metadata(older)
            return

    def list_commit_times(self) -> list[tuple[int, datetime]]:
        """When each commit was made, oldest first: by its file's time, but at least a millisecond after the one before.

        Raises:  ScanUnsupported where the table keeps its times in its commits.
        """
        table = self._catch_up()
        if table.metadata().configuration.get("delta.enableInCommitTimestamps", "false").lower() != "false":
            raise ScanUnsupported("the table keeps the times of its commits in them", "the times of its log's files")
        times: list[tuple[int, datetime]] = []
        last = -1
        for version, milliseconds in self._list_commits():
            if version <= table.version():
                last = max(milliseconds, last + 1)
                times.append((version, _EPOCH + timedelta(milliseconds=last)))
        return times

    def _catch_up(self) -> DeltaTable:
        """The newest version. The object moves on: whoever keeps it sees later versions."""
        with self._lock:
            table = self._update(self._table)
            return self._keep(_open_sure_table(self.location)) if table is None else table

    def _update(self, table: DeltaTable | None) -> DeltaTable | None:
        """The table at its newest version; None where it has to be opened, for whatever reason."""
        if table is None:
            return None
        version = table.version()
        mark, newer = self._files.get_file_info([self._commit_path(version), self._commit_path(version + 1)])
        if _file_mark(mark) != self._mark:
            self._forget()
            return None
        if newer.type is fs.FileType.NotFound:
            return table
        try:
            table.update_incremental()
            refuse_unsure_protocol(table)
        except (DeltaError, ScanUnsupported):  # opened anew, it says what is in the way
            self._forget()
            return None
        return self._keep(table)

    def _keep(self, table: DeltaTable) -> DeltaTable:
        self._table, self._mark = table, _file_mark(self._files.get_file_info(self._commit_path(table.version())))
        return table

    def _forget(self) -> None:
        self._table, self._pinned, self._mark = None, None, ()
        self._notes.clear()

    def _load_user_metadata(self, version: int) -> str | None:
        if version not in self._notes:
            with self._files.open_input_stream(self._commit_path(version)) as file:
                self._notes[version] = _find_user_metadata(io.BufferedReader(file))
        return self._notes[version]

    def _load_all_user_metadata(self, until: int) -> None:
        """Those of all commits before a version, many at once: a store far away takes as long for one as for them."""
        versions = [version for version, _ in self._list_commits() if version < until and version not in self._notes]
        with ThreadPoolExecutor(_READERS) as pool:
            list(pool.map(self._load_user_metadata, versions))

    def _list_commits(self) -> list[tuple[int, int]]:
        """Version and time in milliseconds of each commit's file, oldest first."""
        listed = self._files.get_file_info(fs.FileSelector(f"{self.location.root}/{LOG_FOLDER}"))
        found = ((_COMMIT_FILE.fullmatch(one.base_name), one.mtime_ns // 1_000_000) for one in listed)
        return sorted((int(name[1]), milliseconds) for name, milliseconds in found if name is not None)

    def _commit_path(self, version: int) -> str:
        return f"{self.location.root}/{LOG_FOLDER}/{version:020}.json"


def list_data_files(table: DeltaTable, keep: FileFilter | None = None) -> pa.Table:
    """The add actions of an opened table, by path, as they are on disk: equal tables give equal lists.

    Raises:  ScanUnsupported for files outside of the table's folder.
    """
    files = pa.table(table.get_add_actions(flatten=True))
    files = (files if keep is None else files.filter(keep(files))).sort_by("path")
    paths = [unquote(path) for path in files.column("path").to_pylist()]  # once more encoded in the log than on disk
    if any(urlsplit(path).scheme or path.startswith("/") for path in paths):
        raise ScanUnsupported("the table has files outside its folder (a shallow clone)", "files of its own")
    return files.set_column(files.schema.get_field_index("path"), "path", pa.array(paths, pa.string()))


def sum_logged_rows(files: pa.Table) -> int | None:
    """The number of rows in the log's statistics; None where a file has none. Deletion vectors are not subtracted."""
    if not len(files):
        return 0
    counts = files.column("num_records") if "num_records" in files.column_names else None
    return None if counts is None or counts.null_count else int(pc.sum(counts).as_py())


def absent_table_error(path: str) -> TableNotFound:
    """The error for a path where no Delta table is."""
    return TableNotFound(
        f"no Delta table at {path}",
        "a folder with a _delta_log",
        "check the name; a plain name means a table under the home folder",
    )


def _open_sure_table(location: TableLocation, version: int | None = None) -> DeltaTable:
    try:
        table = open_deltalake_table(location, version)
    except TableNotFoundError as error:
        if version is None and _is_surely_absent(location):
            raise absent_table_error(location.uri) from error
        raise
    refuse_unsure_protocol(table)
    return table


def _is_surely_absent(location: TableLocation) -> bool:
    """Whether nothing is there, or a folder without a log; an error where that cannot be seen.

    A folder in a table's folder is a part of that table for Spark.
    """
    files, root = location.files, PurePosixPath(location.root)
    above = [folder for folder in root.parents if folder != PurePosixPath()]  # beyond it are others' buckets
    folder, *logs = files.get_file_info([str(root), *(str(one / LOG_FOLDER) for one in (root, *above))])
    is_folder = folder.type in (fs.FileType.NotFound, fs.FileType.Directory)
    return is_folder and all(log.type is fs.FileType.NotFound for log in logs)


def _find_user_metadata(lines: Iterable[bytes]) -> str | None:
    """The `userMetadata` in the lines of a commit; None where it has none."""
    for line in lines:
        if b"commitInfo" in line:  # most lines are files, with statistics: to parse them all takes long
            info = json.loads(line).get("commitInfo")
            if info is not None:
                note = info.get("userMetadata")
                if note is not None and not isinstance(note, str):
                    raise ScanUnsupported("a commit's userMetadata is no text", "a text")
                return note
    return None


def _file_mark(file: fs.FileInfo) -> tuple[object, ...]:
    """What tells a file from another one that takes its place."""
    return file.type, file.mtime_ns, file.size
