"""Ours over Spark Connect: the server in this process's own JVM, with what the classic session has."""

import os
from collections.abc import Mapping

from pyspark.sql import SparkSession

from bench.ways.ours import count_days, run_job
from bench.ways.serve import Way, serve
from bench.ways.session import DRIVER_MEMORY


def start() -> Mapping[str, Way]:
    """One session for all turns."""
    from sparkscore.spark.session import choose_server_conf

    os.environ["PYSPARK_SUBMIT_ARGS"] = f"--driver-memory {DRIVER_MEMORY} pyspark-shell"
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")
    builder = SparkSession.builder.remote("local[2]")
    for name, value in choose_server_conf().items():
        builder = builder.config(name, value)
    spark, days = builder.getOrCreate(), count_days()
    return {"job_alone": lambda turn: run_job(spark, turn, next(days))}


if __name__ == "__main__":
    serve(start)
