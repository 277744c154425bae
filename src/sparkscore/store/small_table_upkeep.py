"""What keeps a small table fast to read, without Spark: few files, checkpoints of its log, no expired commits."""

import time
from collections.abc import Callable
from contextlib import suppress
from itertools import pairwise
from urllib.parse import quote

import pyarrow as pa
import pyarrow.compute as pc
import structlog
from deltalake import DeltaTable
from deltalake.exceptions import CommitFailedError
from deltalake.transaction import RemoveAction
from pyarrow import parquet as pq

from sparkscore.redaction.secret_patterns import shorten_redacted
from sparkscore.store.direct_commits import ROW_GROUP_ROWS, commit_actions, write_rows_file
from sparkscore.store.direct_tables import DirectTable
from sparkscore.store.file_maintenance import MIN_FILES_TO_COMPACT
from sparkscore.store.table import Table

log = structlog.get_logger("sparkscore")

CHECKPOINT_INTERVAL = 20
"""Commits from one checkpoint to the next: reading the log takes 0.1 ms for each commit since the last one."""
CLEANUP_INTERVAL = 100
"""Commits from one removal of expired commits to the next: it lists the folder of the log."""
_ORDER = "as_of"
_TIER_ROWS = (0, 32, 512, 8192)
"""Files with rows from one of these numbers to the next are a tier."""
_TIER_FILES = (32, 16, 16)
"""So many files of a tier are worth one file of the next: each row is written anew once per tier."""
_WIDE_ROWS = 2 * ROW_GROUP_ROWS
FileChoice = Callable[[DirectTable], pa.Table]
"""Which files of a table to combine, as `DirectTable.list_files` has them."""
_MOST_FILES = 512
"""Of one compaction: more take seconds."""


def keep_table_small(table: Table, version: int) -> None:
    """After every so many versions: combine small files, write a checkpoint, remove expired commits from the log.

    Reading the table stays as fast as it was, whatever its age. A failure changes nothing: a later call does it.

    Needs:   the `version` that was just committed.
    Jobs:    none.
    """
    if version % CHECKPOINT_INTERVAL:
        return
    try:
        compact_small_files(table, choose_full_tier)
        newest = DirectTable.open(table).delta
        newest.create_checkpoint()
        if version % CLEANUP_INTERVAL == 0 and _does_log_expire(newest):
            newest.cleanup_metadata()
    except Exception as error:  # noqa: BLE001  what was committed is committed
        log.info("no upkeep", table=table.name, reason=shorten_redacted(str(error), 200))


def compact_small_files(table: Table, choose: FileChoice) -> int:
    """How many files were combined, their rows sorted by as_of; 0 where none were chosen, or another writer was faster.

    It commits only as the version right after the one that it has read: an append at the same moment wins.

    Jobs:    none.
    Raises:  ScanUnsupported, deltalake's DeltaError, OSError, ArrowException, with nothing changed.
    """
    found = DirectTable.open(table)
    files = choose(found)
    if files.num_rows:
        with suppress(CommitFailedError):
            _replace_files(found, files)
            return int(files.num_rows)
    return 0


def choose_full_tier(found: DirectTable) -> pa.Table:
    """The files of the first tier that has many, none where all have few: for tables that grow by a few rows."""
    files = _list_small_files(found)
    for (low, high), most in zip(pairwise(_TIER_ROWS), _TIER_FILES, strict=True):
        rows = files["num_records"]
        tier = files.filter(pc.and_(pc.greater_equal(rows, low), pc.less(rows, high)))
        if tier.num_rows >= most:
            return tier.slice(0, _MOST_FILES)
    return files.slice(0, 0)


def choose_small_files(found: DirectTable) -> pa.Table:
    """All small files, none where they are few: for maintenance."""
    files = _list_small_files(found)
    return files.slice(0, _MOST_FILES if files.num_rows >= MIN_FILES_TO_COMPACT else 0)


def choose_wide_file(found: DirectTable) -> pa.Table:
    """One file that has to be read whole for the rows of one as_of, none where there is none: for maintenance.

    OPTIMIZE makes such files: one row group, unsorted.
    """
    files = _list_own_files(found)
    large = files.filter(pc.greater(files["num_records"], _WIDE_ROWS))
    wide = [
        pq.read_metadata(path, filesystem=found.filesystem).row_group(0).num_rows > _WIDE_ROWS
        for path in large["path"].to_pylist()
    ]
    return large.filter(pa.array(wide, pa.bool_())).slice(0, 1)


def _list_small_files(found: DirectTable) -> pa.Table:
    """The files with few rows, the oldest first."""
    files = _list_own_files(found)
    return files.filter(pc.less(files["num_records"], _TIER_ROWS[-1])).sort_by("modification_time")


def _list_own_files(found: DirectTable) -> pa.Table:
    """The files that may be replaced; none of a table with partitions, whose files stay apart."""
    files = found.list_files()
    # deltalake removes by the name in the log, which is encoded once more where the file's name needs it
    plain = pa.array([quote(path) == path for path in files["path"].to_pylist()], pa.bool_())
    return files.filter(plain) if not found.partition_columns else files.slice(0, 0)


def _replace_files(found: DirectTable, files: pa.Table) -> None:
    file = write_rows_file(found, found.read_files(files).sort_by(_ORDER), data_change=False)
    now = round(time.time() * 1000)
    removed = [
        RemoveAction(path, data_change=False, deletion_timestamp=now, size=size, partition_values={})
        for path, size in zip(files["path"].to_pylist(), files["size_bytes"].to_pylist(), strict=True)
    ]
    commit_actions(found, [file, *removed])


def _does_log_expire(table: DeltaTable) -> bool:
    return table.metadata().configuration.get("delta.enableExpiredLogCleanup", "true").lower() != "false"
