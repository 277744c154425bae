"""Versions of a table that can no longer be read: their log was cleaned up, or VACUUM has removed their files."""

import json
import re
from bisect import bisect_left
from collections.abc import Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import accumulate, chain
from urllib.parse import unquote, urlsplit

from pyarrow import fs

from sparkscore.errors import VersionGone
from sparkscore.store.table import Table
from sparkscore.store.table_location import LOG_FOLDER
from sparkscore.store.table_log import TableLog

_LOG_FILE = re.compile(r"(?P<version>\d{20})\.(?P<kind>json|checkpoint\..+)")
_READERS = 32
LOG_IS_GONE = "the log of that version was cleaned up"
FILES_ARE_GONE = "VACUUM has removed files of that version"


@dataclass(frozen=True, slots=True)
class _RemovedFile:
    """A data file that versions from `added` to before `removed` need."""

    path: str
    added: int
    removed: int


def find_lost_versions(table: Table, versions: Collection[int]) -> Mapping[int, str]:
    """Which of these versions can no longer be read, each with the reason.

    By the log alone where deltalake reads it: what was removed since, and is not there any more, is missing in the
    versions before. Elsewhere Spark is asked for each version; whether its files are still there shows when it is read.

    Jobs:    none; small ones of Delta over the log, where only Spark reads it.
    Raises:  TableNotFound, AccessDenied.
    """
    if not versions:
        return {}
    found = table.ask_log(partial(_find_by_log, versions=versions))
    return _find_by_spark(table, versions) if found is None else found


def _find_by_log(log: TableLog, versions: Collection[int]) -> Mapping[int, str]:
    newest = log.load_newest_version()
    first = _find_first_readable_version(log, newest)
    kept = sorted(version for version in versions if version >= first)
    lost = dict.fromkeys((version for version in versions if version < first), LOG_IS_GONE)
    gone = _find_missing_files(log, range(kept[0] + 1, newest + 1)) if kept else []
    return lost | dict.fromkeys(_select_versions_that_need(gone, kept), FILES_ARE_GONE)


def _select_versions_that_need(files: Collection[_RemovedFile], versions: Sequence[int]) -> list[int]:
    """Needs:   versions in ascending order."""
    steps = [0] * (len(versions) + 1)
    for file in files:
        steps[bisect_left(versions, file.added)] += 1
        steps[bisect_left(versions, file.removed)] -= 1
    return [version for version, needed in zip(versions, accumulate(steps), strict=False) if needed]


def _find_first_readable_version(log: TableLog, newest: int) -> int:
    """Delta reads a version from the checkpoint before it and all commits since, or from all commits."""
    folder = fs.FileSelector(f"{log.location.root}/{LOG_FOLDER}")
    names = (_LOG_FILE.fullmatch(one.base_name) for one in log.location.files.get_file_info(folder))
    listed = [(int(name["version"]), name["kind"]) for name in names if name is not None]
    commits = {version for version, kind in listed if kind == "json"}
    first = newest
    while first - 1 in commits:
        first -= 1
    return 0 if first == 0 else min((version for version, kind in listed if kind != "json" and version >= first - 1))


def _find_missing_files(log: TableLog, commits: range) -> list[_RemovedFile]:
    """The files that these commits have removed and that are no longer there."""
    with ThreadPoolExecutor(_READERS) as pool:
        actions = list(chain.from_iterable(pool.map(partial(_read_file_actions, log), commits)))
    added = {path: version for kind, path, version in actions if kind == "add"}
    removed = [_RemovedFile(path, added.get(path, 0), version) for kind, path, version in actions if kind == "remove"]
    own = [file for file in removed if not urlsplit(file.path).scheme and not file.path.startswith("/")]
    found = log.location.files.get_file_info([f"{log.location.root}/{file.path}" for file in own])
    return [file for file, one in zip(own, found, strict=True) if one.type is fs.FileType.NotFound]


def _read_file_actions(log: TableLog, version: int) -> list[tuple[str, str, int]]:
    """Which files a commit has added and removed: kind, path, version."""
    with log.location.files.open_input_stream(f"{log.location.root}/{LOG_FOLDER}/{version:020}.json") as file:
        return list(_parse_file_actions(file.read().splitlines(), version))


def _parse_file_actions(lines: Collection[bytes], version: int) -> Iterator[tuple[str, str, int]]:
    for line in lines:
        if line.startswith((b'{"add"', b'{"remove"')):
            for kind, action in json.loads(line).items():
                yield kind, unquote(action["path"]), version


def _find_by_spark(table: Table, versions: Collection[int]) -> Mapping[int, str]:
    lost: dict[int, str] = {}
    for version in sorted(versions):
        try:
            table.load_rows(version).schema  # noqa: B018  Connect asks for the version now
        except VersionGone:
            lost[version] = LOG_IS_GONE
    return lost
