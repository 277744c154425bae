"""Summaries of a scan's rows in a job of their own: no row passes through Spark's JVM, and nothing is shuffled."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import pyarrow as pa
from pyspark.sql import SparkSession
from pyspark.sql.pandas.types import from_arrow_schema

from sparkscore.records import FileScan, RowSummary, SplitReader
from sparkscore.spark.split_frame import create_split_frame, iterate_splits

_WAVES = 2
_STATE_SCHEMA = pa.schema([("state", pa.binary())])


def summarise_scan(spark: SparkSession, scan: FileScan, summary: RowSummary, *, share: float = 1.0) -> list[bytes]:
    """The states of a summary over the rows of a scan, one per task; at least one. `share`: of each row group.

    Needs:   the summary's columns among those that the scan reads.
    Jobs:    one Spark job; none where there are no files.
    Raises:  what reading raises: ScanUnsupported, ConfigError, as text of a failed task.
    """
    nothing, splits = summary.start().to_bytes(), len(scan.splits)
    if not splits:
        return [nothing]
    tasks = min(splits, _WAVES * spark.sparkContext.defaultParallelism)
    bounds = [splits * task // tasks for task in range(tasks + 1)]
    frame = create_split_frame(spark, scan.splits, [list(range(low, high)) for low, high in pairwise(bounds)])
    reader = scan.reader.with_share(share) if share < 1 else scan.reader
    found = frame.mapInArrow(_ScanSummariser(reader, summary), from_arrow_schema(_STATE_SCHEMA)).toArrow()
    return [nothing, *found.column("state").to_pylist()]


@dataclass(frozen=True, slots=True)
class _ScanSummariser:
    reader: SplitReader
    summary: RowSummary

    def __call__(self, parts: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        state = self.summary.start()
        for _, split in iterate_splits(parts):
            for batch in self.reader(split):
                state.add(batch)
        yield pa.record_batch([[state.to_bytes()]], schema=_STATE_SCHEMA)
