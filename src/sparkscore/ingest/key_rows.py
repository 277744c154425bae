"""The rows of one key in a table at one of its versions."""

import json
from collections.abc import Mapping, Sequence

import pyarrow as pa
from pyspark.sql.types import StructType

from sparkscore.errors import ConfigError, ScanUnsupported
from sparkscore.ingest.published_rows import SnapshotRowReader, plain_schema
from sparkscore.records import Condition, Snapshot
from sparkscore.spark.type_mapping import spark_to_arrow_schema
from sparkscore.store.log_metadata import LogMetadata
from sparkscore.store.table import Table


def load_key_rows(
    table: Table, key: Mapping[str, object], *, version: int | None = None, columns: Sequence[str] | None = None
) -> pa.Table:
    """The rows of a key, of the newest version if none is named, with some or all columns.

    Files that cannot hold the key, by their statistics, are not read.

    Needs:   values that fit the types of the key's columns; a version that is not lost (`find_lost_versions`).
    Grain:   as the table.
    Jobs:    none; one for each partition where only Spark reads the table.
    Raises:  SparkNeeded, TableNotFound; ConfigError for columns that the table lacks, and for files that are gone.
    """
    pinned = table.load_newest_version() if version is None else version
    table_id, schema = _load_description(table, pinned)
    read = tuple(schema.names if columns is None else dict.fromkeys(columns))
    missing = [name for name in (*key, *read) if name not in schema.names]
    if missing:
        raise ConfigError(
            f"{table.name} at version {pinned} has no column {', '.join(missing)}",
            f"columns of {', '.join(schema.names)}",
            "correct the config, or the key",
        )
    where = tuple(Condition(name, "=", value, sensitive=True) for name, value in key.items())
    snapshot = Snapshot(table.ref, table_id, pinned, schema, read, tuple(key), where)
    reader = SnapshotRowReader(table, snapshot, plain_schema(snapshot))
    try:
        return _collect_key_rows(reader, snapshot)
    except ScanUnsupported:  # in the middle of a file that only Spark reads: the next pass is Spark's
        return _collect_key_rows(reader, snapshot)


def load_table_columns(table: Table) -> pa.Schema:
    """The columns of a table's newest version.

    Raises:  SparkNeeded, TableNotFound, AccessDenied.
    """
    return spark_to_arrow_schema(table.schema)


def _collect_key_rows(reader: SnapshotRowReader, snapshot: Snapshot) -> pa.Table:
    return pa.Table.from_batches(list(reader.open_batches()), schema=plain_schema(snapshot))


def _load_description(table: Table, version: int) -> tuple[str, pa.Schema]:
    """Id and columns of a version."""
    found = table.ask_log(lambda log: LogMetadata.of(log.open_version(version)))
    if found is not None and found.schema is not None:
        return found.id, spark_to_arrow_schema(StructType.fromJson(json.loads(found.schema)))
    return table.id, spark_to_arrow_schema(table.load_schema(version))
