"""The scan transport: each task reads its files next to the resident model, and writes its part of the stage itself.

Spark schedules and retries; rows never pass through its JVM.
"""

import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.pandas.types import from_arrow_schema

from sparkscore.errors import BatchTimeout
from sparkscore.model.distribution.shipped_model import ShippedModel
from sparkscore.records import FileScan, PartRows, ScoredPart, SplitPart, SplitReader, TableLocation
from sparkscore.scoring.counters import TaskReports, model_wait_s
from sparkscore.scoring.stage_rows import StageRowScorer
from sparkscore.scoring.task_errors import mark_task_errors
from sparkscore.scoring.task_sizing import (
    Allowance,
    Pace,
    choose_allowance,
    cut_parts,
    deal_evenly,
    deal_parts,
    longest_part_s,
    remaining_part,
)
from sparkscore.spark.background_job import run_in_background
from sparkscore.spark.split_frame import create_part_frame, create_split_frame, iterate_parts, iterate_splits
from sparkscore.stage.file_writer import write_stage_files


def stage_scan_parts(
    spark: SparkSession,
    scan: FileScan,
    rows: StageRowScorer,
    place: TableLocation,
    *,
    parts: Sequence[SplitPart],
    key: str,
    every_s: float,
) -> Generator[list[ScoredPart], None, None]:
    """Read, score and write these parts; yields the finished ones about twice a second.

    Leaving it early stops the job. `every_s`: how often finished work must be kept: no task takes much longer.

    Jobs:    one Spark job with a task per slot, each of which stops after `TASK_S` (`task_sizing`), between two
             batches, unless it would finish in the same time again; more jobs for what they leave, cut and
             distributed by the pace of the earlier ones. None for no parts.
    Runs on: driver; its tasks run on executors.
    Raises:  ScanUnsupported, ConfigError, PredictError, RowsNotPredicted, BatchTimeout naming the split, AccessDenied,
             TemporaryError, as text of a failed task.
    """
    yield from _RunningScan(spark, scan, rows, place, key=key, every_s=every_s).score(list(parts))


class _RunningScan:
    """A running scan: what is left, and what its tasks have reported. Runs on the driver."""

    def __init__(
        self,
        spark: SparkSession,
        scan: FileScan,
        rows: StageRowScorer,
        place: TableLocation,
        *,
        key: str,
        every_s: float,
    ) -> None:
        self._spark, self._scan, self._rows, self._place = spark, scan, rows, place
        self._key, self._every_s = key, every_s
        self._slots = spark.sparkContext.defaultParallelism
        self._told = TaskReports(spark)
        self._pace = Pace()
        self._layouts: dict[tuple[int, int], tuple[int, int]] = {}

    def score(self, left: list[SplitPart]) -> Generator[list[ScoredPart], None, None]:
        """Run job after job; a job of which no task reports anything is the last one."""
        while left:
            tasks = self._deal(left)
            done: list[ScoredPart] = []
            for found in self._run(tasks):
                done += found
                yield found
            if not done:
                return
            self._learn(done)
            left = _remaining_parts([part for task in tasks for part in task], done)

    def _deal(self, left: Sequence[SplitPart]) -> list[list[SplitPart]]:
        if not self._pace.splits:
            return deal_evenly(left, min(self._slots, len(left)))
        parts = cut_parts(
            left,
            pace=self._pace,
            longest_s=longest_part_s(self._every_s),
            slots=self._slots,
            lengths=lambda number: self._scan.reader.range_lengths(self._scan.splits[number]),
            layouts=self._layouts,
        )
        return deal_parts(parts, pace=self._pace, slots=self._slots)

    def _run(self, tasks: Sequence[Sequence[SplitPart]]) -> Generator[list[ScoredPart], None, None]:
        allowance = choose_allowance(len(tasks), slots=self._slots, every_s=self._every_s, long=bool(self._pace.splits))
        task = _StageWriterTask(self._scan.reader, self._rows, self._place, self._key, self._told.tell, allowance)
        frame = create_part_frame(self._spark, self._scan.splits, tasks).mapInArrow(task, "split int")
        with run_in_background(self._spark, frame.toArrow) as job:
            for _ in job.ticks():
                yield self._told.new()
            job.result()

    def _learn(self, done: Sequence[ScoredPart]) -> None:
        self._pace = self._pace.after(done)
        self._layouts |= {(part.split, part.last[0]): part.layout for part in done if part.layout is not None}


