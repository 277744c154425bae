"""Rows that the driver holds, appended to a small Delta table by deltalake: one file, one commit, no Spark."""

import json
import random
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any
from uuid import uuid4

import pyarrow as pa
import pyarrow.compute as pc
from deltalake import CommitProperties, PostCommitHookProperties, Transaction
from deltalake.exceptions import CommitFailedError, DeltaError
from deltalake.transaction import AddAction, RemoveAction
from pyarrow import parquet as pq

from sparkscore.errors import PublishConflict, ScanUnsupported
from sparkscore.redaction.secret_patterns import mask_secrets
from sparkscore.store.direct_tables import DirectTable
from sparkscore.store.table import Table

AppendGuard = tuple[str, int]
"""Application id and version: Delta's own guard of an append that happens once."""

ROW_GROUP_ROWS = 1024
"""Rows of one as_of are found among many by the statistics of row groups."""
_PLAIN_WRITER_VERSION = 2
_APPEND_TRIES = 30
_PAUSE_S = 0.02
_LONGEST_STATISTIC = 32
"""Characters of a text in Delta's statistics."""


def append_directly(
    table: Table,
    rows: pa.Table,
    *,
    guard: AppendGuard | None = None,
    note: str | None = None,
    row_group_rows: int | None = None,
) -> int | None:
    """The table's version after one commit that appends the rows; with a guard also where it, or a later version of
    it, is there already.

    None: nothing was committed, and Spark has to do it. deltalake does not look at guards itself: every try reads
    which ones are there, and succeeds only as the commit right after what it has read.

    Needs:   rows in the columns and types of the table's contract; `note`, the commit's `userMetadata`.
    Raises:  PublishConflict if other writers keep committing first; deltalake's DeltaError, OSError and ArrowException,
             with nothing committed.
    """
    try:
        found = DirectTable.open_shared(table)
        _require_plain_writer(found, rows)
    except ScanUnsupported:
        return None
    if guard is not None and _has_guard(found, guard):
        return found.delta.version()
    file = write_rows_file(found, rows, data_change=True, row_group_rows=row_group_rows)
    for tries in range(_APPEND_TRIES):
        time.sleep(random.uniform(0, tries * _PAUSE_S))  # noqa: S311  apart from other writers
        with table.log.stay_at_version():
            found = DirectTable.open_shared(table)
            if _is_committed(found, file if tries else None, guard):
                return found.delta.version()
            _require_plain_writer(found, rows)
            try:
                commit_actions(found, [file], guard=guard, note=note)
            except CommitFailedError:
                continue
            except (DeltaError, OSError):
                if not _is_committed(DirectTable.open(table), file, guard):
                    raise
            return found.delta.version() + 1
    raise PublishConflict(
        f"other writers committed first {_APPEND_TRIES} times while appending to {table.name}",
        "no conflict",
        "run it again",
    )


def _is_committed(found: DirectTable, file: AddAction | None, guard: AppendGuard | None) -> bool:
    """Whether the guard is in the table, or the file: the error of a commit does not say that nothing was committed."""
    has_guard = guard is not None and _has_guard(found, guard)
    return has_guard or (file is not None and file.path in found.list_files()["path"].to_pylist())


def _has_guard(found: DirectTable, guard: AppendGuard) -> bool:
    version = found.delta.transaction_version(guard[0])
    return version is not None and version >= guard[1]


def _require_plain_writer(found: DirectTable, rows: pa.Table) -> None:
    """Raises:  ScanUnsupported where the table asks more of its writers than rows of its own types without NULL."""
    version = found.delta.protocol().min_writer_version
    if version > _PLAIN_WRITER_VERSION:
        raise ScanUnsupported(f"writer version {version}", f"{_PLAIN_WRITER_VERSION} or less")
    if any("delta.invariants" in one.metadata for one in found.delta.schema().fields):
        raise ScanUnsupported("invariants", "none: Spark checks them")
    theirs = {field.name: field for field in found.schema}
    for field in rows.schema:
        if field.name not in theirs or not theirs[field.name].type.equals(field.type):
            raise ScanUnsupported(f"another column {field.name}", f"{field.name} {field.type}")
    required = {name for name, field in theirs.items() if not field.nullable}
    if not required <= set(rows.column_names) or any(rows[name].null_count for name in required):
        raise ScanUnsupported(
            "NULL in a column that is NOT NULL", "a value: Spark's own error tells which one is missing"
        )


