"""Summaries of a scan's rows in a job of their own: no row passes through Spark's JVM, and nothing is shuffled."""

from collections.abc import Iterator
from dataclasses import dataclass

import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.pandas.types import from_arrow_schema

from sparkscore.records import FileScan, RowSummary, SplitReader
from sparkscore.spark.session_kind import count_task_slots
from sparkscore.spark.split_frame import PartWork, create_split_frame, iterate_splits, split_evenly

_WAVES = 2
_STATE_SCHEMA = pa.schema([("state", pa.binary())])


def summarise_scan(spark: SparkSession, scan: FileScan, summary: RowSummary) -> list[bytes]:
    """The states of a summary over the rows of a scan, one per task; at least one.

    Needs:   the summary's columns among those that the scan reads.
    Jobs:    one Spark job; none where there are no files.
    Raises:  what reading raises: ScanUnsupported, ConfigError, as text of a failed task.
    """
    nothing = summary.start().to_bytes()
    if not scan.splits:
        return [nothing]
    found = map_scan_rows(spark, scan, _RowSummariser(summary), _STATE_SCHEMA).toArrow()
    return [nothing, *found.column("state").to_pylist()]


def count_scan_tasks(spark: SparkSession, scan: FileScan) -> int:
    """How many tasks read the splits of a scan."""
    return min(len(scan.splits), _WAVES * count_task_slots(spark))


def map_scan_rows(spark: SparkSession, scan: FileScan, work: PartWork, schema: pa.Schema) -> DataFrame:
    """What `work` makes of the rows of each task that reads splits of a scan, in batches of a schema.

    Needs:   a split at least.
    Jobs:    none.
    """
    tasks = split_evenly(range(len(scan.splits)), count_scan_tasks(spark, scan))
    frame = create_split_frame(spark, scan.splits, tasks)
    return frame.mapInArrow(_SplitRows(scan.reader, work), from_arrow_schema(schema))


@dataclass(frozen=True, slots=True)
class _SplitRows:
    reader: SplitReader
    work: PartWork

    def __call__(self, parts: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        return self.work(batch for _, split in iterate_splits(parts) for batch in self.reader(split))


@dataclass(frozen=True, slots=True)
class _RowSummariser:
    summary: RowSummary

    def __call__(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        state = self.summary.start()
        for batch in batches:
            state.add(batch)
        yield pa.record_batch([[state.to_bytes()]], schema=_STATE_SCHEMA)
