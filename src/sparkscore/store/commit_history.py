"""What a table's history and rows say about a run: the only proof that it is published."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from sparkscore.records import RunCommit, RunCommitNote, TableRef, parse_commit_note
from sparkscore.spark.error_translation import translate_spark_errors
from sparkscore.store.delta_tables import (
    EXPIRED_PROPERTY,
    is_delta_table,
    load_table,
    load_table_properties,
    open_delta_table,
)
from sparkscore.store.guarded_writes import as_of_condition


def count_rows_by_run(spark: SparkSession, table: TableRef, as_of: datetime) -> dict[str, int]:
    """Visible rows per run_id of an as_of; empty if there is no table.

    Jobs:    one Spark job over one partition's run_id column.
    """
    if not is_delta_table(spark, table):
        return {}
    with translate_spark_errors(f"counting {table.name}"):
        rows = (
            load_table(spark, table)
            .where(as_of_condition(as_of))
            .groupBy("run_id")
            .agg(F.count(F.lit(1)).alias("rows"))
            .collect()
        )
    return {row["run_id"]: row["rows"] for row in rows}


def load_commit_notes(spark: SparkSession, table: TableRef) -> list[tuple[int, Mapping[str, Any]]]:
    """Version and note of every commit, oldest first; an empty note for commits of others.

    Jobs:    one Spark job over the log.
    Raises:  TableNotFound, AccessDenied.
    """
    return [(version, parse_commit_note(text)) for version, text in _load_user_metadata(spark, table)]


def load_run_commits(spark: SparkSession, table: TableRef) -> list[RunCommit]:
    """The commits that published a run, oldest first.

    Jobs:    one Spark job over the log.
    Raises:  TableNotFound, AccessDenied.
    """
    found = ((version, RunCommitNote.from_json(text)) for version, text in _load_user_metadata(spark, table))
    return [RunCommit(version, note) for version, note in found if note is not None]


def _load_user_metadata(spark: SparkSession, table: TableRef) -> list[tuple[int, str | None]]:
    with translate_spark_errors(f"reading the history of {table.name}"):
        commits = open_delta_table(spark, table).history().select("version", "userMetadata").collect()
    return [(int(commit["version"]), commit["userMetadata"]) for commit in reversed(commits)]


def find_run_commit(spark: SparkSession, table: TableRef, run_id: str) -> RunCommit | None:
    """The commit that published a run; None if the history no longer holds it."""
    found = [commit for commit in load_run_commits(spark, table) if commit.note.run_id == run_id]
    return found[-1] if found else None


def load_committed_revision(spark: SparkSession, table: TableRef, *, job: str, as_of: datetime) -> int:
    """The greatest revision of an as_of in the table's history, 0 without one; Delta's guard skips up to it.

    At least that of the as_ofs that retention has removed: the guards of those outlive their history.
    """
    if not is_delta_table(spark, table):
        return 0
    notes = (commit.note for commit in load_run_commits(spark, table))
    expired = int(load_table_properties(spark, table).get(EXPIRED_PROPERTY, 0))
    return max([expired, *(note.revision for note in notes if (note.job, note.as_of) == (job, as_of))])
