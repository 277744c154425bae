"""Rows that retention no longer allows: counted, and deleted by one commit per table."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, time

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from sparkscore.records import TableRef
from sparkscore.store.failures import border
from sparkscore.store.history import NOTE
from sparkscore.store.isolation import noted
from sparkscore.store.monitored import BASELINE_AS_OF
from sparkscore.store.names import sql_name
from sparkscore.store.tables import EXPIRED_PROPERTY, delta_table, exists, load, properties
from sparkscore.store.writes import retried


def expired(spark: SparkSession, table: TableRef, *, before: date) -> Mapping[datetime, int]:
    """Rows per as_of that is older than a date; empty where there is no table.

    Jobs:    one small Spark job over the as_of of those partitions.
    """
    if not exists(spark, table):
        return {}
    frame = load(spark, table)
    with border(f"counting {table.name}"):
        rows = frame.where(_older(frame, before)).groupBy("as_of").agg(F.count(F.lit(1)).alias("rows")).collect()
    return {row["as_of"].astimezone(UTC): row["rows"] for row in rows}


@retried
def expire(spark: SparkSession, table: TableRef, *, before: date, job: str) -> None:
    """One commit that deletes the rows of every as_of older than a date.

    Partitions go as a whole: no file is rewritten, and a publish into a date that is kept is in no conflict.

    Jobs:    none for a partitioned table; for run events one that rewrites them.
    Raises:  PublishConflict when other writers keep winning, AccessDenied.
    """
    session = noted(spark, {NOTE: {"job": job, "expired_before": before.isoformat()}})
    frame = load(session, table)
    with border(f"removing expired rows of {table.name}"):
        delta_table(session, table).delete(_older(frame, before))


@retried
def remember_revisions(spark: SparkSession, predictions: TableRef, runs: TableRef, *, before: date) -> None:
    """Write into the prediction table's properties how far the revisions of expired as_ofs went.

    Delta's guards outlive rows, events and history: `--force` has to step over them.

    Jobs:    one small Spark job; a commit only where the number grows.
    Raises:  PublishConflict, AccessDenied.
    """
    if not exists(spark, predictions) or not exists(spark, runs):
        return
    frame = load(spark, runs)
    with border(f"reading {runs.name}"):
        greatest = frame.where(_older(frame, before)).agg(F.max("revision")).collect()[0][0] or 0
    if greatest > int(properties(spark, predictions).get(EXPIRED_PROPERTY, 0)):
        with border(f"changing the properties of {predictions.name}"):
            spark.sql(f"ALTER TABLE {sql_name(predictions)} SET TBLPROPERTIES ('{EXPIRED_PROPERTY}' = '{greatest}')")


def _older(frame: DataFrame, before: date) -> Column:
    """The rows of older as_ofs, by the partition alone where there is one."""
    if "as_of_date" in frame.columns:  # a model's training data is of no as_of, and stays
        return (F.col("as_of_date") < F.lit(before)) & (F.col("as_of_date") > F.lit(BASELINE_AS_OF.date()))
    return F.col("as_of") < F.lit(datetime.combine(before, time(), UTC))
