"""Counts and deletes rows that retention no longer allows, by one commit per table."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, time

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from sparkscore.records import format_commit_note
from sparkscore.spark.error_translation import translate_spark_errors
from sparkscore.spark.isolated_session import create_noted_session
from sparkscore.spark.sql_texts import date_literal, timestamp_literal
from sparkscore.store.guarded_writes import retry_on_conflict
from sparkscore.store.monitoring_tables import BASELINE_AS_OF
from sparkscore.store.table import Table
from sparkscore.store.table_contracts import EXPIRED_PROPERTY


def count_expired_rows(table: Table, *, before: date) -> Mapping[datetime, int]:
    """Rows of each as_of older than a date; empty if there is no table.

    Jobs:    one small Spark job over the as_of of those partitions.
    """
    if not table.exists():
        return {}
    frame = table.load_rows()
    with translate_spark_errors(f"counting {table.name}"):
        rows = frame.where(_is_expired(frame, before)).groupBy("as_of").agg(F.count(F.lit(1)).alias("rows")).collect()
    return {row["as_of"].astimezone(UTC): row["rows"] for row in rows}


@retry_on_conflict
def delete_expired_rows(table: Table, *, before: date, job: str) -> None:
    """One commit that deletes the rows of every as_of older than a date.

    Whole partitions are deleted: no file is rewritten, and a publish of a kept date is not in conflict.

    Jobs:    none for a partitioned table; for run events one that rewrites them.
    Raises:  PublishConflict if other writers keep committing first, AccessDenied.
    """
    session = create_noted_session(table.spark, format_commit_note({"job": job, "expired_before": before.isoformat()}))
    own = table.in_session(session)
    with translate_spark_errors(f"removing expired rows of {table.name}"):
        own.handle.delete(_is_expired(own.load_rows(), before))


@retry_on_conflict
def record_expired_revision(predictions: Table, runs: Table, *, before: date) -> None:
    """Store the greatest revision of expired as_ofs in the prediction table's properties.

    Delta's guards outlive rows, events and history: `--force` must take a later revision.

    Jobs:    one small Spark job; a commit only where the number grows.
    Raises:  PublishConflict, AccessDenied.
    """
    if not predictions.exists() or not runs.exists():
        return
    frame = runs.load_rows()
    with translate_spark_errors(f"reading {runs.name}"):
        greatest = frame.where(_is_expired(frame, before)).agg(F.max("revision")).collect()[0][0] or 0
    if greatest > int(predictions.refresh().properties.get(EXPIRED_PROPERTY, 0)):
        with translate_spark_errors(f"changing the properties of {predictions.name}"):
            predictions.spark.sql(
                f"ALTER TABLE {predictions.sql_name} SET TBLPROPERTIES ('{EXPIRED_PROPERTY}' = '{greatest}')"
            )
        predictions.refresh()


def _is_expired(frame: DataFrame, before: date) -> str:
    """The rows of older as_ofs as SQL, by the partition alone where there is one."""
    if "as_of_date" in frame.columns:  # a model's training data is of no as_of, and stays
        return f"as_of_date < {date_literal(before)} AND as_of_date > {date_literal(BASELINE_AS_OF.date())}"
    return f"as_of < {timestamp_literal(datetime.combine(before, time(), UTC))}"