def commit_actions(
    found: DirectTable,
    actions: Sequence[AddAction | RemoveAction],
    *,
    guard: AppendGuard | None = None,
    note: str | None = None,
) -> None:
    """Commit the files as the version right after the one that was read.

    Raises:  deltalake's CommitFailedError where another writer made that version.
    """
    properties = CommitProperties(
        None if note is None else {"userMetadata": mask_secrets(note)},
        max_commit_retries=0,
        app_transactions=None if guard is None else [Transaction(guard[0], guard[1])],
    )
    found.delta.create_write_transaction(
        list(actions),
        "append",
        found.delta.schema(),
        partition_by=found.partition_columns,
        commit_properties=properties,
        # its own hook lists the log at each commit: 30 ms for 4,000 of them
        post_commithook_properties=PostCommitHookProperties(create_checkpoint=False, cleanup_expired_logs=False),
    )


def write_rows_file(
    found: DirectTable, rows: pa.Table, *, data_change: bool, row_group_rows: int | None = None
) -> AddAction:
    """A Parquet file with the rows in the table's folder, to be committed. One that is not is removed by VACUUM.

    Raises:  ScanUnsupported for rows of several partitions; OSError, ArrowException.
    """
    values = _partition_values(rows, found.partition_columns)
    folder = "".join(f"{name}={value}/" for name, value in values.items())
    path = f"{folder}part-{uuid4()}.snappy.parquet"
    filesystem = found.filesystem
    if folder and found.location.filesystem is None:  # object stores have no folders
        filesystem.create_dir(folder.rstrip("/"), recursive=True)
    pq.write_table(
        rows.drop_columns(list(values)),
        path,
        filesystem=filesystem,
        row_group_size=row_group_rows or ROW_GROUP_ROWS,
        use_dictionary=rows.num_rows > 1,
        store_schema=False,
    )
    size = filesystem.get_file_info(path).size
    now = round(time.time() * 1000)
    return AddAction(path, size, values, now, data_change, json.dumps(_file_statistics(rows, values)))


def _partition_values(rows: pa.Table, names: Sequence[str]) -> dict[str, str | None]:
    """The one partition of the rows."""
    values: dict[str, str | None] = {}
    for name in names:
        found = pc.unique(rows[name]).to_pylist()
        if len(found) != 1 or not isinstance(found[0], date) or isinstance(found[0], datetime):
            raise ScanUnsupported(f"{len(found)} partitions by {name}", "one, a date")
        values[name] = found[0].isoformat()
    return values


def _file_statistics(rows: pa.Table, partition: Mapping[str, Any]) -> dict[str, Any]:
    """Statistics of the columns that name a row, as Delta writes them: `sparkscore.store.table_contracts`."""
    named = [field.name for field in rows.schema if not field.nullable and field.name not in partition]
    bounds = {name: found for name in named if (found := _column_bounds(rows[name])) is not None}
    return {
        "numRecords": rows.num_rows,
        "minValues": {name: low for name, (low, _) in bounds.items()},
        "maxValues": {name: high for name, (_, high) in bounds.items()},
        "nullCount": dict.fromkeys(bounds, 0),
    }


def _column_bounds(values: pa.ChunkedArray) -> tuple[Any, Any] | None:
    """Least and greatest value as JSON; None where those of Delta would not be exact: other types, long texts,
    microseconds."""
    kind = values.type
    if not (pa.types.is_timestamp(kind) or pa.types.is_integer(kind) or pa.types.is_string(kind)):
        return None
    low, high = (one.as_py() for one in pc.min_max(values).values())
    if isinstance(low, datetime):
        exact = low.microsecond % 1000 == high.microsecond % 1000 == 0
        return (_time_statistic(low), _time_statistic(high)) if exact else None
    if isinstance(low, str) and pc.max(pc.utf8_length(values)).as_py() > _LONGEST_STATISTIC:
        return None
    return low, high


def _time_statistic(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
