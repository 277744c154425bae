"""What the commits of a Delta table between two versions say: which files hold the rows that they added and removed.

By Delta's protocol a commit's change is in its change data files where it has some, else in the files that it adds and
removes. So tables with a change data feed and without one, and tables that got one in between, are read alike.
"""

import io
import json
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Literal

import pyarrow as pa

from sparkscore.errors import ScanUnsupported, VersionGone
from sparkscore.records import TableLocation
from sparkscore.store.log_replay import log_file_key, to_logged_files
from sparkscore.store.table_location import LOG_FOLDER

_READERS = 16
ChangeKind = Literal["added", "removed", "feed"]
"""Whether all rows of a file count as added, as removed, or each row says so itself (change data)."""


@dataclass(frozen=True, slots=True)
class ChangeFiles:
    """The files of one commit, or of one kind of it."""

    version: int
    kind: ChangeKind
    files: pa.Table
    """Of `log_replay.LOGGED_FILES`."""


def list_change_files(
    location: TableLocation, since: int, until: int, *, follows_rewrites: bool = False
) -> list[ChangeFiles]:
    """The files whose rows, added up, are the difference of two versions; oldest first. What comes and goes within the
    range is left out, as is what commits only rewrite (OPTIMIZE): new rows are read from the files that brought them.

    `follows_rewrites`: they are read from the files that hold them at the end, which VACUUM leaves.

    Jobs:    none; reads the commits of the range, whatever the size of the table.
    Raises:  VersionGone where a commit is missing; ScanUnsupported where the log does not say enough of a file;
             OSError, ValueError.
    """
    net, versions = _NetFiles(follows_rewrites), range(since + 1, until + 1)
    with ThreadPoolExecutor(_READERS) as pool:  # a store far away takes as long for one as for many
        found = pool.map(partial(_read_commit_actions, location, since=since, until=until), versions)
        for version, actions in zip(versions, found, strict=True):
            net.apply(version, actions)
    return list(net.collect())


def _read_commit_actions(location: TableLocation, version: int, *, since: int, until: int) -> list[dict[str, Any]]:
    path = f"{location.root}/{LOG_FOLDER}/{version:020}.json"
    try:
        with location.files.open_input_stream(path) as stream:
            return [json.loads(line) for line in io.BufferedReader(stream) if line.strip()]
    except FileNotFoundError:
        raise VersionGone(
            f"the log of the source no longer holds the commit of version {version}: what changed after version"
            f" {since}, up to version {until}, is not known",
            "all commits since the last publication: delta.logRetentionDuration is longer than the time between runs",
        ) from None


@dataclass
class _NetFiles:
    """How often each file counts by now: +1 added, -1 removed."""

    follows_rewrites: bool
    counts: dict[str, int] = field(default_factory=dict)
    actions: dict[str, tuple[int, Mapping[str, Any]]] = field(default_factory=dict)
    rewrites: list[tuple[frozenset[str], frozenset[str]]] = field(default_factory=list)
    feeds: list[ChangeFiles] = field(default_factory=list)

    def apply(self, version: int, actions: Sequence[Mapping[str, Any]]) -> None:
        adds = [action["add"] for action in actions if action.get("add")]
        removes = [action["remove"] for action in actions if action.get("remove")]
        feed = [action["cdc"] for action in actions if action.get("cdc")]
        if feed:
            self.feeds.append(ChangeFiles(version, "feed", _to_files(feed)))
            return
        if not any(one.get("dataChange", True) for one in (*adds, *removes)):
            if not removes or not self.follows_rewrites:  # the first: files that are there get other statistics or tags
                return
            self.rewrites.append((frozenset(map(log_file_key, adds)), frozenset(map(log_file_key, removes))))
        for one, count in (*((one, -1) for one in removes), *((one, 1) for one in adds)):
            key = log_file_key(one)
            self.counts[key] = self.counts.get(key, 0) + count
            self.actions[key] = (version, one)

    def collect(self) -> Iterator[ChangeFiles]:
        for adds, removes in self.rewrites:
            if all(self.counts[key] == 1 for key in adds) and all(self.counts[key] == -1 for key in removes):
                self.counts.update(dict.fromkeys((*adds, *removes), 0))
        found = list(self.feeds)
        kinds: tuple[tuple[ChangeKind, int], ...] = (("removed", -1), ("added", 1))
        for kind, count in kinds:
            by_version: dict[int, list[Mapping[str, Any]]] = {}
            for key, (version, action) in self.actions.items():
                if self.counts[key] * count > 0:
                    by_version.setdefault(version, []).append(action)
            found += [ChangeFiles(version, kind, _to_files(actions)) for version, actions in by_version.items()]
        yield from sorted(found, key=lambda one: one.version)


def _to_files(actions: Sequence[Mapping[str, Any]]) -> pa.Table:
    if any(action.get("partitionValues") is None or action.get("size") is None for action in actions):
        raise ScanUnsupported("the log says neither size nor partition of a file that was removed", "both")
    return to_logged_files(actions)
