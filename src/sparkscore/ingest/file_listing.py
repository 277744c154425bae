"""Lists the data files of a pinned version, if reading them without Spark is certain to give Spark's rows."""

import hashlib
import json
from collections.abc import Sequence
from urllib.parse import unquote, urlsplit

import pyarrow as pa
import pyarrow.compute as pc
from deltalake import DeltaTable
from deltalake.exceptions import DeltaError
from pyspark.sql import SparkSession

from sparkscore.errors import ScanUnsupported
from sparkscore.ingest.arrow_conversion import is_readable_type
from sparkscore.ingest.file_pruning import can_match_conditions
from sparkscore.ingest.file_ranges import build_file_splits, target_bytes
from sparkscore.ingest.split_reader import ParquetSplitReader
from sparkscore.predicates.spark_filter import to_arrow_conditions
from sparkscore.records import FileScan, Snapshot
from sparkscore.store.table_location import locate_table, open_deltalake_table

_SUPPORTED_FEATURES = frozenset({"timestampNtz"})
"""Reader features whose tables read the same with pyarrow as with Spark."""
_PLAIN_READER_VERSION = 1
_FEATURES_READER_VERSION = 3
_PARTITION_TYPES = (
    pa.types.is_string,
    pa.types.is_integer,
    pa.types.is_date,
    pa.types.is_boolean,
    pa.types.is_decimal,
)


def plan_file_scan(
    spark: SparkSession, snapshot: Snapshot, *, batch_rows: int | None = None, target: int | None = None
) -> FileScan:
    """The snapshot's files without those that the filter excludes, in splits of about equal work.

    `target`: bytes of a split as in an earlier listing, so that the splits are the same however many slots there are.

    Jobs:    none.
    Runs on: driver. Holds the listing, about 200 bytes per file, for a short time.
    Raises:  ScanUnsupported, with the reason why Spark must read this table.
    """
    location = locate_table(spark, snapshot.table)
    names = list(dict.fromkeys([*snapshot.columns, *(condition.column for condition in snapshot.where)]))
    columns = pa.schema([snapshot.schema.field(name) for name in names])
    try:
        table = open_deltalake_table(location, snapshot.version)
    except (DeltaError, OSError) as error:
        raise ScanUnsupported(
            f"deltalake cannot read the table's log ({type(error).__name__})", "a plain Delta log"
        ) from error
    _refuse_reader_features(table, snapshot)
    _refuse_unreadable_columns(table, columns, snapshot)
    conditions = to_arrow_conditions(snapshot.where, snapshot.schema)
    partitions = tuple(table.metadata().partition_columns)
    files = _load_add_actions(table)
    kept = files.filter(can_match_conditions(files, conditions, partitions)) if conditions else files
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
        rows=_count_logged_rows(kept),
    )


def _count_logged_rows(files: pa.Table) -> int | None:
    """The number of rows in the log's statistics, which is exact: deletion vectors were refused."""
    if not len(files):
        return 0
    counts = files.column("num_records") if "num_records" in files.column_names else None
    return None if counts is None or counts.null_count else int(pc.sum(counts).as_py())


def _refuse_reader_features(table: DeltaTable, snapshot: Snapshot) -> None:
    if str(table.metadata().id) != snapshot.table_id:
        raise ScanUnsupported("the table has another id in its log", snapshot.table_id)
    protocol = table.protocol()
    features = set(protocol.reader_features or ())
    if protocol.min_reader_version == _FEATURES_READER_VERSION and not features - _SUPPORTED_FEATURES:
        return
    if protocol.min_reader_version != _PLAIN_READER_VERSION:
        unsupported = ", ".join(sorted(features - _SUPPORTED_FEATURES)) or f"version {protocol.min_reader_version}"
        raise ScanUnsupported(
            f"{snapshot.table.name} needs a reader of {unsupported}", "reader version 1, or timestampNtz alone"
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


def _load_add_actions(table: DeltaTable) -> pa.Table:
    """The add actions, by path, so that equal tables give equal splits."""
    files = pa.table(table.get_add_actions(flatten=True)).sort_by("path")
    paths = [unquote(path) for path in files.column("path").to_pylist()]  # once more encoded in the log than on disk
    if any(urlsplit(path).scheme or path.startswith("/") for path in paths):
        raise ScanUnsupported("the table has files outside its folder (a shallow clone)", "files of its own")
    return files.set_column(files.schema.get_field_index("path"), "path", pa.array(paths, pa.string()))


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
