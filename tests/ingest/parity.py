"""What the scan reads against what Spark reads of the same pinned version."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyspark.sql import SparkSession

from sparkscore.ingest.file_listing import plan_file_scan
from sparkscore.ingest.snapshot import pin_source, snapshot_frame
from sparkscore.records import Condition, FileScan, Snapshot, TableRef
from sparkscore.store.table import Table

AS_OF = datetime(2024, 1, 1, tzinfo=UTC)


def table_at(folder: Path) -> TableRef:
    return TableRef(folder.name, str(folder))


def pin(
    spark: SparkSession,
    folder: Path,
    *where: Condition,
    keys: Sequence[str] = ("id",),
    columns: Sequence[str] = (),
    version: int | None = None,
) -> Snapshot:
    """A version, by default the newest, with all of its columns, or some."""
    table = Table(spark, table_at(folder))
    return pin_source(
        table,
        version="latest" if version is None else version,
        as_of=AS_OF,
        keys=keys,
        where=where,
        columns=columns or table.load_rows(version).columns,
    )


def read_scan(scan: FileScan) -> pa.Table:
    """What the tasks read, one after the other."""
    batches = [batch for split in scan.splits for batch in scan.reader(split)]
    return pa.Table.from_batches(batches) if batches else pa.table({})


def has_same_bits(one: pa.Table, other: pa.Table, key: str) -> bool:
    """Whether both are equal to the last bit, by the key; False where it is not certain. Takes no rows of Python."""
    if one.schema.names != other.schema.names or one.schema.types != other.schema.types:
        return False
    if any(pa.types.is_nested(kind) or pa.types.is_float16(kind) for kind in one.schema.types):
        return False
    return all(
        _to_bits(mine).equals(_to_bits(their))
        for mine, their in zip(one.sort_by(key).columns, other.sort_by(key).columns, strict=True)
    )


def _to_bits(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """NaN equals NaN, and -0.0 no other zero."""
    kinds = {pa.float64(): pa.int64(), pa.float32(): pa.int32()}
    kind = kinds.get(column.type)
    return column if kind is None else pa.chunked_array([chunk.view(kind) for chunk in column.chunks], kind)


def rows_by_id(table: pa.Table, key: str = "id") -> list[dict[str, Any]]:
    return sorted(table.to_pylist(), key=lambda row: repr(row[key]))


def assert_reads_as_spark(spark: SparkSession, snapshot: Snapshot, *, target: int | None = None) -> pa.Table:
    """Same names, types, rows and values; NaN equals NaN, -0.0 does not equal 0.0. The log's count is the rows'.

    `target`: bytes of a split.
    """
    scan = plan_file_scan(spark, snapshot, target=target)
    ours, theirs = read_scan(scan), snapshot_frame(spark, snapshot).toArrow()
    assert snapshot.where or scan.rows in (None, theirs.num_rows)
    if not theirs.num_rows:
        assert ours.num_rows == 0
        return ours
    assert ours.schema.names == theirs.schema.names
    key = snapshot.keys[0]
    if not has_same_bits(ours, theirs, key):
        assert repr(rows_by_id(ours, key)) == repr(rows_by_id(theirs, key))
    assert ours.schema.types == [snapshot.schema.field(name).type for name in ours.schema.names]
    return ours
