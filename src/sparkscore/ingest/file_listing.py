"""Lists the data files of a pinned version, if reading them without Spark is certain to give Spark's rows."""

import hashlib
from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import SparkSession

from sparkscore.ingest.deletion_vectors import DELETION_VECTOR_COLUMN
from sparkscore.ingest.file_pruning import can_match_conditions
from sparkscore.ingest.file_ranges import MIN_SPLIT_BYTES, build_file_splits, target_bytes
from sparkscore.ingest.source_files import count_live_rows, list_source_files
from sparkscore.ingest.split_reader import ParquetSplitReader
from sparkscore.predicates.spark_filter import to_arrow_conditions
from sparkscore.records import FileScan, Snapshot
from sparkscore.spark.session_kind import count_task_slots
from sparkscore.store.executor_trial import require_executor_access
from sparkscore.store.table import Table


def plan_file_scan(
    spark: SparkSession | None,
    snapshot: Snapshot,
    *,
    batch_rows: int | None = None,
    batch_bytes: int | None = None,
    target: int | None = None,
    least: int = MIN_SPLIT_BYTES,
    source: Table | None = None,
) -> FileScan:
    """The snapshot's files without those that the filter excludes, in splits of about equal work.

    `target`: bytes of a split as in an earlier listing, so that the splits are the same however many slots there are.
    `least`: bytes of a split without `target`: few where a row costs the model much more than reading it.
    `source`: the snapshot's table, where its log is open already.

    Needs:   a session; None with both of them, for a scan that the driver reads itself.
    Jobs:    none; one task at the first table of a store whose access has to be tried.
    Runs on: driver. Holds the listing, about 200 bytes per file, for a short time.
    Raises:  ScanUnsupported, with the reason why Spark must read this table.
    """
    log = (source or Table(spark, snapshot.table)).log
    names = list(dict.fromkeys([*snapshot.columns, *(condition.column for condition in snapshot.where)]))
    columns = pa.schema([snapshot.schema.field(name) for name in names])
    conditions = to_arrow_conditions(snapshot.where, snapshot.schema)
    listed = list_source_files(log, snapshot, columns)
    files, partitions = listed.files, listed.partitions
    kept = files.filter(can_match_conditions(files, conditions, partitions)) if conditions else files
    if spark is not None:
        require_executor_access(spark, log.location, _find_own_file(files))
    sizes = kept.column("size_bytes").to_numpy()
    if target is None:
        assert spark is not None  # noqa: S101  whoever gives no target has one
        target = target_bytes(sizes, slots=count_task_slots(spark), least=least)
    splits = build_file_splits(_select_needed_columns(kept, partitions, names), target)
    reader = ParquetSplitReader(
        log.location.root,
        log.location.filesystem,
        columns,
        len(snapshot.columns),
        partitions,
        conditions,
        batch_rows,
        batch_bytes,
        stored=listed.stored,
    )
    streams = tuple(serialize_split(split) for split in splits)
    return FileScan(
        streams,
        reader,
        len(kept),
        int(sizes.sum()),
        target,
        _split_plan_digest(splits),
        pruned=len(files) - len(kept),
        rows=count_live_rows(kept),
        columns=tuple(snapshot.columns),
    )


def _find_own_file(files: pa.Table) -> str | None:
    """A file in the table's folder."""
    return next((path for path in files["path"][:1].to_pylist() if not path.startswith("/")), None)


def _select_needed_columns(files: pa.Table, partitions: Sequence[str], names: Sequence[str]) -> pa.Table:
    vectors = [
        name
        for name in (DELETION_VECTOR_COLUMN,)
        if name in files.column_names and pc.any(files[name].is_valid()).as_py()
    ]
    values = (f"partition.{name}" for name in partitions if name in names)
    return files.select(["path", "size_bytes", *values, *vectors])


def _split_plan_digest(splits: Sequence[pa.Table]) -> str:
    digest = hashlib.sha256()
    for split in splits:
        digest.update(repr(split.select(["path", "start", "length"]).to_pydict()).encode())
    return digest.hexdigest()


def serialize_split(split: pa.Table) -> bytes:
    """A split as a reader takes it."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, split.schema) as stream:
        stream.write_table(split)
    return bytes(sink.getvalue())
