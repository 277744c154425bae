"""A Delta log read without deltalake: one version's files with their deletion vectors, and what it says of the table.

For tables of features whose files deltalake does not tell: it gives no descriptors of deletion vectors, and misses
files of v2 checkpoints.
"""

import io
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pyarrow import fs

from sparkscore.errors import ScanUnsupported
from sparkscore.records import TableLocation
from sparkscore.store.table_location import LOG_FOLDER

_SIDECAR_FOLDER = "_sidecars"
_COMMIT_NAME = re.compile(r"(\d{20})\.json")
_CHECKPOINT_NAME = re.compile(
    r"(\d{20})\.checkpoint(?:\.(?P<part>\d{10})\.(?P<parts>\d{10})|\.[0-9a-f-]{36})?\.(?:parquet|json)"
)
_TABLE_ACTIONS = ("protocol", "metaData")
LOGGED_FILES = pa.schema(
    [
        ("path", pa.string()),
        ("size", pa.int64()),
        ("partitionValues", pa.map_(pa.string(), pa.string())),
        ("stats", pa.string()),
        (
            "deletionVector",
            pa.struct(
                [
                    ("storageType", pa.string()),
                    ("pathOrInlineDv", pa.string()),
                    ("offset", pa.int32()),
                    ("sizeInBytes", pa.int32()),
                    ("cardinality", pa.int64()),
                ]
            ),
        ),
    ]
)
"""Of each add action, as the log has it."""


@dataclass(frozen=True, slots=True)
class ReplayedLog:
    """One version of a table by its log."""

    protocol: Mapping[str, Any]
    metadata: Mapping[str, Any]
    files: pa.Table
    """Of `LOGGED_FILES`, by path."""


def replay_log(location: TableLocation, version: int) -> ReplayedLog:
    """What the log says of a version: its newest complete checkpoint, and the commits after it.

    Jobs:    none; lists the log's folder, and reads the files of the log that it needs.
    Runs on: driver. Holds the add actions, some 500 bytes per file.
    Raises:  ScanUnsupported where something is missing; OSError, ValueError, ArrowException.
    """
    return _Replay(location.files, f"{location.root}/{LOG_FOLDER}").run(version)


@dataclass
class _Replay:
    """Reads from the newest action to the oldest: the first one of a file or of the table counts."""

    storage: fs.FileSystem
    folder: str
    table: dict[str, Any] = field(default_factory=dict)
    seen: set[str] = field(default_factory=set)
    """Files of which a newer action was read."""

    def run(self, version: int) -> ReplayedLog:
        names = sorted(one.base_name for one in self.storage.get_file_info(fs.FileSelector(self.folder)))
        checkpoint, parts = _find_checkpoint(names, version)
        commits = {int(found[1]) for found in map(_COMMIT_NAME.fullmatch, names) if found}
        needed = range(version, checkpoint, -1)
        missing = [number for number in needed if number not in commits]
        if missing:
            raise ScanUnsupported(f"the table's log lacks the commit {missing[0]}", "its commits after a checkpoint")
        files = [self._read_commit(f"{self.folder}/{number:020}.json") for number in needed]
        files += [self._take_unseen(adds) for part in parts for adds in self._read_checkpoint(part)]
        if any(name not in self.table for name in _TABLE_ACTIONS):
            raise ScanUnsupported("the table's log has no metadata or protocol", "both")
        found = pa.concat_tables([LOGGED_FILES.empty_table(), *files]).sort_by("path")
        if pc.count_distinct(found["path"]).as_py() != len(found):
            raise ScanUnsupported("the table's log names a file twice", "each file once")
        return ReplayedLog(self.table["protocol"], self.table["metaData"], found)

    def _read_commit(self, path: str) -> pa.Table:
        with self.storage.open_input_stream(path) as stream:
            actions = list(_parse_actions(io.BufferedReader(stream)))
        adds = [action["add"] for action in actions if action.get("add")]
        found = [add for add in adds if log_file_key(add) not in self.seen]
        self.seen |= {
            log_file_key(action[kind]) for action in actions for kind in ("add", "remove") if action.get(kind)
        }
        self._keep_table_actions(actions)
        return to_logged_files(found)

    def _read_checkpoint(self, name: str) -> Iterator[pa.Table]:
        """The add actions of a file of a checkpoint, and of the sidecars that it names."""
        path = f"{self.folder}/{name}"
        if name.endswith(".json"):
            with self.storage.open_input_stream(path) as stream:
                actions = list(_parse_actions(io.BufferedReader(stream)))
            yield to_logged_files([action["add"] for action in actions if action.get("add")])
        else:
            yield _read_adds(self.storage, path)
            actions = _read_rows(self.storage, path, [*_TABLE_ACTIONS, "sidecar"])
        self._keep_table_actions(actions)
        for sidecar in (action["sidecar"] for action in actions if action.get("sidecar")):
            place = sidecar["path"]
            if "/" in place:
                raise ScanUnsupported(
                    "a checkpoint has parts outside of the table's log", f"parts in {_SIDECAR_FOLDER}"
                )
            yield _read_adds(self.storage, f"{self.folder}/{_SIDECAR_FOLDER}/{place}")

    def _keep_table_actions(self, actions: Iterable[Mapping[str, Any]]) -> None:
        for action in actions:
            for name in _TABLE_ACTIONS:
                if action.get(name) and name not in self.table:
                    self.table[name] = action[name]

    def _take_unseen(self, adds: pa.Table) -> pa.Table:
        if not self.seen or not len(adds):
            return adds
        touched = {key.partition("\n")[0] for key in self.seen}
        paths = pc.is_in(adds["path"], pa.array(sorted(touched), pa.string())).to_pylist()
        keys = adds.select(["path", "deletionVector"])
        kept = [
            not is_touched or log_file_key(keys.slice(row, 1).to_pylist()[0]) not in self.seen
            for row, is_touched in enumerate(paths)
        ]
        return adds.filter(pa.array(kept, pa.bool_()))


