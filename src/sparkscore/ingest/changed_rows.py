"""The rows of a table that differ between two versions, and the keys that are gone. Writes nothing.

A row counts as changed where a column that is compared differs from what its key had at the beginning of the range. So
rows that were only rewritten, and values that came and went, are no changes, whichever way they are found.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import DataFrame

from sparkscore.errors import ScanUnsupported, SparkscoreError, VersionGone
from sparkscore.ingest.change_files import ChangeScan, plan_change_scans
from sparkscore.ingest.change_reading import ORDER_COLUMN, SIGN_COLUMN
from sparkscore.ingest.signed_frames import net_signed_rows, read_signed_rows, read_signed_splits
from sparkscore.records import ChangeRange, Snapshot
from sparkscore.store.table import Table

_MOST_BYTES = 32 << 20
"""Of the files of a range that the driver reads itself: a Spark job takes longer for them."""
_PLACE = "_sparkscore_place"
_SUM, _LAST = f"{SIGN_COLUMN}_sum", f"{_PLACE}_max"
FULL_ADVICE = "--full scores all rows again for this as_of; later runs go on from there"


@dataclass(frozen=True, slots=True)
class ChangedRows:
    """What a range changes: tables where the driver has read it, else frames."""

    rows: pa.Table | DataFrame
    """The rows that were inserted or updated, as they are at its end, in the snapshot's columns."""
    deleted: pa.Table | DataFrame
    """The keys that have no row any more."""
    way: str
    """How they were found, in words."""


def find_changed_rows(
    table: Table, snapshot: Snapshot, changes: ChangeRange, *, compare: Sequence[str], by_spark: bool = False
) -> ChangedRows:
    """The changed rows of a range of versions, of those that meet the snapshot's filter: a row that leaves the filter
    counts as deleted, one that enters it as inserted.

    Needs:   the snapshot at the end of the range, with the columns to return; keys among those to `compare`.
             `by_spark`: the tasks read, however few rows there are.
    Jobs:    none for few bytes where the log is sure; else those of the frames: one that reads the changed files, or,
             where only Spark reads the log, the change data feed, or both versions.
    Raises:  VersionGone with the gap, and `--full` as the way out; AccessDenied.
    """
    if changes.until < changes.since:
        raise _gap_error(f"{table.name} is at version {changes.until}, and version {changes.since} was published", "")
    try:
        scans = plan_change_scans(table, snapshot, changes)
        if not by_spark and sum(scan.bytes for scan in scans) <= _MOST_BYTES:
            found = _read_by_driver(scans, snapshot, compare)
            if found is not None:
                return found
        signed, way = read_signed_splits(table.spark, scans, snapshot), "tasks read the changed files"
    except VersionGone as gone:
        raise _gap_error(gone.found, gone.expected) from gone
    except (ScanUnsupported, OSError, ValueError) as unsure:
        reason = unsure.found if isinstance(unsure, SparkscoreError) else type(unsure).__name__
        signed, way = read_signed_rows(table, snapshot, changes, advice=FULL_ADVICE)
        way = f"{way}: {reason}"
    rows, deleted = net_signed_rows(signed, snapshot, compare=compare)
    return ChangedRows(rows, deleted, way)


def _gap_error(found: str, expected: str) -> VersionGone:
    return VersionGone(found, expected or "a table whose versions go on from there", FULL_ADVICE)


def _read_by_driver(scans: Sequence[ChangeScan], snapshot: Snapshot, compare: Sequence[str]) -> ChangedRows | None:
    """None for types of which Arrow makes no groups."""
    schema = pa.schema([snapshot.schema.field(name).with_nullable(True) for name in snapshot.columns])
    schema = schema.append(pa.field(SIGN_COLUMN, pa.int8())).append(pa.field(ORDER_COLUMN, pa.int64()))
    batches = [
        pa.RecordBatch.from_arrays(batch.columns, schema=schema)
        for scan in scans
        for split in scan.splits
        for batch in scan.reader(split)
    ]
    try:
        rows, deleted = _net_rows(pa.Table.from_batches(batches, schema), snapshot.keys, compare)
        rows = rows.sort_by(
            [(key, "ascending") for key in snapshot.keys]
        )  # ascending keys are proven unique unshuffled
    except pa.ArrowNotImplementedError:
        return None
    return ChangedRows(rows, deleted, "the driver read the changed files")


def _net_rows(signed: pa.Table, keys: Sequence[str], compare: Sequence[str]) -> tuple[pa.Table, pa.Table]:
    """The rows that are there once more than before, and the keys of which only less is there.

    Needs:   rows in the order of their commits.
    """
    signs, rows = signed[SIGN_COLUMN], signed.drop_columns([SIGN_COLUMN, ORDER_COLUMN])
    brought = pc.greater(signs, 0)
    if not len(signed) or pc.all(brought).as_py():
        return rows, rows.select(keys).slice(0, 0)
    places = pc.if_else(brought, pa.array(np.arange(len(signed))), pa.scalar(-1, pa.int64()))
    numbered = signed.select([*compare, SIGN_COLUMN]).append_column(_PLACE, places)
    groups = numbered.group_by(list(compare), use_threads=False).aggregate([(SIGN_COLUMN, "sum"), (_PLACE, "max")])
    gained, lost = groups.filter(pc.greater(groups[_SUM], 0)), groups.filter(pc.less(groups[_SUM], 0))
    changed = rows.take(pa.array(np.sort(np.repeat(gained[_LAST].to_numpy(), gained[_SUM].to_numpy()))))
    return changed, _subtract_keys(lost.select(keys), changed.select(keys))


def _subtract_keys(lost: pa.Table, there: pa.Table) -> pa.Table:
    keys = lost.column_names
    known = lost.filter(np.logical_and.reduce([lost[key].is_valid().to_numpy() for key in keys]))
    unique = known.group_by(keys, use_threads=False).aggregate([])
    return unique.join(there, keys=keys, join_type="left anti", use_threads=False).select(keys)
