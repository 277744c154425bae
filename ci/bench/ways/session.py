"""The Spark session of this benchmark, the same for ours and for what people do with Spark today."""

import os

from pyspark.sql import SparkSession

DRIVER_MEMORY = "4g"


def session(name: str) -> SparkSession:
    """Two slots on this machine, Delta, and a heap that 16 M rows fit into."""
    from sparkscore.spark.session import start_local_session

    slots = os.environ.get("BENCH_PARALLELISM")
    parallelism = f"--conf spark.default.parallelism={slots} " if slots else ""
    os.environ["PYSPARK_SUBMIT_ARGS"] = f"--driver-memory {DRIVER_MEMORY} {parallelism}pyspark-shell"
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")
    return start_local_session(name, master="local[2]")
