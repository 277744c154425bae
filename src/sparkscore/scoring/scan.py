"""The scan transport: each task reads its files beside the resident model, and writes its part of the stage itself.

Spark schedules and retries; rows never pass through its JVM.
"""

import math
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.pandas.types import from_arrow_schema

from sparkscore.errors import BatchTimeout
from sparkscore.model.shipped import ShippedModel
from sparkscore.records import FileScan, Place, SplitReader
from sparkscore.scoring.background import background
from sparkscore.scoring.counters import Told
from sparkscore.scoring.failures import marked
from sparkscore.scoring.rows import StageRows
from sparkscore.scoring.stage_file import written
from sparkscore.store.splits import numbered, split_frame

_TASK_S = 5.0
"""About how much is lost of a task that fails (of the first, twice that), and how long the last one may keep all others
waiting."""

Split = tuple[int, list[dict[str, Any]]]
"""Number of a split that is done, and its files as `stage_file.written` tells of them; none where it has no rows."""


def staged(
    spark: SparkSession, scan: FileScan, rows: StageRows, place: Place, *, splits: Sequence[int], key: str
) -> Generator[list[Split], None, None]:
    """Reads, scores and writes these splits; about twice a second, the ones that have got done.

    Leaving it early stops the job.

    Jobs:    one Spark job with a task per slot, each of which stops after `_TASK_S` if it is not to be done in as long
             again; for what they leave, another whose tasks take as many splits as they can in that time, at the
             pace of the first. None for no splits.
    Runs on: driver; its tasks run on executors.
    Raises:  UnsureScan, ConfigError, PredictError, RowsNotPredicted, BatchTimeout naming the split, AccessDenied,
             TemporaryError, as text of a failed task.
    """
    slots, told = spark.sparkContext.defaultParallelism, Told(spark)
    missing, began = dict.fromkeys(splits), time.monotonic()

    def done(tasks: Sequence[Sequence[int]], within_s: float) -> Generator[list[Split], None, None]:
        task = _Writing(scan.read, rows, place, key, told.tell, within_s)
        frame = split_frame(spark, scan.splits, tasks).mapInArrow(task, "split int")
        with background(spark, frame.toArrow) as job:
            for _ in job.ticks():
                found = told.new()
                for number, _ in found:
                    missing.pop(number, None)
                yield found
            job.result()

    if splits:
        yield from done(_dealt(splits, min(slots, len(splits))), _TASK_S)
    if missing:
        each_s = (time.monotonic() - began) * slots / max(1, len(splits) - len(missing))
        yield from done(grouped([*missing], each_s=each_s, slots=slots), math.inf)


def grouped(splits: Sequence[int], *, each_s: float, slots: int) -> list[list[int]]:
    """What each task takes, in order: as much as it can in `_TASK_S`, and no slot more than another if that can be.

    A task costs Spark about 12 ms of its slot. Told from the first splits, for nothing else says how fast a model is.
    """
    most = max(1, min(int(_TASK_S / each_s), -(-len(splits) // slots)))
    waves = -(-len(splits) // (most * slots))
    return _dealt(splits, min(len(splits), waves * slots))


def leaves_rest(spent_s: float, *, done: int, left: int, within_s: float) -> bool:
    """Whether a task that has spent so long on so many splits leaves those that are left for another job: its time is
    over, and they would take longer than that again. Another job costs more than it balances where little is left.
    """
    return spent_s > within_s and spent_s * left > within_s * done


def _dealt(splits: Sequence[int], tasks: int) -> list[list[int]]:
    bounds = np.linspace(0, len(splits), tasks + 1).astype(int).tolist()
    return [list(splits[low:high]) for low, high in pairwise(bounds)]


def returned(spark: SparkSession, scan: FileScan, rows: StageRows) -> DataFrame:
    """The stage's rows of a scan as a frame, for stores to which only Spark can write.

    Jobs:    none.
    """
    return split_frame(spark, scan.splits, [[number] for number in range(len(scan.splits))]).mapInArrow(
        _Returning(scan.read, rows), from_arrow_schema(rows.schema)
    )


@dataclass(frozen=True, slots=True)
class _Returning:
    read: SplitReader
    rows: StageRows

    def __call__(self, parts: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for _, split in numbered(parts):
            with _named(self.read, split, self.rows.model):
                yield from self.rows(self.read(split))


@dataclass(frozen=True, slots=True)
class _Writing:
    read: SplitReader
    rows: StageRows
    place: Place
    key: str
    tell: Callable[[Split], None]
    within_s: float
    """See `leaves_rest`."""

    def __call__(self, parts: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        began = time.monotonic()
        splits = [*numbered(parts)]  # all: Spark gives up a worker, and the model in it, that leaves its input unread
        for done, (number, split) in enumerate(splits):
            spent_s, left = time.monotonic() - began, len(splits) - done
            if done and leaves_rest(spent_s, done=done, left=left, within_s=self.within_s):
                return
            with _named(self.read, split, self.rows.model):
                files = written(self.rows(self.read(split)), self.rows.schema, self.place, self.key)
            self.tell((number, files))
            yield pa.record_batch([pa.array([number], pa.int32())], ["split"])


@contextmanager
def _named(read: SplitReader, split: bytes, model: ShippedModel) -> Iterator[None]:
    """Errors leave the block as `marked` has it; where the model hung, with the split that it hung on."""
    with marked(model.secret, sensitive=model.sensitive):
        try:
            yield
        except BatchTimeout as late:
            raise BatchTimeout(f"{late.found}: {read.named(split)}", late.expected, late.do) from None
