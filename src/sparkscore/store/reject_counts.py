"""Counts the rejects of runs."""

from datetime import UTC

from pyspark.sql import functions as F

from sparkscore.records import RejectCount
from sparkscore.spark.error_translation import translate_spark_errors
from sparkscore.store.table import Table
from sparkscore.store.table_growth import check_table_owner


def count_rejects(table: Table, *, job: str, run_id: str | None = None) -> list[RejectCount]:
    """How many rows each run, or this one, has rejected for which reason, oldest first; empty if there are none.

    Jobs:    one Spark job.
    Raises:  ForeignTable.
    """
    if not table.exists():
        return []
    check_table_owner(table, job=job)
    rejects = table.load_rows()
    mine = rejects if run_id is None else rejects.where(F.col("run_id") == run_id)
    grouped = mine.groupBy("as_of", "run_id", "code", "error")
    counts = grouped.agg(F.count(F.lit(1)).alias("rows"), F.min("scored_at").alias("at"))
    with translate_spark_errors(f"counting {table.name}"):
        found = counts.orderBy("as_of", "at", "run_id", "code", "error").collect()
    return [
        RejectCount(row["as_of"].astimezone(UTC), row["run_id"], row["code"], row["error"], row["rows"])
        for row in found
    ]
