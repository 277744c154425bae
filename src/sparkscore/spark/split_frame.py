"""Splits of files on their way to tasks."""

from collections.abc import Iterator, Sequence
from typing import Any

import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession

from sparkscore.records import SplitPart
from sparkscore.spark.isolated_session import override_setting

_PART_SCHEMA = pa.schema(
    [
        ("split", pa.int32()),
        ("first", pa.list_(pa.int64())),
        ("last", pa.list_(pa.int64())),
        ("share", pa.float64()),
        ("content", pa.binary()),
    ]
)


def create_split_frame(spark: SparkSession, splits: Sequence[bytes], tasks: Sequence[Sequence[int]]) -> DataFrame:
    """The splits of each task, by number, as one partition.

    Jobs:    none.
    """
    return create_part_frame(spark, splits, [[SplitPart(number) for number in task] for task in tasks])


def create_part_frame(spark: SparkSession, splits: Sequence[bytes], tasks: Sequence[Sequence[SplitPart]]) -> DataFrame:
    """The parts of splits of each task as one partition.

    Spark makes a partition of each batch of an Arrow table; it would distribute a small one over all slots.

    Jobs:    none.
    """
    rows = ([_to_part_row(part) | {"content": splits[part.split]} for part in task] for task in tasks)
    table = pa.Table.from_batches([pa.RecordBatch.from_pylist(task, _PART_SCHEMA) for task in rows])
    with override_setting(spark, "spark.sql.execution.arrow.localRelationThreshold", "0"):
        return spark.createDataFrame(table)


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
