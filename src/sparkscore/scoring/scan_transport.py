"""The scan transport: each task reads its files next to the resident model, and writes its part of the stage itself.

Spark schedules and retries; rows never pass through its JVM.
"""

import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession

from sparkscore.errors import BatchTimeout
from sparkscore.model.distribution.shipped_model import ShippedModel
from sparkscore.records import (
    FileScan,
    PartRows,
    ScoredPart,
    ScoringEngine,
    SplitPart,
    SplitReader,
    TableLocation,
)
from sparkscore.scoring.arrow_transport import map_stage_rows
from sparkscore.scoring.challengers_of_part import ChallengersOfPart, PassChallenger
from sparkscore.scoring.part_reports import REPORT_SCHEMA, PartReporter
from sparkscore.scoring.scan_jobs import EngineScanJobs, ScanJobs, SparkScanJobs
from sparkscore.scoring.stage_rows import BatchFunction, StageRowScorer
from sparkscore.scoring.task_errors import mark_task_errors
from sparkscore.scoring.task_models import end_task_models, ending_models, model_wait_s
from sparkscore.scoring.task_sizing import (
    Allowance,
    Pace,
    assign_parts,
    choose_allowance,
    cut_parts,
    longest_part_s,
    remaining_part,
)
from sparkscore.spark.split_frame import create_split_frame, iterate_parts, iterate_splits, split_evenly
from sparkscore.spark.task_profiles import TaskProfile, plan_task_profile
from sparkscore.stage.file_writer import write_stage_files
from sparkscore.stage.part_summaries import PartSummaries


def stage_scan_parts(  # noqa: PLR0913  what is read, what is done with it, and how, each a plain value
    spark: SparkSession,
    scan: FileScan,
    scorer: StageRowScorer,
    location: TableLocation,
    *,
    parts: Sequence[SplitPart],
    key: str,
    commit_interval_s: float,
    tasks: TaskProfile | None = None,
    challengers: Callable[[], Sequence[PassChallenger]] = tuple,
    check_between_jobs: Callable[[], None] | None = None,
    engine: ScoringEngine | None = None,
) -> Generator[list[ScoredPart], None, None]:
    """Read, score and write these parts; yields the finished ones about twice a second.

    Leaving it early stops the job. `commit_interval_s`: how often
    finished work must be committed; no task takes much longer. `tasks`: what each gets; None: as the session has it.
    `challengers`: those that get the rows of the next job, too. `check_between_jobs`: asked before each job but the
    first; with it a job has one task per slot, so that an error of it costs no work. `engine`: who runs the tasks in
    the place of Spark; `tasks` is of Spark's alone.

    Jobs:    one Spark job with a task per slot, each of which stops after `TASK_S` (`task_sizing`), between two
             batches, unless it would finish in the same time again; more jobs for what they leave, cut and
             distributed by the pace of the earlier ones. None for no parts.
             Of an engine that keeps no workers the first job has a task per part.
    Runs on: driver; its tasks run on executors, or in the engine's workers.
    Raises:  ScanUnsupported, ConfigError, PredictError, RowsNotPredicted, BatchTimeout naming the split, AccessDenied,
             TemporaryError, as text of a failed task.
    """
    jobs: ScanJobs = (
        SparkScanJobs(spark, scan, scorer.counters, tasks or plan_task_profile(spark, {}))
        if engine is None
        else EngineScanJobs(engine, scan, scorer.counters, scorer.model.secret)
    )
    running = _RunningScan(jobs, scan, scorer, location, key=key, commit_interval_s=commit_interval_s)
    running.choose_challengers, running.check_between_jobs = challengers, check_between_jobs
    yield from running.score_parts(list(parts))


