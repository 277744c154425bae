"""Splits of files on their way to tasks."""

from collections.abc import Iterator, Sequence

import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession

from sparkscore.store.isolation import setting


def split_frame(spark: SparkSession, splits: Sequence[bytes], tasks: Sequence[Sequence[int]]) -> DataFrame:
    """The splits of each task, by number, as one partition.

    Spark makes a partition of each batch of an Arrow table; a small one it would deal out to as many as it has slots.

    Jobs:    none.
    """
    schema = pa.schema([("number", pa.int32()), ("split", pa.binary())])
    rows = ([{"number": number, "split": splits[number]} for number in task] for task in tasks)
    table = pa.Table.from_batches([pa.RecordBatch.from_pylist(part, schema) for part in rows])
    with setting(spark, "spark.sql.execution.arrow.localRelationThreshold", "0"):
        return spark.createDataFrame(table)


def numbered(parts: Iterator[pa.RecordBatch]) -> Iterator[tuple[int, bytes]]:
    """The splits of one task with their numbers. Runs on: executor."""
    for part in parts:
        for row in part.to_pylist():
            yield row["number"], row["split"]
