"""Runs the tasks of a scan, by Spark or by another engine, and brings back what they report. Runs on the driver."""

from collections.abc import Generator, Sequence
from contextlib import closing
from functools import partial
from typing import Protocol

from pyspark.sql import SparkSession
from pyspark.sql.pandas.types import from_arrow_schema

from sparkscore.errors import EngineTaskError
from sparkscore.records import FileScan, ScoredPart, ScoringEngine, SplitPart, StageTask
from sparkscore.scoring.counters import Counters
from sparkscore.scoring.part_reports import (
    REPORT_SCHEMA,
    PartReporter,
    RowReporter,
    decode_part_report,
    open_part_reports,
)
from sparkscore.scoring.task_errors import recover_task_error
from sparkscore.spark.background_job import run_in_background
from sparkscore.spark.split_frame import batch_task_parts, create_part_frame
from sparkscore.spark.task_profiles import TaskProfile


class ScanJobs(Protocol):
    """Jobs whose tasks score parts of a scan."""

    @property
    def slots(self) -> int:
        """How many tasks run at once."""

    @property
    def keeps_workers(self) -> bool:
        """Whether the models of one job are there for the next."""

    @property
    def reporter(self) -> PartReporter:
        """What tasks report with."""

    def run_tasks(
        self, task: StageTask, tasks: Sequence[Sequence[SplitPart]]
    ) -> Generator[list[ScoredPart], None, None]:
        """Run one job: the task once for each of these lists of parts; yields what was reported since, twice a second.

        Leaving it early stops the job.
        """


class SparkScanJobs:
    """Spark runs them."""

    keeps_workers = True

    def __init__(self, spark: SparkSession, scan: FileScan, counters: Counters, tasks: TaskProfile) -> None:
        self._spark, self._splits, self._profile, self.slots = spark, scan.splits, tasks.profile, tasks.slots
        self._reports = open_part_reports(spark, counters)

    @property
    def reporter(self) -> PartReporter:
        """What tasks report with."""
        return self._reports.reporter

    def run_tasks(
        self, task: StageTask, tasks: Sequence[Sequence[SplitPart]]
    ) -> Generator[list[ScoredPart], None, None]:
        """Jobs: one Spark job."""
        frame = create_part_frame(self._spark, self._splits, tasks).mapInArrow(
            task, from_arrow_schema(REPORT_SCHEMA), profile=self._profile
        )
        with run_in_background(self._spark, partial(self._reports.run_tasks, frame)) as job:
            for _ in job.ticks():
                yield self._reports.take_new_reports()
            job.result()


class EngineScanJobs:
    """Another engine runs them.

    Needs:   counters that travel; `secret`: the attempt's, which its tasks sign errors with.
    """

    def __init__(self, engine: ScoringEngine, scan: FileScan, counters: Counters, secret: str) -> None:
        self._engine, self._splits, self._counters, self._secret = engine, scan.splits, counters, secret
        self.slots, self.keeps_workers = engine.slots, engine.keeps_workers

    @property
    def reporter(self) -> PartReporter:
        """What tasks report with."""
        return RowReporter()

    def run_tasks(
        self, task: StageTask, tasks: Sequence[Sequence[SplitPart]]
    ) -> Generator[list[ScoredPart], None, None]:
        """Jobs: none of Spark."""
        with closing(self._engine.run_tasks(task, batch_task_parts(self._splits, tasks))) as running:
            try:
                for reports in running:
                    yield [self._decode_report(report) for report in reports]
            except EngineTaskError as error:
                last = error.found.strip().rpartition("\n")[2]
                raise recover_task_error(error, self._secret) or EngineTaskError(last) from None

    def _decode_report(self, report: bytes) -> ScoredPart:
        part, counts = decode_part_report(report)
        self._counters.add_travelled(counts)
        return part
