"""The arrow transport with chunks: Spark reads the rows, and each task writes its part of the stage itself."""

import time
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql.pandas.types import from_arrow_schema

from sparkscore.records import FileSpan, ScoredPart, TableLocation
from sparkscore.schemas import BLOCK_COLUMN, FILE_COLUMN
from sparkscore.scoring.arrow_challengers import ArrowChallengers
from sparkscore.scoring.part_reports import REPORT_SCHEMA, PartReporter, open_part_reports
from sparkscore.scoring.stage_rows import StageRowScorer
from sparkscore.scoring.task_errors import mark_task_errors
from sparkscore.scoring.task_models import model_wait_s
from sparkscore.spark.background_job import run_in_background
from sparkscore.stage.file_spans import FileSpans, add_file_spans, list_file_spans
from sparkscore.stage.file_writer import write_stage_files

LONGEST_TASK_S = 60.0
"""Seconds of scoring after which a task leaves its other rows to later ones: what a crash can lose. They are read
again then, which takes a second or two for a file of 128 MB."""
_LEAST_TASK_S = 1.0
_POSITIONS = (FILE_COLUMN, BLOCK_COLUMN)


def stage_positioned_rows(  # noqa: PLR0913  what is read, what is done with it, and how, each a plain value
    frame: DataFrame,
    scorer: StageRowScorer,
    location: TableLocation,
    *,
    key: str,
    done: FileSpans,
    commit_interval_s: float,
    profile: Any = None,
    beside: ArrowChallengers | None = None,
) -> Generator[list[ScoredPart], None, None]:
    """Score the rows of a frame and write them as files of the stage; yields what tasks have reported, twice a second.

    Leaving it early stops the job. `done`: rows that are not scored again. A part that `is_cut` says that some rows of
    its task are left.

    Needs:   the columns of `ingest.row_positions` in the frame.
    Jobs:    one.
    Runs on: driver; its tasks run on executors.
    Raises:  as `scan_transport.stage_scan_parts`.
    """
    spark, names = frame.sparkSession, tuple(frame.columns)
    reports = open_part_reports(spark, scorer.counters)
    # mapInArrow looks its columns up by name without quoting them: a dot or a backtick would be syntax
    numbered = frame.toDF(*(f"c{index}" for index in range(len(names))))
    allowed_s = max(min(commit_interval_s, LONGEST_TASK_S), min(_LEAST_TASK_S, LONGEST_TASK_S))
    task = _RowWriterTask(scorer, names, location, key, reports.reporter, allowed_s, dict(done), beside)
    told = numbered.mapInArrow(task, from_arrow_schema(REPORT_SCHEMA), profile=profile)
    with run_in_background(spark, partial(reports.run_tasks, told)) as job:
        for _ in job.ticks():
            yield reports.take_new_reports()
        job.result()


@dataclass(frozen=True, slots=True)
class _RowWriterTask:
    """One task: its rows until its time is over. Runs on executors."""

    scorer: StageRowScorer
    names: Sequence[str]
    location: TableLocation
    key: str
    reporter: PartReporter
    allowed_s: float
    done: FileSpans
    beside: ArrowChallengers | None = None

    def __call__(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        named = (batch.rename_columns(list(self.names)) for batch in batches)
        rows = _PositionedBatches(named, self.allowed_s, self.done)
        own = self.scorer.score_task
        score = own if self.beside is None else self.beside.follow(own)
        with mark_task_errors(self.scorer.model.secret, sensitive=self.scorer.model.sensitive):
            files = write_stage_files(score(iter(rows)), self.scorer.schema, self.location, self.key)
        if not rows.rows_read:
            return
        part = ScoredPart(
            split=_task_number(),
            first=(0, 0),
            last=(1, 0),
            ranges=1,
            files=tuple(files),
            seconds=rows.spent_s(),
            rows_read=rows.rows_read,
            spans=tuple(list_file_spans(rows.found)),
            is_cut=rows.is_cut,
        )
        report = self.reporter.report_part(part, self.scorer.counters)
        yield pa.record_batch([pa.array([report], pa.binary())], schema=REPORT_SCHEMA)


@dataclass(slots=True)
class _PositionedBatches:
    """The rows of a task that are not done, until its time is over; it counts the rows of each block."""

    batches: Iterator[pa.RecordBatch]
    allowed_s: float
    done: FileSpans
    rows_read: int = 0
    is_cut: bool = False
    started_s: float = field(default_factory=lambda: time.monotonic() - model_wait_s())
    counts: dict[tuple[int, int], int] = field(default_factory=dict)
    found: FileSpans = field(default_factory=dict)

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        for batch in self.batches:
            if not batch.num_rows or self.is_cut:
                continue  # to the end: Spark gives up a worker that leaves its input unread, and its model
            spans, is_new = self._count_rows(*(batch.column(name).to_numpy() for name in _POSITIONS))
            if not spans:
                continue
            if self.rows_read and self.spent_s() > self.allowed_s:
                self.is_cut = True
                continue
            self.found = add_file_spans(self.found, spans)
            rows = batch.drop_columns(list(_POSITIONS))
            rows = rows if is_new.all() else rows.filter(pa.array(is_new))
            self.rows_read += rows.num_rows
            yield rows

    def spent_s(self) -> float:
        """Seconds without those in which the model was loaded."""
        return time.monotonic() - model_wait_s() - self.started_s

    def _count_rows(self, files: Any, blocks: Any) -> tuple[list[FileSpan], Any]:
        """Which rows of a batch are not done, as spans and one by one."""
        moved = (np.diff(files) != 0) | (np.diff(blocks) != 0)
        starts = [0, *(np.flatnonzero(moved) + 1).tolist()]
        spans, is_new = list[FileSpan](), np.ones(len(files), bool)
        for low, high in zip(starts, [*starts[1:], len(files)], strict=True):
            place = int(files[low]), int(blocks[low])
            first = self.counts.get(place, 0)
            self.counts[place] = first + high - low
            for start, end in self.done.get(place, ()):
                is_new[low + max(start - first, 0) : low + min(max(end - first, 0), high - low)] = False
            spans += _list_new_spans(place, first, is_new[low:high])
        return spans, is_new


def _list_new_spans(place: tuple[int, int], first: int, is_new: Any) -> list[FileSpan]:
    """The runs of rows of a block that are true, the first of which has this number."""
    edges = np.flatnonzero(np.diff(is_new.astype(np.int8), prepend=0, append=0)).tolist()
    return [(*place, first + low, first + high) for low, high in zip(edges[::2], edges[1::2], strict=True)]


def _task_number() -> int:
    from pyspark import TaskContext

    context = TaskContext.get()
    return 0 if context is None else context.partitionId()