class _RunningScan:
    """A running scan: what remains, and what its tasks have reported. Runs on the driver."""

    def __init__(
        self,
        jobs: ScanJobs,
        scan: FileScan,
        scorer: StageRowScorer,
        location: TableLocation,
        *,
        key: str,
        commit_interval_s: float,
    ) -> None:
        self._jobs, self._scan, self._scorer, self._location = jobs, scan, scorer, location
        self._key, self._commit_interval_s, self._slots = key, commit_interval_s, jobs.slots
        self.choose_challengers: Callable[[], Sequence[PassChallenger]] = tuple
        self.check_between_jobs: Callable[[], None] | None = None
        self._pace = Pace()
        self._layouts: dict[tuple[int, int], tuple[int, int]] = {}

    def score_parts(self, remaining: list[SplitPart]) -> Generator[list[ScoredPart], None, None]:
        """Run job after job; a job of which no task reports anything is the last one."""
        while remaining:
            planned = self._plan_tasks(remaining)
            tasks, later = (planned, []) if self.check_between_jobs is None else self._cut_wave(planned)
            scored: list[ScoredPart] = []
            for reported in self._run_job(tasks):
                scored += reported
                yield reported
            if not scored:
                return
            self._update_pace(scored)
            remaining = _remaining_parts([part for task in tasks for part in task], scored)
            remaining += [part for task in later for part in task]
            if remaining and self.check_between_jobs is not None:
                self.check_between_jobs()

    def _cut_wave(
        self, planned: Sequence[list[SplitPart]]
    ) -> tuple[Sequence[list[SplitPart]], Sequence[list[SplitPart]]]:
        return planned[: self._slots], planned[self._slots :]

    def _plan_tasks(self, remaining: Sequence[SplitPart]) -> list[list[SplitPart]]:
        if not self._pace.splits and not self._jobs.keeps_workers:  # a second job would load the model once more
            return [[part] for part in remaining]
        if not self._pace.splits:
            return split_evenly(remaining, min(self._slots, len(remaining)))
        parts = cut_parts(
            remaining,
            pace=self._pace,
            max_part_s=longest_part_s(self._commit_interval_s),
            slots=self._slots,
            lengths=lambda number: self._scan.reader.range_lengths(self._scan.splits[number]),
            layouts=self._layouts,
        )
        return assign_parts(parts, pace=self._pace, slots=self._slots)

    def _run_job(self, tasks: Sequence[Sequence[SplitPart]]) -> Generator[list[ScoredPart], None, None]:
        is_one_job = not self._jobs.keeps_workers and not self._pace.splits  # nothing is left for workers that are idle
        allowance = choose_allowance(
            len(tasks),
            slots=len(tasks) if is_one_job else self._slots,
            commit_interval_s=self._commit_interval_s,
            is_pace_known=bool(self._pace.splits) or is_one_job,
        )
        task = _StageWriterTask(
            self._scan.reader,
            self._scorer,
            self._location,
            self._key,
            self._jobs.reporter,
            allowance,
            tuple(self.choose_challengers()),
        )
        yield from self._jobs.run_tasks(task, tasks)

    def _update_pace(self, scored: Sequence[ScoredPart]) -> None:
        self._pace = self._pace.add_parts(scored)
        self._layouts |= {(part.split, part.last[0]): part.layout for part in scored if part.layout is not None}


def _remaining_parts(parts: Sequence[SplitPart], scored: Sequence[ScoredPart]) -> list[SplitPart]:
    """What remains of the parts."""
    scored_by_start = {(part.split, part.first): part for part in scored}
    remaining = (
        part
        if (part.split, part.first) not in scored_by_start
        else remaining_part(part, scored_by_start[part.split, part.first])
        for part in parts
    )
    return [rest for rest in remaining if rest is not None]


def score_scan_frame(spark: SparkSession, scan: FileScan, scorer: StageRowScorer, *, profile: Any = None) -> DataFrame:
    """The stage's rows of a scan as a frame, for stores to which only Spark can write.

    Jobs:    none.
    """
    splits = create_split_frame(spark, scan.splits, [[number] for number in range(len(scan.splits))])
    return map_stage_rows(
        splits, scorer, lambda score: _ScanFrameTask(scan.reader, score, scorer.model), profile=profile
    )


