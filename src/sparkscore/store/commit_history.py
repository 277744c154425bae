"""What a table's history and rows say about a run: the only proof that it is published."""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from sparkscore.records import TableRef, to_utc_text
from sparkscore.spark.error_translation import translate_spark_errors
from sparkscore.store.delta_tables import (
    EXPIRED_PROPERTY,
    is_delta_table,
    load_table,
    load_table_properties,
    open_delta_table,
)
from sparkscore.store.guarded_writes import as_of_condition

NOTE_KEY = "sparkscore"
"""Key of our note in a commit's userMetadata."""


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
    with translate_spark_errors(f"reading the history of {table.name}"):
        commits = open_delta_table(spark, table).history().select("version", "userMetadata").collect()
    return [(int(commit["version"]), _parse_commit_note(commit["userMetadata"])) for commit in reversed(commits)]


def format_commit_note(note: Mapping[str, Any]) -> str:
    """The note as a commit's `userMetadata`."""
    return json.dumps({NOTE_KEY: note}, sort_keys=True, separators=(",", ":"), default=str)


def _parse_commit_note(text: str | None) -> Mapping[str, Any]:
    try:
        found = json.loads(text or "{}").get(NOTE_KEY, {})
    except (ValueError, AttributeError):  # somebody else's words
        return {}
    return found if isinstance(found, dict) else {}


def find_run_commit(spark: SparkSession, table: TableRef, run_id: str) -> tuple[int, Mapping[str, Any]] | None:
    """Version and note of the commit that published a run; None if the history no longer holds it."""
    found = [(version, note) for version, note in load_commit_notes(spark, table) if note.get("run_id") == run_id]
    return found[-1] if found else None


def load_committed_revision(spark: SparkSession, table: TableRef, *, job: str, as_of: datetime) -> int:
    """The greatest revision of an as_of in the table's history, 0 without one; Delta's guard skips up to it.

    At least that of the as_ofs that retention has removed: the guards of those outlive their history.
    """
    if not is_delta_table(spark, table):
        return 0
    mine = (
        note
        for _, note in load_commit_notes(spark, table)
        if (note.get("job"), note.get("as_of")) == (job, to_utc_text(as_of))
    )
    expired = int(load_table_properties(spark, table).get(EXPIRED_PROPERTY, 0))
    return max([expired, *(int(note["revision"]) for note in mine)])
