"""The scan transport: each task reads its files beside the resident model, and writes its part of the stage itself.

Spark schedules and retries; rows never pass through its JVM.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.pandas.types import from_arrow_schema

from sparkscore.errors import BatchTimeout
from sparkscore.records import FileScan, Place, SplitReader
from sparkscore.scoring.failures import marked
from sparkscore.scoring.rows import StageRows
from sparkscore.scoring.stage_file import told_schema, written


def staged(spark: SparkSession, scan: FileScan, rows: StageRows, place: Place, *, key: str) -> list[dict[str, object]]:
    """Reads, scores and writes the whole scan; what each task wrote, as `stage_file.told_schema` has it.

    Jobs:    one Spark job, a task per split.
    Runs on: driver; its tasks run on executors.
    Raises:  UnsureScan, ConfigError, PredictError, RowsNotPredicted, BatchTimeout naming the split, AccessDenied,
             TemporaryError, as text of a failed task.
    """
    if not scan.splits:
        return []
    task = _Writing(scan.read, rows, place, key)
    told = from_arrow_schema(told_schema(rows.schema.field(key).type))
    written_files = _frame(spark, scan).mapInArrow(task, told).toArrow()
    parts: list[dict[str, object]] = written_files.to_pylist()
    return parts


def returned(spark: SparkSession, scan: FileScan, rows: StageRows) -> DataFrame:
    """The stage's rows of a scan as a frame, for stores to which only Spark can write.

    Jobs:    none.
    """
    return _frame(spark, scan).mapInArrow(_Returning(scan.read, rows), from_arrow_schema(rows.schema))


@dataclass(frozen=True, slots=True)
class _Returning:
    read: SplitReader
    rows: StageRows

    def __call__(self, parts: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        splits = _Splits(self.read, parts)
        with splits.named(sensitive=self.rows.model.sensitive):
            yield from self.rows(splits.batches())


@dataclass(frozen=True, slots=True)
class _Writing:
    read: SplitReader
    rows: StageRows
    place: Place
    key: str

    def __call__(self, parts: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        splits = _Splits(self.read, parts)
        with splits.named(sensitive=self.rows.model.sensitive):
            yield written(self.rows(splits.batches()), self.rows.schema, self.place, self.key)


class _Splits:
    """The splits of a task, one after another."""

    def __init__(self, read: SplitReader, parts: Iterator[pa.RecordBatch]) -> None:
        self._read, self._parts = read, parts
        self._now = b""

    def batches(self) -> Iterator[pa.RecordBatch]:
        for part in self._parts:
            for self._now in part.column(0).to_pylist():
                yield from self._read(self._now)

    @contextmanager
    def named(self, *, sensitive: bool) -> Iterator[None]:
        """Errors leave the block as `marked` has it; where the model hung, with the split that it hung on."""
        with marked(sensitive=sensitive):
            try:
                yield
            except BatchTimeout as late:
                found = f"{late.found}: {self._read.named(self._now)}"
                raise BatchTimeout(found, late.expected, late.do) from None


def _frame(spark: SparkSession, scan: FileScan) -> DataFrame:
    """The splits as a frame, one per partition: Spark makes a partition of each batch of an Arrow table."""
    batches = [pa.record_batch([pa.array([split], pa.binary())], ["split"]) for split in scan.splits]
    return spark.createDataFrame(pa.Table.from_batches(batches))
