"""The files of a change range as scans: which rows each brings or takes, without Spark where the log is sure."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import pyarrow as pa

from sparkscore.errors import ScanUnsupported, VersionGone
from sparkscore.ingest.change_reading import CHANGE_TYPE_COLUMN, SignedReader
from sparkscore.ingest.file_listing import serialize_split
from sparkscore.ingest.file_pruning import can_match_conditions
from sparkscore.ingest.file_ranges import MAX_SPLIT_BYTES, build_file_splits
from sparkscore.ingest.source_files import list_logged_files, replay_table_log
from sparkscore.ingest.split_reader import ParquetSplitReader
from sparkscore.ingest.stored_columns import FIELD_ID
from sparkscore.predicates.spark_filter import to_arrow_conditions
from sparkscore.records import ChangeRange, Snapshot
from sparkscore.store.log_changes import ChangeFiles, list_change_files
from sparkscore.store.log_replay import LOGGED_FILES, ReplayedLog
from sparkscore.store.table import Table
from sparkscore.store.table_log import TableLog


@dataclass(frozen=True, slots=True)
class ChangeScan:
    """Some files of a range, in splits, and how tasks or the driver read them."""

    splits: tuple[bytes, ...]
    reader: SignedReader
    bytes: int


def plan_change_scans(table: Table, snapshot: Snapshot, changes: ChangeRange) -> list[ChangeScan]:
    """The scans of the files whose rows make the difference of two versions, oldest first.

    Needs:   the snapshot at the end of the range, with the columns to read, and the filter of rows.
    Jobs:    none.
    Raises:  ScanUnsupported where only Spark reads the table; VersionGone where a commit or a file is gone.
    """
    log = table.log
    if log.location.is_coordinated:
        raise ScanUnsupported("a service orders the commits of the table", "a log that is all in its folder")
    described = _describe_version(log, snapshot.version)
    try:
        return _plan_scans(table, snapshot, changes, described, follows_rewrites=False)
    except VersionGone:  # files that were only rewritten since may be gone, and their rows be there
        return _plan_scans(table, snapshot, changes, described, follows_rewrites=True)


def _plan_scans(
    table: Table, snapshot: Snapshot, changes: ChangeRange, described: ReplayedLog, *, follows_rewrites: bool
) -> list[ChangeScan]:
    log = table.log
    found = list_change_files(log.location, changes.since, changes.until, follows_rewrites=follows_rewrites)
    scans = [scan for one in found if len(one.files) and (scan := _plan_scan(one, described, log, snapshot))]
    _require_files(log, scans, changes, name=table.name)
    return scans


def _describe_version(log: TableLog, version: int) -> ReplayedLog:
    """What the log says of the table at a version, without its files."""
    try:
        table = log.open_version(version)
    except Exception:  # noqa: BLE001  whatever deltalake cannot read, its log may tell
        return replace(replay_table_log(log, version), files=LOGGED_FILES.empty_table())
    metadata, protocol = table.metadata(), table.protocol()
    return ReplayedLog(
        {"minReaderVersion": protocol.min_reader_version, "readerFeatures": protocol.reader_features},
        {
            "id": str(metadata.id),
            "schemaString": table.schema().to_json(),
            "configuration": dict(metadata.configuration),
            "partitionColumns": list(metadata.partition_columns),
        },
        LOGGED_FILES.empty_table(),
    )


def _plan_scan(changed: ChangeFiles, described: ReplayedLog, log: TableLog, snapshot: Snapshot) -> ChangeScan | None:
    names = list(dict.fromkeys([*snapshot.columns, *(condition.column for condition in snapshot.where)]))
    columns = pa.schema([snapshot.schema.field(name) for name in names])
    conditions = to_arrow_conditions(snapshot.where, snapshot.schema)
    listed = list_logged_files(replace(described, files=changed.files), log, snapshot, columns)
    kept = listed.files.filter(can_match_conditions(listed.files, conditions, listed.partitions))
    if not len(kept):
        return None
    output, stored = len(snapshot.columns), listed.stored
    if changed.kind == "feed":
        if stored is not None and any(FIELD_ID in (field.metadata or {}) for field in stored):
            raise ScanUnsupported("a change data feed with columns that are mapped by id", "by name")
        own = pa.field(CHANGE_TYPE_COLUMN, pa.string())
        columns, output = columns.insert(output, own), output + 1
        stored = None if stored is None else stored.insert(output - 1, own)
    reader = ParquetSplitReader(
        log.location.root, log.location.filesystem, columns, output, listed.partitions, conditions, stored=stored
    )
    wanted = ["path", "size_bytes", *(name for name in kept.column_names if name.startswith("partition."))]
    wanted += [name for name in ("deletion_vector",) if name in kept.column_names]
    splits = build_file_splits(kept.select(wanted), MAX_SPLIT_BYTES)
    sign = {"added": 1, "removed": -1, "feed": 0}[changed.kind]
    size = sum(kept["size_bytes"].to_pylist())
    return ChangeScan(tuple(map(serialize_split, splits)), SignedReader(reader, sign, changed.version), size)


def _require_files(log: TableLog, scans: list[ChangeScan], changes: ChangeRange, *, name: str) -> None:
    """A file that is gone is told before a task looks for it."""
    paths = sorted({path for scan in scans for path in _iterate_paths(scan)})
    for one in log.location.files.get_file_info(paths):
        if not one.is_file:
            raise VersionGone(
                f"the data file {one.base_name} of {name}, which the changes {changes.description} need, is gone",
                "the files of all versions since the last publication: VACUUM keeps them for"
                " delta.deletedFileRetentionDuration",
            )


def _iterate_paths(scan: ChangeScan) -> Iterator[str]:
    reader: Any = scan.reader.reader
    for split in scan.splits:
        with pa.ipc.open_stream(split) as stream:
            for path in stream.read_all()["path"].to_pylist():
                yield path if path.startswith("/") else f"{reader.root}/{path}"
