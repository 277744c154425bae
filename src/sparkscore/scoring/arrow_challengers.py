"""Challengers where Spark reads the rows: they get the champion's batches, and write their stage files in the task."""

import time
from collections.abc import Iterator
from dataclasses import dataclass

import pyarrow as pa

from sparkscore.records import ScoredPart
from sparkscore.scoring.challengers_of_part import ChallengersOfPart, PassChallenger
from sparkscore.scoring.counters import Counters
from sparkscore.scoring.part_reports import PartReporter
from sparkscore.scoring.stage_rows import BatchFunction
from sparkscore.scoring.task_models import end_task_models, ending_models, model_wait_s


@dataclass(frozen=True, slots=True)
class ArrowChallengers:
    """What a task does beside the champion. Pickled into every task."""

    challengers: tuple[PassChallenger, ...]
    key: str
    reporter: PartReporter
    counters: Counters
    job: int = 0
    """Which of the run's jobs it is: tasks of several have the same numbers."""

    def follow(self, score: BatchFunction) -> BatchFunction:
        """The champion's function, with the challengers beside it."""
        return _FollowedBatchScorer(score, self)


@dataclass(frozen=True, slots=True)
class _FollowedBatchScorer:
    score: BatchFunction
    beside: ArrowChallengers

    def __call__(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        task, waited_s, spent_s = ChallengersOfPart(self.beside.challengers, self.beside.key), model_wait_s(), 0.0
        with ending_models(), task:
            scored = self.score(task.follow_source(iter(batches)))
            while True:
                started = time.monotonic()
                batch = next(scored, None)
                spent_s += time.monotonic() - started
                if batch is None:
                    break
                yield batch
            started = time.monotonic()
            task.score_waiting()
            end_task_models()
            found = task.close()
            spent_s += time.monotonic() - started - (model_wait_s() - waited_s)
        number = (self.beside.job << 32) + _partition()
        part = ScoredPart(number, (0, 0), (1, 0), 1, seconds=spent_s, read_s=task.read_s, challengers=found)
        self.beside.reporter.report_part(part, self.beside.counters)


def _partition() -> int:
    from pyspark import TaskContext

    context = TaskContext.get()
    return 0 if context is None else context.partitionId()
