"""Lists the data files of a pinned version, if reading them without Spark is certain to give Spark's rows."""

import hashlib
import json
from collections.abc import Sequence

import pyarrow as pa
from deltalake import DeltaTable
from deltalake.exceptions import DeltaError
from pyspark.sql import SparkSession

from sparkscore.errors import ScanUnsupported, TableNotFound
from sparkscore.ingest.arrow_conversion import is_readable_type
from sparkscore.ingest.file_pruning import can_match_conditions
from sparkscore.ingest.file_ranges import build_file_splits, target_bytes
from sparkscore.ingest.split_reader import ParquetSplitReader
from sparkscore.predicates.spark_filter import to_arrow_conditions
from sparkscore.records import FileScan, Snapshot
from sparkscore.store.executor_trial import require_executor_access
from sparkscore.store.table import Table
from sparkscore.store.table_log import list_data_files, sum_logged_rows

_PARTITION_TYPES = (
    pa.types.is_string,
    pa.types.is_integer,
    pa.types.is_date,
    pa.types.is_boolean,
    pa.types.is_decimal,
)


def plan_file_scan(
    spark: SparkSession,
    snapshot: Snapshot,
    *,
    batch_rows: int | None = None,
    target: int | None = None,
    source: Table | None = None,
) -> FileScan:
    """The snapshot's files without those that the filter excludes, in splits of about equal work.

    `target`: bytes of a split as in an earlier listing, so that the splits are the same however many slots there are.
    `source`: the snapshot's table, where its log is open already.

    Jobs:    none; one task at the first table of a store whose access has to be tried.
    Runs on: driver. Holds the listing, about 200 bytes per file, for a short time.
    Raises:  ScanUnsupported, with the reason why Spark must read this table.
    """
    log = (source or Table(spark, snapshot.table)).log
    location = log.location
    names = list(dict.fromkeys([*snapshot.columns, *(condition.column for condition in snapshot.where)]))
    columns = pa.schema([snapshot.schema.field(name) for name in names])
    try:
        table = log.open_version(snapshot.version)
    except (DeltaError, OSError, TableNotFound) as error:
        raise ScanUnsupported(
            f"deltalake cannot read the table's log ({type(error).__name__})", "a plain Delta log"
        ) from error
    if str(table.metadata().id) != snapshot.table_id:
        raise ScanUnsupported("the table has another id in its log", snapshot.table_id)
    _refuse_unreadable_columns(table, columns, snapshot)
    conditions = to_arrow_conditions(snapshot.where, snapshot.schema)
    partitions = tuple(table.metadata().partition_columns)
    files = list_data_files(table)
    kept = files.filter(can_match_conditions(files, conditions, partitions)) if conditions else files
    require_executor_access(spark, location, files["path"][0].as_py() if len(files) else None)
    sizes = kept.column("size_bytes").to_numpy()
    target = target or target_bytes(sizes, slots=spark.sparkContext.defaultParallelism)
    splits = build_file_splits(_select_needed_columns(kept, partitions, names), target)
    reader = ParquetSplitReader(
        location.root, location.filesystem, columns, len(snapshot.columns), partitions, conditions, batch_rows
    )
    streams = tuple(_serialize_split(split) for split in splits)
    return FileScan(
        streams,
        reader,
        len(kept),
        int(sizes.sum()),
        target,
        _split_plan_digest(splits),
        pruned=len(files) - len(kept),
        rows=sum_logged_rows(kept),
    )


def _refuse_unreadable_columns(table: DeltaTable, columns: pa.Schema, snapshot: Snapshot) -> None:
    fields = {field["name"]: field for field in json.loads(table.schema().to_json())["fields"]}
    for field in columns:
        if field.name not in fields or "char(" in json.dumps(fields[field.name]).replace("varchar(", ""):
            raise ScanUnsupported(f"the column {field.name} is of fixed length, which Spark pads", "string")
        if not is_readable_type(field.type):
            raise ScanUnsupported(f"the column {field.name} is {field.type}", "no structs in lists or maps")
    for name in table.metadata().partition_columns:
        kind = snapshot.schema.field(name).type
        if name in columns.names and not any(fits(kind) for fits in _PARTITION_TYPES):
            raise ScanUnsupported(
                f"the partition column {name} is {kind}", "text, whole numbers, decimals, dates, booleans"
            )


def _select_needed_columns(files: pa.Table, partitions: Sequence[str], names: Sequence[str]) -> pa.Table:
    return files.select(["path", "size_bytes", *(f"partition.{name}" for name in partitions if name in names)])


def _split_plan_digest(splits: Sequence[pa.Table]) -> str:
    digest = hashlib.sha256()
    for split in splits:
        digest.update(repr(split.select(["path", "start", "length"]).to_pydict()).encode())
    return digest.hexdigest()


def _serialize_split(split: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, split.schema) as stream:
        stream.write_table(split)
    return bytes(sink.getvalue())
