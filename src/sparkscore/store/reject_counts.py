"""Counts the rejects of runs."""

from datetime import UTC

from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from sparkscore.records import RejectCount, TableRef
from sparkscore.spark.error_translation import translate_spark_errors
from sparkscore.store.delta_tables import check_table_owner, is_delta_table, load_table


def count_rejects(spark: SparkSession, table: TableRef, *, job: str, run_id: str | None = None) -> list[RejectCount]:
    """How many rows each run, or this one, has rejected for which reason, oldest first; empty if there are none.

    Jobs:    one Spark job.
    Raises:  ForeignTable.
    """
    if not is_delta_table(spark, table):
        return []
    check_table_owner(spark, table, job=job)
    rejects = load_table(spark, table)
    mine = rejects if run_id is None else rejects.where(F.col("run_id") == run_id)
    grouped = mine.groupBy("as_of", "run_id", "code", "error")
    counts = grouped.agg(F.count(F.lit(1)).alias("rows"), F.min("scored_at").alias("at"))
    with translate_spark_errors(f"counting {table.name}"):
        found = counts.orderBy("as_of", "at", "run_id", "code", "error").collect()
    return [
        RejectCount(row["as_of"].astimezone(UTC), row["run_id"], row["code"], row["error"], row["rows"])
        for row in found
    ]
