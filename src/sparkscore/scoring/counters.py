"""What the workers have done, summed by Spark."""

from pyspark.accumulators import Accumulator
from pyspark.sql import SparkSession


class Counters:
    """Rows and loads so far. A task that is tried again counts again."""

    def __init__(self, spark: SparkSession) -> None:
        self._rows: Accumulator[int] = spark.sparkContext.accumulator(0)
        self._loads: Accumulator[int] = spark.sparkContext.accumulator(0)

    def add_rows(self, rows: int) -> None:
        """Runs on: executor."""
        self._rows.add(rows)

    def add_load(self) -> None:
        """Runs on: executor."""
        self._loads.add(1)

    @property
    def rows(self) -> int:
        """Rows that the model has predicted so far."""
        return self._rows.value

    @property
    def loads(self) -> int:
        """How many times a process loaded the model so far."""
        return self._loads.value
