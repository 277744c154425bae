"""Accumulators of a process that runs for long."""

from pyspark import accumulators
from pyspark.sql import SparkSession

from sparkscore.spark.accumulator_registry import AccumulatorUpkeep


def test_only_those_that_are_old_are_forgotten(spark: SparkSession) -> None:
    registry = accumulators._accumulatorRegistry
    earlier, upkeep = dict(registry), AccumulatorUpkeep(kept=3)
    made = []
    for _ in range(10):
        made.append(spark.sparkContext.accumulator(0))
        upkeep.mark()
    kept = [one.aid in registry for one in made]
    assert kept == [False] * 7 + [True] * 3
    newest = made[-1]
    spark.sparkContext.parallelize(range(4), 2).foreach(newest.add)
    assert newest.value == 6
    registry.update(earlier)  # other tests' own
