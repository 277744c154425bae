"""The scan transport: each task reads its files beside the resident model, and writes its part of the stage itself.

Spark schedules and retries; rows never pass through its JVM.
"""

from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.pandas.types import from_arrow_schema

from sparkscore.errors import BatchTimeout
from sparkscore.records import FileScan, Place, SplitReader
from sparkscore.scoring.background import background
from sparkscore.scoring.counters import Told
from sparkscore.scoring.failures import marked
from sparkscore.scoring.rows import StageRows
from sparkscore.scoring.stage_file import written

Split = tuple[int, list[dict[str, Any]]]
"""Number of a split that is done, and its files as `stage_file.written` tells of them; none where it has no rows."""


def staged(
    spark: SparkSession, scan: FileScan, rows: StageRows, place: Place, *, splits: Sequence[int], key: str
) -> Generator[list[Split], None, None]:
    """Reads, scores and writes these splits; about twice a second, the ones that have got done.

    Leaving it early stops the job.

    Jobs:    one Spark job, a task per split; none for no splits.
    Runs on: driver; its tasks run on executors.
    Raises:  UnsureScan, ConfigError, PredictError, RowsNotPredicted, BatchTimeout naming the split, AccessDenied,
             TemporaryError, as text of a failed task.
    """
    if not splits:
        return
    told = Told(spark)
    task = _Writing(scan.read, rows, place, key, told.tell)
    frame = _frame(spark, scan, splits).mapInArrow(task, "split int")
    with background(spark, frame.toArrow) as job:
        for _ in job.ticks():
            yield told.new()
        job.result()


def returned(spark: SparkSession, scan: FileScan, rows: StageRows) -> DataFrame:
    """The stage's rows of a scan as a frame, for stores to which only Spark can write.

    Jobs:    none.
    """
    return _frame(spark, scan, range(len(scan.splits))).mapInArrow(
        _Returning(scan.read, rows), from_arrow_schema(rows.schema)
    )


@dataclass(frozen=True, slots=True)
class _Returning:
    read: SplitReader
    rows: StageRows

    def __call__(self, parts: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for _, split in _splits(parts):
            with _named(self.read, split, sensitive=self.rows.model.sensitive):
                yield from self.rows(self.read(split))


@dataclass(frozen=True, slots=True)
class _Writing:
    read: SplitReader
    rows: StageRows
    place: Place
    key: str
    tell: Callable[[Split], None]

    def __call__(self, parts: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for number, split in _splits(parts):
            with _named(self.read, split, sensitive=self.rows.model.sensitive):
                files = written(self.rows(self.read(split)), self.rows.schema, self.place, self.key)
            self.tell((number, files))
            yield pa.record_batch([pa.array([number], pa.int32())], ["split"])


def _splits(parts: Iterator[pa.RecordBatch]) -> Iterator[tuple[int, bytes]]:
    for part in parts:
        for row in part.to_pylist():
            yield row["number"], row["split"]


@contextmanager
def _named(read: SplitReader, split: bytes, *, sensitive: bool) -> Iterator[None]:
    """Errors leave the block as `marked` has it; where the model hung, with the split that it hung on."""
    with marked(sensitive=sensitive):
        try:
            yield
        except BatchTimeout as late:
            raise BatchTimeout(f"{late.found}: {read.named(split)}", late.expected, late.do) from None


def _frame(spark: SparkSession, scan: FileScan, splits: Sequence[int]) -> DataFrame:
    """The splits as a frame, one per partition: a run's session makes one of each batch of an Arrow table."""
    schema = pa.schema([("number", pa.int32()), ("split", pa.binary())])
    rows = [{"number": number, "split": scan.splits[number]} for number in splits]
    return spark.createDataFrame(pa.Table.from_batches([pa.RecordBatch.from_pylist([row], schema) for row in rows]))
