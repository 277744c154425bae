"""One MERGE that keeps the intervals of a table with valid_from and valid_to in order."""

from collections.abc import Callable, Sequence

from pyspark.sql import DataFrame, SparkSession

from sparkscore.schemas import VALID_FROM_COLUMN, VALID_TO_COLUMN
from sparkscore.spark.error_translation import translate_spark_errors
from sparkscore.spark.identifiers import quote_identifier
from sparkscore.spark.isolated_session import create_guarded_session, create_noted_session
from sparkscore.store.guarded_writes import retry_on_conflict
from sparkscore.store.table import Table

STEP_COLUMN = "_sparkscore_step"
WRITE, CUT, GONE = "write", "cut", "gone"
"""A row is written, or gets another end, or is removed."""


@retry_on_conflict
def merge_intervals(
    plan: Callable[[SparkSession], DataFrame],
    table: Table,
    *,
    keys: Sequence[str],
    app_id: str,
    version: int,
    note: str,
) -> None:
    """One MERGE of the rows that `plan` says; skipped by Delta where (app_id, version or a later one) is committed.

    The plan is made anew for each try, of what is visible then. Where the session lets nobody set the guard, equal
    plans give equal tables, and whoever commits meanwhile is a conflict.

    Needs:   a plan with unique (keys, valid_from), the table's columns and `STEP_COLUMN`.
    Jobs:    one MERGE.
    Raises:  PublishConflict if other writers keep committing first, AccessDenied.
    """
    guarded = create_guarded_session(table.spark, app_id=app_id, version=version, note=note)
    session = guarded or create_noted_session(table.spark, note)
    with translate_spark_errors(f"publishing into {table.name}"):
        target, source = table.in_session(session), plan(session)
        same = " AND ".join(f"t.{quote_identifier(name)} = s.{quote_identifier(name)}" for name in keys)
        names = [name for name in target.schema.names if name in source.columns]
        values = {quote_identifier(name): f"s.{quote_identifier(name)}" for name in names}
        builder = target.handle.alias("t").merge(
            source.alias("s"), f"{same} AND t.{VALID_FROM_COLUMN} = s.{VALID_FROM_COLUMN}"
        )
        builder = builder.whenMatchedDelete(f"s.{STEP_COLUMN} = '{GONE}'")
        builder = builder.whenMatchedUpdate(f"s.{STEP_COLUMN} = '{CUT}'", set={VALID_TO_COLUMN: f"s.{VALID_TO_COLUMN}"})
        builder = builder.whenMatchedUpdate(f"s.{STEP_COLUMN} = '{WRITE}'", set=values)
        builder.whenNotMatchedInsert(f"s.{STEP_COLUMN} = '{WRITE}'", values=values).execute()
