"""The visible rows of a publication, batch by batch: from the table's files where that is certain to give Spark's rows,
else by Spark."""

from collections.abc import Iterator, Sequence
from datetime import UTC

import pyarrow as pa
from deltalake.exceptions import DeltaError

from sparkscore.errors import ConfigError, ScanUnsupported
from sparkscore.ingest.batch_streams import BATCH_COLUMN, deserialize_batches, serialize_batches
from sparkscore.ingest.file_listing import plan_file_scan
from sparkscore.ingest.snapshot import snapshot_frame
from sparkscore.records import Condition, ExportedRun, ExportRows, FileScan, Snapshot, to_utc_text
from sparkscore.schemas import DELETED_COLUMN
from sparkscore.spark.error_translation import translate_spark_errors
from sparkscore.spark.type_mapping import spark_to_arrow_schema
from sparkscore.store.table import Table

_SPLIT_BYTES = 128 << 20


def open_published_rows(table: Table, run: ExportedRun, columns: Sequence[str]) -> ExportRows:
    """Some columns of the rows that a run has published, as the table holds them now; all columns if none is named.

    A pass raises ScanUnsupported where only Spark reads a file although nothing had said so: the next pass is Spark's.

    Needs:   a session, or a table whose files are certain to be readable without.
    Jobs:    none; one for each partition of each pass where only Spark reads the table.
    Raises:  SparkNeeded, also when a pass is begun; TableNotFound; ConfigError for a column that the table lacks.
    """
    snapshot = _pin_published_rows(table, run, columns)
    schema = plain_schema(snapshot)
    return ExportRows(schema, SnapshotRowReader(table, snapshot, schema).open_batches)


class SnapshotRowReader:
    """Passes over the rows of a snapshot: by its files until one of them is only Spark's to read.

    Needs:   a `schema` of the snapshot's columns, without metadata.
    """

    def __init__(self, table: Table, snapshot: Snapshot, schema: pa.Schema) -> None:
        self._table, self._snapshot, self._schema = table, snapshot, schema
        self._is_direct = True

    def open_batches(self) -> Iterator[pa.RecordBatch]:
        """A new pass.

        Jobs:    none; one for each partition where only Spark reads the table.
        Raises:  SparkNeeded; ScanUnsupported in the middle of it: the next pass is Spark's.
        """
        scan = self._plan_scan() if self._is_direct else None
        if scan is None:
            _ = self._table.spark  # asked for before anything is written, not in the middle of it
            return self._read_by_spark()
        return self._read_files(scan)

    def _plan_scan(self) -> FileScan | None:
        try:
            return plan_file_scan(None, self._snapshot, target=_SPLIT_BYTES, source=self._table)
        except (ScanUnsupported, DeltaError, OSError):
            return None

    def _read_files(self, scan: FileScan) -> Iterator[pa.RecordBatch]:
        try:
            for split in scan.splits:
                for batch in scan.reader(split):
                    yield pa.RecordBatch.from_arrays(batch.columns, schema=self._schema)
        except ScanUnsupported:
            self._is_direct = False
            raise

    def _read_by_spark(self) -> Iterator[pa.RecordBatch]:
        frame = snapshot_frame(self._table.spark, self._snapshot).mapInArrow(
            serialize_batches, f"{BATCH_COLUMN} binary"
        )
        with translate_spark_errors(f"reading {self._table.name}"):
            for row in frame.toLocalIterator():
                for batch in deserialize_batches(bytes(row[BATCH_COLUMN])):
                    columns = [
                        column.cast(field.type) for column, field in zip(batch.columns, self._schema, strict=True)
                    ]
                    yield pa.RecordBatch.from_arrays(columns, schema=self._schema)


def _pin_published_rows(table: Table, run: ExportedRun, columns: Sequence[str]) -> Snapshot:
    schema = spark_to_arrow_schema(table.schema)
    missing = [name for name in columns if name not in schema.names]
    if missing:
        raise ConfigError(
            f"{table.name} has no column {', '.join(missing)}", f"columns of {', '.join(schema.names)}", "correct it"
        )
    moment = run.as_of.astimezone(UTC)
    where: tuple[Condition, ...] = (
        Condition("as_of_date", "=", moment.date()),
        Condition("as_of", "=", to_utc_text(moment)),
        Condition("run_id", "=", run.run_id),
    )
    if run.has_marks:
        where += (Condition(DELETED_COLUMN, "=", False),)
    read = tuple(columns) or tuple(schema.names)
    return Snapshot(table.ref, table.id, table.load_newest_version(), schema, read, run.keys, where)


def plain_schema(snapshot: Snapshot) -> pa.Schema:
    """The columns of a snapshot, without metadata."""
    fields = [snapshot.schema.field(name) for name in snapshot.columns]
    return pa.schema([pa.field(field.name, field.type, field.nullable) for field in fields])
