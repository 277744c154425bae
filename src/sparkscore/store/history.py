"""What a table's history and rows say of a run: the only proof that it is published."""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from sparkscore.records import TableRef, utc_text
from sparkscore.store.failures import border
from sparkscore.store.tables import EXPIRED_PROPERTY, delta_table, exists, load, properties
from sparkscore.store.writes import in_as_of

NOTE = "sparkscore"
"""Key of our note in a commit's userMetadata."""


def held(spark: SparkSession, table: TableRef, as_of: datetime) -> dict[str, int]:
    """Rows per run_id that readers see for an as_of now; empty where there is no table.

    Jobs:    one Spark job over one partition's run_id column.
    """
    if not exists(spark, table):
        return {}
    with border(f"counting {table.name}"):
        rows = (
            load(spark, table).where(in_as_of(as_of)).groupBy("run_id").agg(F.count(F.lit(1)).alias("rows")).collect()
        )
    return {row["run_id"]: row["rows"] for row in rows}


def commit_of(spark: SparkSession, table: TableRef, run_id: str) -> tuple[int, Mapping[str, Any]] | None:
    """Version and note of the commit that published a run; None where the history no longer holds it."""
    with border(f"reading the history of {table.name}"):
        commits = (
            delta_table(spark, table)
            .history()
            .where(F.col("userMetadata").contains(run_id))
            .select("version", "userMetadata")
            .collect()
        )
    for commit in sorted(commits, key=lambda row: row["version"], reverse=True):
        note = json.loads(commit["userMetadata"]).get(NOTE, {})
        if note.get("run_id") == run_id:
            return int(commit["version"]), note
    return None


def committed_revision(spark: SparkSession, table: TableRef, *, job: str, as_of: datetime) -> int:
    """The greatest revision of an as_of in the table's history, 0 without one; Delta's guard skips up to it.

    At least that of the as_ofs that retention has removed: the guards of those outlive their history.
    """
    if not exists(spark, table):
        return 0
    with border(f"reading the history of {table.name}"):
        commits = (
            delta_table(spark, table)
            .history()
            .where(F.col("userMetadata").contains(f'"{NOTE}"'))
            .select("userMetadata")
            .collect()
        )
    notes = [json.loads(commit["userMetadata"]).get(NOTE, {}) for commit in commits]
    mine = [note for note in notes if note.get("job") == job and note.get("as_of") == utc_text(as_of)]
    expired = int(properties(spark, table).get(EXPIRED_PROPERTY, 0))
    return max([expired, *(int(note["revision"]) for note in mine)])
