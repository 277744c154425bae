"""The data files of a pinned version by its log, and which tables' files the scan reads. Runs on the driver."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from deltalake.exceptions import DeltaError

from sparkscore.errors import ScanUnsupported, TableNotFound
from sparkscore.ingest.arrow_conversion import is_readable_type
from sparkscore.ingest.deletion_vectors import DELETION_VECTOR_COLUMN
from sparkscore.ingest.logged_files import to_scan_files
from sparkscore.ingest.stored_columns import to_stored_column
from sparkscore.ingest.table_features import find_mapping_mode, refuse_unscanned_features
from sparkscore.records import Snapshot
from sparkscore.store.log_replay import ReplayedLog, replay_log
from sparkscore.store.table_log import TableLog, list_data_files, sum_logged_rows

_PLAIN_PARTITION_TYPES = (
    pa.types.is_string,
    pa.types.is_integer,
    pa.types.is_date,
    pa.types.is_boolean,
    pa.types.is_decimal,
)
"""Those that deltalake gives as Spark does."""
_INTEGERS = frozenset({"byte", "short", "integer", "long"})


@dataclass(frozen=True, slots=True)
class SourceFiles:
    """The data files of a version."""

    files: pa.Table
    """`path`, `size_bytes`, `num_records`, `partition.x`, statistics of the filter's columns; perhaps
    `deletion_vector`."""
    partitions: tuple[str, ...]
    """The columns whose values are in the log."""
    stored: pa.Schema | None = None
    """As data files have the columns that are read, where their names differ."""


def list_source_files(log: TableLog, snapshot: Snapshot, columns: pa.Schema) -> SourceFiles:
    """The data files of the pinned version, for reading these columns: those of the filter among them.

    By deltalake for plain tables, whose log is open already; else by the log itself.

    Jobs:    none.
    Raises:  ScanUnsupported, with the reason why Spark must read this table.
    """
    return _list_deltalake_files(log, snapshot, columns) or list_logged_files(
        replay_table_log(log, snapshot.version), log, snapshot, columns
    )


def count_live_rows(files: pa.Table) -> int | None:
    """How many rows the files have by the log, without deleted ones; None where it does not say."""
    rows = sum_logged_rows(files)
    if rows is None or DELETION_VECTOR_COLUMN not in files.column_names:
        return rows
    deleted = pc.struct_field(files[DELETION_VECTOR_COLUMN], "cardinality")
    return rows - int(pc.sum(deleted).as_py() or 0)


def _list_deltalake_files(log: TableLog, snapshot: Snapshot, columns: pa.Schema) -> SourceFiles | None:
    """The files, where deltalake lists them as Spark does."""
    try:
        table = log.open_version(snapshot.version)
    except (DeltaError, OSError, TableNotFound, ScanUnsupported):  # the log itself may be readable
        return None
    _require_pinned_id(str(table.metadata().id), snapshot)
    partitions = [snapshot.schema.field(name) for name in table.metadata().partition_columns if name in columns.names]
    if not all(any(fits(field.type) for fits in _PLAIN_PARTITION_TYPES) for field in partitions):
        return None
    _refuse_unreadable_columns(json.loads(table.schema().to_json()), columns)
    try:
        return SourceFiles(list_data_files(table), tuple(table.metadata().partition_columns))
    except ScanUnsupported:  # files elsewhere, as shallow clones have them
        return None


def replay_table_log(log: TableLog, version: int) -> ReplayedLog:
    """What the log itself says of a version.

    Raises:  ScanUnsupported.
    """
    try:
        return replay_log(log.location, version)
    except (OSError, ValueError, KeyError, TypeError, pa.ArrowException) as error:
        raise ScanUnsupported(
            f"the table's log cannot be read ({type(error).__name__})", "commits and checkpoints of Delta's protocol"
        ) from error


def list_logged_files(replayed: ReplayedLog, log: TableLog, snapshot: Snapshot, columns: pa.Schema) -> SourceFiles:
    """The files of a replayed log, for reading these columns as the snapshot has them: those of the filter among them.

    Raises:  ScanUnsupported, with the reason why Spark must read them.
    """
    metadata, protocol = replayed.metadata, replayed.protocol
    _require_pinned_id(str(metadata["id"]), snapshot)
    refuse_unscanned_features(protocol)
    schema = json.loads(metadata["schemaString"])
    _refuse_unreadable_columns(schema, columns)
    mode = find_mapping_mode(protocol, dict(metadata.get("configuration") or {}))
    fields = {field["name"]: field for field in schema["fields"]}
    stored = {field.name: to_stored_column(fields[field.name], field, mode=mode) for field in columns}
    partitions = [name for name in metadata["partitionColumns"] if name in stored]
    filtered = {condition.column for condition in snapshot.where} - set(partitions)
    _refuse_filters_on_inexact_bounds(fields, filtered)
    known = [name for name in filtered if _has_comparable_statistics(fields[name])]
    files = to_scan_files(
        replayed.files,
        log.location,
        partitions={name: stored[name].with_type(columns.field(name).type) for name in partitions},
        statistics={name: stored[name].with_type(columns.field(name).type) for name in known},
    )
    return SourceFiles(files, tuple(partitions), None if mode == "none" else pa.schema(list(stored.values())))


def _has_comparable_statistics(field: Mapping[str, Any]) -> bool:
    """Whether statistics of older files are values of the column's type as text."""
    return all(
        change.get("fromType") in _INTEGERS and change.get("toType") in _INTEGERS for change in _type_changes(field)
    )


def _refuse_filters_on_inexact_bounds(fields: Mapping[str, Any], filtered: Iterable[str]) -> None:
    """Spark takes 0.1, the text of a float's statistics, for a bound of doubles, and leaves out files with 0.1f. How it
    takes a date for a bound of times is not tried."""
    for name in filtered:
        narrow = [change.get("fromType") for change in _type_changes(fields[name])]
        inexact = [kind for kind in narrow if kind in ("float", "date")]
        if inexact:
            raise ScanUnsupported(f"the filter's column {name} was widened from {inexact[0]}", "another column")


def _type_changes(field: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    found: Sequence[Mapping[str, Any]] = field.get("metadata", {}).get("delta.typeChanges", [])
    return found


def _require_pinned_id(found: str, snapshot: Snapshot) -> None:
    if found != snapshot.table_id:
        raise ScanUnsupported("the table has another id in its log", snapshot.table_id)


def _refuse_unreadable_columns(schema: Mapping[str, Any], columns: pa.Schema) -> None:
    fields = {field["name"]: field for field in schema["fields"]}
    for field in columns:
        if field.name not in fields:
            raise ScanUnsupported(f"the table's log has no column {field.name}", "the columns that Spark tells")
        if "char(" in json.dumps(fields[field.name]).replace("varchar(", ""):
            raise ScanUnsupported(f"the column {field.name} is of fixed length, which Spark pads", "string")
        if not is_readable_type(field.type):
            raise ScanUnsupported(f"the column {field.name} is {field.type}", "a type that Arrow has")
