"""Splits of files on their way to tasks."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, TypeVar

import numpy as np
import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.types import StructType

from sparkscore.records import SplitPart
from sparkscore.spark.active_session import create_frame
from sparkscore.spark.session_kind import is_connect_session
from sparkscore.spark.settable_conf import override_setting

Item = TypeVar("Item")
PartWork = Callable[[Iterator[pa.RecordBatch]], Iterator[pa.RecordBatch]]
_CARRIED_BYTES = 256 << 10
"""Of the parts of all tasks, which each task gets."""
_CARRIED_OVER_CONNECT_BYTES = 64 << 20
"""Half of what a server of Connect takes in one message."""
_PART_SCHEMA = pa.schema(
    [
        ("split", pa.int32()),
        ("first", pa.list_(pa.int64())),
        ("last", pa.list_(pa.int64())),
        ("share", pa.float64()),
        ("content", pa.binary()),
    ]
)


def split_evenly(items: Sequence[Item], tasks: int) -> list[list[Item]]:
    """The items as so many lists, in order, none longer than another by more than one."""
    bounds = np.linspace(0, len(items), tasks + 1).astype(int).tolist()
    return [list(items[low:high]) for low, high in pairwise(bounds)]


def create_split_frame(spark: SparkSession, splits: Sequence[bytes], tasks: Sequence[Sequence[int]]) -> "PartFrame":
    """The splits of each task, by number, as one partition.

    Jobs:    none.
    """
    return create_part_frame(spark, splits, [[SplitPart(number) for number in task] for task in tasks])


def create_part_frame(
    spark: SparkSession, splits: Sequence[bytes], tasks: Sequence[Sequence[SplitPart]]
) -> "PartFrame":
    """The parts of splits of each task as one partition.

    Jobs:    none.
    """
    return PartFrame(spark, batch_task_parts(splits, tasks))


def batch_task_parts(splits: Sequence[bytes], tasks: Sequence[Sequence[SplitPart]]) -> tuple[pa.RecordBatch, ...]:
    """The parts of each task as one batch, each part with its split."""
    rows = ([_to_part_row(part) | {"content": splits[part.split]} for part in task] for task in tasks)
    return tuple(pa.RecordBatch.from_pylist(task, _PART_SCHEMA) for task in rows)


@dataclass(frozen=True, slots=True)
class PartFrame:
    """Parts of splits on their way to tasks: a batch is what one task gets."""

    spark: SparkSession
    batches: Sequence[pa.RecordBatch]

    def mapInArrow(  # noqa: N802  as Spark's frames have it
        self, work: PartWork, schema: StructType | str, *, profile: Any = None
    ) -> DataFrame:
        """What the tasks make of their parts.

        Few parts travel with the function, which takes two calls to the JVM; a frame of them takes forty. So do all
        where the session refuses the setting that keeps a frame's parts apart. `profile`: of the tasks (`TaskProfile`).

        Jobs:    none.
        """
        # Connect keeps no partitions of a frame that comes from the client
        most = _CARRIED_OVER_CONNECT_BYTES if is_connect_session(self.spark) else _CARRIED_BYTES
        if sum(batch.nbytes for batch in self.batches) <= most:
            return self._carry_parts(work, schema, profile)
        # Spark makes a partition of each batch of an Arrow table; it would distribute a small one over all slots
        with override_setting(self.spark, "spark.sql.execution.arrow.localRelationThreshold", "0") as is_set:
            if is_set:
                return create_frame(self.spark, pa.Table.from_batches(self.batches)).mapInArrow(
                    work, schema, profile=profile
                )
        return self._carry_parts(work, schema, profile)

    def _carry_parts(self, work: PartWork, schema: StructType | str, profile: Any) -> DataFrame:
        tasks = self.spark.range(0, len(self.batches), 1, len(self.batches))
        return tasks.mapInArrow(_CarriedParts(work, tuple(self.batches)), schema, profile=profile)


@dataclass(frozen=True, slots=True)
class _CarriedParts:
    """A task's work with the parts of all tasks: it takes those of its own number. Runs on: executor."""

    work: PartWork
    batches: tuple[pa.RecordBatch, ...]

    def __call__(self, numbers: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        own = [number for batch in numbers for number in batch.column(0).to_pylist()]
        return self.work(iter([self.batches[number] for number in own]))


def iterate_splits(parts: Iterator[pa.RecordBatch]) -> Iterator[tuple[int, bytes]]:
    """The splits of one task with their numbers. Runs on: executor."""
    for part, content in iterate_parts(parts):
        yield part.split, content


def iterate_parts(batches: Iterator[pa.RecordBatch]) -> Iterator[tuple[SplitPart, bytes]]:
    """The parts of one task, each with its split. Runs on: executor."""
    for batch in batches:
        for row in batch.to_pylist():
            last = None if row["last"] is None else (row["last"][0], row["last"][1])
            yield SplitPart(row["split"], (row["first"][0], row["first"][1]), last, row["share"]), row["content"]


def _to_part_row(part: SplitPart) -> dict[str, Any]:
    return {"split": part.split, "first": part.first, "last": part.last, "share": part.share}