def _remaining_parts(parts: Sequence[SplitPart], done: Sequence[ScoredPart]) -> list[SplitPart]:
    """What is left of the parts."""
    begun = {(part.split, part.first): part for part in done}
    rests = (
        part if (part.split, part.first) not in begun else remaining_part(part, begun[part.split, part.first])
        for part in parts
    )
    return [rest for rest in rests if rest is not None]


def score_scan_frame(spark: SparkSession, scan: FileScan, rows: StageRowScorer) -> DataFrame:
    """The stage's rows of a scan as a frame, for stores to which only Spark can write.

    Jobs:    none.
    """
    return create_split_frame(spark, scan.splits, [[number] for number in range(len(scan.splits))]).mapInArrow(
        _ScanFrameTask(scan.reader, rows), from_arrow_schema(rows.schema)
    )


@dataclass(frozen=True, slots=True)
class _ScanFrameTask:
    read: SplitReader
    rows: StageRowScorer

    def __call__(self, parts: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for _, split in iterate_splits(parts):
            with _name_split_in_errors(self.read, split, self.rows.model):
                yield from self.rows(self.read(split))


@dataclass(frozen=True, slots=True)
class _StageWriterTask:
    """One task: its parts one after the other, until its allowance is over. Runs on executors."""

    read: SplitReader
    rows: StageRowScorer
    place: TableLocation
    key: str
    tell: Callable[[ScoredPart], None]
    allowance: Allowance

    def __call__(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        parts = [*iterate_parts(batches)]  # all: Spark gives up a worker that leaves its input unread, and its model
        task = _TaskProgress(self.allowance, sum(part.share for part, _ in parts))
        for part, split in parts:
            if task.is_over():
                return
            began_s, rows = task.spent_s(), self.read.read_part(split, part.first, part.last)
            with _name_split_in_errors(self.read, split, self.rows.model):
                files = write_stage_files(
                    self.rows(task.timed(rows, part.share)), self.rows.schema, self.place, self.key
                )
            done = part.share * rows.share_read
            task.done += done
            self.tell(
                ScoredPart(
                    split=part.split,
                    first=part.first,
                    last=rows.position,
                    ranges=rows.ranges,
                    files=tuple(files),
                    share=done,
                    seconds=task.spent_s() - began_s,
                    layout=rows.layout if rows.position[1] else None,
                )
            )
            yield pa.record_batch([pa.array([part.split], pa.int32())], ["split"])
            if rows.share_read < 1:
                return


class _TaskProgress:
    """How long a task has scored, and how much of its work that was."""

    def __init__(self, allowance: Allowance, work: float) -> None:
        self._allowance, self._work = allowance, work
        self._began, self._waited_s = time.monotonic(), model_wait_s()
        self.done = 0.0

    def timed(self, rows: PartRows, share: float) -> Iterator[pa.RecordBatch]:
        """The batches of a part until the allowance is over: one at least."""
        for batch in rows:
            yield batch
            if self.spent_s() > self._allowance.least_s and self.is_over(also=share * rows.share_read):
                return

    def is_over(self, *, also: float = 0.0) -> bool:
        """Whether the task leaves the rest to others; never before something is done."""
        done = self.done + also
        return done > 0 and self._allowance.is_over(
            spent_s=self.spent_s(), load_s=self._load_s, done=done, left=self._work - done
        )

    def spent_s(self) -> float:
        """Seconds without those in which the model was loaded."""
        return time.monotonic() - self._began - self._load_s

    @property
    def _load_s(self) -> float:
        return model_wait_s() - self._waited_s


@contextmanager
def _name_split_in_errors(read: SplitReader, split: bytes, model: ShippedModel) -> Iterator[None]:
    """Errors leave the block as `mark_task_errors` has it; where the model hung, with the split that it hung on."""
    with mark_task_errors(model.secret, sensitive=model.sensitive):
        try:
            yield
        except BatchTimeout as late:
            raise BatchTimeout(f"{late.found}: {read.describe(split)}", late.expected, late.do) from None