@dataclass(frozen=True, slots=True)
class _ScanFrameTask:
    reader: SplitReader
    score: BatchFunction
    model: ShippedModel

    def __call__(self, parts: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for _, split in iterate_splits(parts):
            with _name_split_in_errors(self.reader, split, self.model):
                yield from self.score(self.reader(split))


@dataclass(frozen=True, slots=True)
class _StageWriterTask:
    """One task: its parts one after the other, until its allowance is over. Runs on executors."""

    reader: SplitReader
    scorer: StageRowScorer
    location: TableLocation
    key: str
    reporter: PartReporter
    allowance: Allowance
    challengers: tuple[PassChallenger, ...] = ()

    def __call__(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        with ending_models():
            parts = [*iterate_parts(batches)]  # all: Spark gives up a worker that leaves its input unread
            yield from self._score_parts(parts)

    def _score_parts(self, parts: Sequence[tuple[SplitPart, bytes]]) -> Iterator[pa.RecordBatch]:
        task = _TaskProgress(self.allowance, sum(part.share for part, _ in parts))
        for number, (part, split) in enumerate(parts, 1):
            started_s, rows = task.spent_s(), self.reader.read_part(split, part.first, part.last)
            found, beside = PartSummaries(self.scorer.summaries), ChallengersOfPart(self.challengers, self.key)
            with _name_split_in_errors(self.reader, split, self.scorer.model), beside:
                source = found.follow_source(task.limit_to_allowance(rows, part.share), rows)
                staged = found.follow_staged(self.scorer(beside.follow_source(source)))
                files = write_stage_files(staged, self.scorer.schema, self.location, self.key, found.to_file_notes)
                beside.score_waiting()
                share = part.share * rows.share_read
                task.scored_share += share
                is_last = number == len(parts) or rows.share_read < 1 or task.is_over()
                if is_last:  # what models count now is a part of the last report
                    end_task_models()
                challengers = beside.close()
            report = self.reporter.report_part(
                ScoredPart(
                    split=part.split,
                    first=part.first,
                    last=rows.position,
                    ranges=rows.ranges,
                    files=tuple(files),
                    share=share,
                    seconds=task.spent_s() - started_s,
                    layout=rows.layout if rows.position[1] else None,
                    rows_read=found.rows_read,
                    read_s=beside.read_s,
                    challengers=challengers,
                ),
                self.scorer.counters,
            )
            yield pa.record_batch([pa.array([report], pa.binary())], schema=REPORT_SCHEMA)
            if is_last:
                return


class _TaskProgress:
    """How long a task has scored, and how much of its work that was."""

    def __init__(self, allowance: Allowance, work: float) -> None:
        self._allowance, self._work = allowance, work
        self._started, self._waited_s = time.monotonic(), model_wait_s()
        self.scored_share = 0.0

    def limit_to_allowance(self, rows: PartRows, share: float) -> Iterator[pa.RecordBatch]:
        """The batches of a part until the allowance is over: one at least."""
        for batch in rows:
            yield batch
            if self.spent_s() > self._allowance.min_s and self.is_over(extra_share=share * rows.share_read):
                return

    def is_over(self, *, extra_share: float = 0.0) -> bool:
        """Whether the task leaves the rest to others; never before something is scored."""
        scored_share = self.scored_share + extra_share
        return scored_share > 0 and self._allowance.is_over(
            spent_s=self.spent_s(), load_s=self._load_s, scored=scored_share, remaining=self._work - scored_share
        )

    def spent_s(self) -> float:
        """Seconds without those in which the model was loaded."""
        return time.monotonic() - self._started - self._load_s

    @property
    def _load_s(self) -> float:
        return model_wait_s() - self._waited_s


@contextmanager
def _name_split_in_errors(reader: SplitReader, split: bytes, model: ShippedModel) -> Iterator[None]:
    """Errors leave the block as `mark_task_errors` has it; where the model hung, with the split that it hung on."""
    with mark_task_errors(model.secret, sensitive=model.sensitive):
        try:
            yield
        except BatchTimeout as error:
            raise BatchTimeout(f"{error.found}: {reader.describe(split)}", error.expected, error.do) from None
