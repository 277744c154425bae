"""A local Spark session for tables of a few rows."""

from pyspark.sql import SparkSession

_FEW_PARTITIONS = {"spark.sql.shuffle.partitions": "2", "spark.databricks.delta.snapshotPartitions": "1"}
"""Each partition is a task, and Delta shuffles the log of each table that it opens: a fifth of what such tests take."""


def start_small_session(app_name: str, *, master: str) -> SparkSession:
    """As the jobs' own, with as many partitions as a few rows need."""
    from sparkscore.spark.session import start_local_session

    session = start_local_session(app_name, master=master)
    for name, value in _FEW_PARTITIONS.items():
        session.conf.set(name, value)
    return session
