"""What the workers have done, summed by Spark."""

from typing import Any

from pyspark.accumulators import Accumulator, AccumulatorParam
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


class Told:
    """What tasks have told so far, each once: Spark takes it from the first of a task's tries that ends well."""

    def __init__(self, spark: SparkSession) -> None:
        self._told: Accumulator[list[Any]] = spark.sparkContext.accumulator([], _Appended())
        self._taken = 0

    def tell(self, facts: Any) -> None:
        """Runs on: executor."""
        self._told.add([facts])

    def new(self) -> list[Any]:
        """What was told since it was last asked. Runs on: driver."""
        found = self._told.value[self._taken :]
        self._taken += len(found)
        return found


class _Appended(AccumulatorParam[list[Any]]):
    def zero(self, value: list[Any]) -> list[Any]:
        return []

    def addInPlace(self, value1: list[Any], value2: list[Any]) -> list[Any]:  # noqa: N802  Spark's name
        value1.extend(value2)
        return value1
