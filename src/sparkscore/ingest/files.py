"""The data files of a pinned version, where reading them without Spark is sure to give Spark's rows."""

import hashlib
import json
from collections.abc import Sequence
from urllib.parse import unquote, urlsplit

import pyarrow as pa
from deltalake import DeltaTable
from deltalake.exceptions import DeltaError
from pyspark.sql import SparkSession

from sparkscore.errors import UnsureScan
from sparkscore.ingest.conform import readable
from sparkscore.ingest.filters import arrow_conditions
from sparkscore.ingest.pruning import may_match
from sparkscore.ingest.reading import Reading
from sparkscore.ingest.splits import ranges, target_bytes
from sparkscore.records import FileScan, Snapshot
from sparkscore.store.places import place_of, table_at

_FEATURES = frozenset({"timestampNtz"})
"""Reader features whose tables read the same with pyarrow as with Spark."""
_PLAIN_READER = 1
_FEATURES_READER = 3
_PARTITIONED_BY = (
    pa.types.is_string,
    pa.types.is_integer,
    pa.types.is_date,
    pa.types.is_boolean,
    pa.types.is_decimal,
)


def listed(
    spark: SparkSession, snapshot: Snapshot, *, batch_rows: int | None = None, target: int | None = None
) -> FileScan:
    """The snapshot's files without those that the filter leaves out, in splits of about equal work.

    `target`: bytes of a split as in an earlier listing, so that the splits are the same however many slots there are.

    Jobs:    none.
    Runs on: driver. Holds the listing, about 200 bytes per file, for a moment.
    Raises:  UnsureScan naming why Spark has to read this table.
    """
    place = place_of(spark, snapshot.table)
    names = list(dict.fromkeys([*snapshot.columns, *(one.column for one in snapshot.where)]))
    columns = pa.schema([snapshot.schema.field(name) for name in names])
    try:
        table = table_at(place, snapshot.version)
    except (DeltaError, OSError) as error:
        raise UnsureScan(f"a log that cannot be read here ({type(error).__name__})", "a plain Delta log") from error
    _refuse_features(table, snapshot)
    _refuse_columns(table, columns, snapshot)
    conditions = arrow_conditions(snapshot.where, snapshot.schema)
    partitions = tuple(table.metadata().partition_columns)
    files = _files(table)
    kept = files.filter(may_match(files, conditions, partitions)) if conditions else files
    sizes = kept.column("size_bytes").to_numpy()
    target = target or target_bytes(sizes, slots=spark.sparkContext.defaultParallelism)
    splits = ranges(_needed(kept, partitions, names), target)
    reading = Reading(place.root, place.filesystem, columns, len(snapshot.columns), partitions, conditions, batch_rows)
    streams = tuple(_stream(split) for split in splits)
    return FileScan(streams, reading, len(kept), int(sizes.sum()), target, _plan(splits), pruned=len(files) - len(kept))


def _refuse_features(table: DeltaTable, snapshot: Snapshot) -> None:
    if str(table.metadata().id) != snapshot.table_id:
        raise UnsureScan("a table with another id in its log", snapshot.table_id)
    protocol = table.protocol()
    features = set(protocol.reader_features or ())
    if protocol.min_reader_version == _FEATURES_READER and not features - _FEATURES:
        return
    if protocol.min_reader_version != _PLAIN_READER:
        strange = ", ".join(sorted(features - _FEATURES)) or f"version {protocol.min_reader_version}"
        raise UnsureScan(
            f"{snapshot.table.name} needs a reader of {strange}", "reader version 1, or timestampNtz alone"
        )


def _refuse_columns(table: DeltaTable, columns: pa.Schema, snapshot: Snapshot) -> None:
    fields = {field["name"]: field for field in json.loads(table.schema().to_json())["fields"]}
    for field in columns:
        if field.name not in fields or "char(" in json.dumps(fields[field.name]).replace("varchar(", ""):
            raise UnsureScan(f"the column {field.name} is of fixed length, which Spark pads", "string")
        if not readable(field.type):
            raise UnsureScan(f"the column {field.name} is {field.type}", "no structs in lists or maps")
    for name in table.metadata().partition_columns:
        kind = snapshot.schema.field(name).type
        if name in columns.names and not any(fits(kind) for fits in _PARTITIONED_BY):
            raise UnsureScan(f"the partition column {name} is {kind}", "text, whole numbers, decimals, dates, booleans")


def _files(table: DeltaTable) -> pa.Table:
    """The add actions, by path, so that equal tables give equal splits."""
    files = pa.table(table.get_add_actions(flatten=True)).sort_by("path")
    paths = [unquote(path) for path in files.column("path").to_pylist()]  # once more encoded in the log than on disk
    if any(urlsplit(path).scheme or path.startswith("/") for path in paths):
        raise UnsureScan("files outside the table's folder (a shallow clone)", "files of its own")
    return files.set_column(files.schema.get_field_index("path"), "path", pa.array(paths, pa.string()))


def _needed(files: pa.Table, partitions: Sequence[str], names: Sequence[str]) -> pa.Table:
    return files.select(["path", "size_bytes", *(f"partition.{name}" for name in partitions if name in names)])


def _plan(splits: Sequence[pa.Table]) -> str:
    named = hashlib.sha256()
    for split in splits:
        named.update(repr(split.select(["path", "start", "length"]).to_pydict()).encode())
    return named.hexdigest()


def _stream(split: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, split.schema) as stream:
        stream.write_table(split)
    return bytes(sink.getvalue())
