"""What the scan expects of whoever runs its tasks in the place of Spark. `sparkscore.engines` has them."""

from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import pyarrow as pa

StageTask = Callable[[Iterator[pa.RecordBatch]], Iterator[pa.RecordBatch]]
"""A task of the scan: parts of splits -> rows with one column, the reports of what it has scored. Pickled."""


class ScoringEngine(Protocol):
    """Runs tasks in processes of its own, one at a time in each, and tries those again whose process has ended."""

    @property
    def name(self) -> str:
        """As `scoring.engine` has it."""

    @property
    def slots(self) -> int:
        """How many tasks run at once."""

    @property
    def keeps_workers(self) -> bool:
        """Whether the processes, and the models in them, outlive a call of `run_tasks`."""

    def run_tasks(self, task: StageTask, parts: Sequence[pa.RecordBatch]) -> Generator[list[bytes], None, None]:
        """Run the task once for each batch of parts; yields the reports of those that have ended, about twice a second.

        Leaving it early stops the tasks.

        Raises:  EngineTaskError for a task that raised something; PredictError where the process of a task ended each
                 time that it was tried.
        """


@dataclass(frozen=True, slots=True)
class EngineOptions:
    """Where an engine runs tasks, and what each worker has."""

    address: str | None = None
    """Of a cluster; None: on this machine, as long as the run lasts."""
    workers: int | None = None
    """None: as many as there is room for; on this machine `cores`."""
    worker_cpus: float = 1.0
    worker_gpus: float = 0.0
    cores: int = 1
    """As many as Spark uses."""
