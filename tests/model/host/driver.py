"""A Spark application that scores with a shipped model, and tells how often that was loaded.

`python -m tests.model.host.driver <pickled Application> <file for the outcomes, in JSON>`
"""

import json
import pickle
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Literal

import pyarrow as pa
from pyspark import SparkContext
from pyspark.sql import SparkSession

from sparkscore.model.distribution.model_shipping import configure_shipped_model, ship_model
from sparkscore.model.host.resident_model import get_resident_scorer
from sparkscore.records import PinnedModel
from sparkscore.spark.task_profiles import plan_task_profile

Residency = Literal["worker", "executor"]


@dataclass(frozen=True)
class Application:
    """What to run: a job with each residency, of as many rows as tasks."""

    model: PinnedModel
    loads: Path
    """Where the model leaves a file when it is loaded."""
    residencies: Sequence[Residency]
    tasks: int = 200
    conf: Mapping[str, str] | None = None
    resources: Mapping[str, float] | None = None
    """What each task gets by a profile of its stage; None: by the session's settings."""


@dataclass(frozen=True)
class Outcome:
    """What a job has come to."""

    pids: Sequence[str]
    """Of processes that loaded the model, once per load."""
    counted: int
    """Loads that the workers reported."""
    total: float
    """Sum of the predictions."""


def scored(spark: SparkSession, application: Application, residency: Residency) -> Outcome:
    """The outcome of one job."""
    before = set(application.loads.iterdir())
    shipped = ship_model(
        spark, application.model, configure_shipped_model(application.model, params={}, residency=residency)
    )
    counted = spark.sparkContext.accumulator(0)

    def task(rows: Iterable[int]) -> Iterator[float]:
        load = cache(lambda: get_resident_scorer(shipped, lambda: counted.add(1)))
        for row in rows:
            yield load()([pa.array([float(row)])]).predictions[0].as_py()

    def batch_task(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        scores = task(row for batch in batches for row in batch.column(0).to_pylist())
        yield pa.RecordBatch.from_pydict({"score": pa.array(scores, pa.float64())})

    if application.resources is None:
        total = spark.sparkContext.parallelize(range(application.tasks), application.tasks).mapPartitions(task).sum()
    else:
        profile = plan_task_profile(spark, application.resources).profile
        rows = spark.range(0, application.tasks, 1, application.tasks)
        total = sum(row.score for row in rows.mapInArrow(batch_task, "score double", profile=profile).collect())
    pids = [file.name.partition("-")[0] for file in set(application.loads.iterdir()) - before]
    return Outcome(pids, counted.value, total)


def main(application: Application) -> list[Outcome]:
    """The outcomes, of a session of its own."""
    builder = SparkSession.builder
    for name, value in (application.conf or {}).items():
        builder = builder.config(name, value)
    spark = builder.getOrCreate()
    try:
        return [scored(spark, application, residency) for residency in application.residencies]
    finally:
        spark.stop()


if __name__ == "__main__":
    assert SparkContext._active_spark_context is None
    outcomes = main(pickle.loads(Path(sys.argv[1]).read_bytes()))
    Path(sys.argv[2]).write_text(json.dumps([asdict(outcome) for outcome in outcomes]))
