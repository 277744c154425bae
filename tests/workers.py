"""The Python workers of a local session."""

from typing import Any

from pyspark.sql import SparkSession


def end_idle_workers(spark: SparkSession) -> None:
    """End all workers of the session's JVM; Spark starts new ones.

    Needs:   no task runs.
    """
    gateway: Any = spark.sparkContext._gateway
    for daemon in gateway.jvm.java.lang.ProcessHandle.current().children().toArray():
        for worker in daemon.children().toArray():
            worker.destroyForcibly()