def _find_checkpoint(names: Sequence[str], version: int) -> tuple[int, list[str]]:
    """The newest complete checkpoint that is not newer than the version, and its files; -1 where there is none."""
    found: dict[tuple[int, int], list[str]] = {}
    for name in names:
        match = _CHECKPOINT_NAME.fullmatch(name)
        if match and int(match[1]) <= version:
            parts = int(match["parts"] or 1)
            found.setdefault((int(match[1]), parts), []).append(name)
    whole = {key: files if key[1] > 1 else files[:1] for key, files in found.items() if len(files) >= key[1]}
    newest = max(whole, default=(-1, 0))
    return newest[0], whole.get(newest, [])


def _parse_actions(lines: Iterable[bytes]) -> Iterator[dict[str, Any]]:
    for line in lines:
        if line.strip():
            action = json.loads(line)
            if action.keys() & {"add", "remove", "sidecar", *_TABLE_ACTIONS}:
                yield action


def log_file_key(action: Mapping[str, Any]) -> str:
    """What identifies a file in a log: its path and its deletion vector."""
    vector = action.get("deletionVector")
    if vector is None:
        return f"{action['path']}\n"
    return f"{action['path']}\n{vector['storageType']}{vector['pathOrInlineDv']}@{vector.get('offset')}"


def to_logged_files(adds: Sequence[Mapping[str, Any]]) -> pa.Table:
    """Actions of the log that name files as a table of `LOGGED_FILES`."""
    rows = [
        {**{name: add.get(name) for name in LOGGED_FILES.names}, "partitionValues": [*add["partitionValues"].items()]}
        for add in adds
    ]
    return pa.Table.from_pylist(rows, LOGGED_FILES)


def _read_rows(storage: fs.FileSystem, path: str, columns: Sequence[str]) -> list[dict[str, Any]]:
    """The rows of a checkpoint that have one of the columns."""
    with storage.open_input_file(path) as stream, pq.ParquetFile(stream) as file:
        present = [name for name in columns if name in file.schema_arrow.names]
        table = file.read(columns=present)
    has_any = pa.array([False] * len(table))
    for name in present:
        has_any = pc.or_(has_any, table[name].is_valid())
    rows: list[dict[str, Any]] = table.filter(has_any).to_pylist(maps_as_pydicts="strict")
    return rows


def _read_adds(storage: fs.FileSystem, path: str) -> pa.Table:
    """The add actions of a checkpoint's file."""
    with storage.open_input_file(path) as stream, pq.ParquetFile(stream) as file:
        if "add" not in file.schema_arrow.names:
            return LOGGED_FILES.empty_table()
        inner = {field.name for field in file.schema_arrow.field("add").type}
        wanted = [f"add.{name}" for name in LOGGED_FILES.names if name in inner]
        adds = pa.concat_arrays(file.read(columns=wanted)["add"].chunks)
    adds = adds.filter(adds.is_valid())
    names = [one.name for one in adds.type]
    columns = [
        adds.field(names.index(one.name)).cast(one.type) if one.name in names else pa.nulls(len(adds), one.type)
        for one in LOGGED_FILES
    ]
    return pa.table(columns, schema=LOGGED_FILES)
