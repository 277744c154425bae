"""Work in the background: its result, its failure, its Spark jobs, and how long one waits for it."""

from threading import Event

import pytest
from py4j.protocol import Py4JNetworkError
from pyspark import InheritableThread
from pyspark.sql import SparkSession

from sparkscore.spark.background_job import BackgroundJob, run_in_background


@pytest.mark.parametrize("starts_jobs", [True, False])
def test_its_result_and_its_failure_come_where_they_are_asked_for(spark: SparkSession, starts_jobs: bool) -> None:
    def fail() -> int:
        raise ValueError("no rows")

    with run_in_background(spark, lambda: 3, starts_jobs=starts_jobs) as job:
        assert job.result() == 3
    with run_in_background(spark, fail, starts_jobs=starts_jobs) as job, pytest.raises(ValueError, match="no rows"):
        job.result()


def test_that_spark_had_ended_when_its_thread_began_comes_where_its_result_is_asked_for(
    spark: SparkSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lose(_: object) -> None:
        raise Py4JNetworkError("Answer from Java side is empty")

    monkeypatch.setattr(InheritableThread, "run", lose)
    with run_in_background(spark, lambda: 3) as job, pytest.raises(Py4JNetworkError):
        job.result()


def test_its_spark_jobs_have_the_properties_of_the_caller_where_it_starts_jobs(spark: SparkSession) -> None:
    context = spark.sparkContext
    context.setLocalProperty("sparkscore.test", "kept")
    try:
        with run_in_background(spark, lambda: context.getLocalProperty("sparkscore.test")) as job:
            assert job.result() == "kept"
        with run_in_background(spark, lambda: spark.range(3).count(), starts_jobs=False) as counting:
            assert counting.result() == 3
    finally:
        context.setLocalProperty("sparkscore.test", "")


def test_one_waits_for_it_so_long_and_no_longer(spark: SparkSession) -> None:
    over = Event()
    job = BackgroundJob(spark, lambda: over.wait(60), starts_jobs=False)
    with pytest.raises(TimeoutError, match=r"after 0\.05 s"):
        job.result(seconds=0.05)
    over.set()
    assert job.result(seconds=60)
