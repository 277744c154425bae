"""The commits: the guarded MERGE, the idempotent append, the replacement of a demo table."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import reduce
from types import MappingProxyType

from delta.tables import DeltaTable
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from tenacity import retry, retry_if_exception_type, stop_after_attempt, wait_random_exponential

from sparkscore.errors import ConfigError, PublishConflict
from sparkscore.records import TableRef
from sparkscore.store.failures import border
from sparkscore.store.names import quoted, quoted_table
from sparkscore.store.tables import delta_table, newest_version

GONE = "_gone"
"""True in a source row of a MERGE whose key is to be deleted."""

retried = retry(
    retry=retry_if_exception_type(PublishConflict),
    stop=stop_after_attempt(5),
    wait=wait_random_exponential(multiplier=0.5, max=20),
    reraise=True,
)
"""Tries a commit again that another writer's commit has overtaken."""


def in_as_of(as_of: datetime, prefix: str = "") -> Column:
    """The rows of one as_of, with a literal on the partition: others are neither read nor in conflict."""
    moment = as_of.astimezone(UTC)
    return (F.col(f"{prefix}as_of_date") == F.lit(moment.date())) & (F.col(f"{prefix}as_of") == F.lit(moment))


@retried
def merge(
    source: DataFrame, table: TableRef, *, keys: Sequence[str], as_of: datetime, fresh: bool = False
) -> int | None:
    """One MERGE of `source` into one as_of: matched rows are updated, others inserted, `_gone` ones deleted.

    Returns how many were inserted; None where Delta skipped a commit that it has seen.

    `fresh` says that no row can match: then it only inserts, in one pass, and reads no file of another as_of.

    Needs:   a `source` of a `guarded` session, with unique keys, the table's columns and perhaps `_gone`.
    Raises:  PublishConflict when other writers keep winning, ConfigError when they changed the columns, AccessDenied.
    """
    columns = [name for name in source.columns if name != GONE]
    values: dict[str, str | Column] = {quoted(name): F.col(f"s.{quoted(name)}") for name in columns}
    on = reduce(
        Column.__and__, (F.col(f"t.{quoted(key)}") == F.col(f"s.{quoted(key)}") for key in keys), in_as_of(as_of, "t.")
    )
    with border(f"publishing into {table.name}"):
        target = delta_table(source.sparkSession, table)
        _refuse_other_columns(target, table, columns)
        builder = target.alias("t").merge(source.alias("s"), on)
        if GONE in source.columns:
            builder = builder.whenMatchedDelete(F.col(f"s.{GONE}"))
            builder = builder.whenMatchedUpdate(set=values).whenNotMatchedInsert(~F.col(f"s.{GONE}"), values=values)
        elif fresh:
            builder = builder.whenNotMatchedInsert(values=values)
        else:
            builder = builder.whenMatchedUpdate(set=values).whenNotMatchedInsert(values=values)
        told = builder.execute().collect()
    return int(told[0]["num_inserted_rows"]) if told else None


def amend(source: DataFrame, table: TableRef, *, keys: Sequence[str], where: Column) -> None:
    """One MERGE that only updates: rows of `table` (as `t`) that meet `where` and have the key of a row of `source`.

    Delta keeps the rows of a `source` that is no table while it merges, so that none is computed twice.

    Needs:   unique keys in `source`, none of them NULL.
    Raises:  PublishConflict, AccessDenied.
    """
    values: dict[str, str | Column] = {
        quoted(name): F.col(f"s.{quoted(name)}") for name in source.columns if name not in keys
    }
    on = reduce(Column.__and__, (F.col(f"t.{quoted(key)}") == F.col(f"s.{quoted(key)}") for key in keys))
    with border(f"updating {table.name}"):
        builder = delta_table(source.sparkSession, table).alias("t").merge(source.alias("s"), on)
        builder.whenMatchedUpdate(where, set=values).execute()


def _refuse_other_columns(target: DeltaTable, table: TableRef, columns: Sequence[str]) -> None:
    """Looked at before each try: whoever won may have changed the table, and one column more would be NULL."""
    found = set(target.toDF().columns)
    problems = [f"{name} is not written by the job" for name in sorted(found - set(columns))]
    problems += [f"{name} is missing" for name in sorted(set(columns) - found)]
    if problems:
        raise ConfigError(
            f"{table.name} was given another shape meanwhile: {'; '.join(problems)}",
            "the columns of the job's config",
            "put the table's columns right, or give output.table another name",
        )


def append_once(frame: DataFrame, table: TableRef, *, app_id: str, version: int) -> None:
    """One append, skipped by Delta when (app_id, version or a later one) is in the table already, its rows or not.

    Jobs:    one Spark job, none where it is skipped.
    Raises:  PublishConflict, AccessDenied.
    """
    append(frame, table, options={"txnAppId": app_id, "txnVersion": str(version)})


@retried
def append(
    frame: DataFrame, table: TableRef, *, options: Mapping[str, str] = MappingProxyType({}), mode: str = "append"
) -> None:
    """One append, or an overwrite; skipped by Delta where `txnAppId` and `txnVersion` are there already.

    Jobs:    one Spark job.
    Raises:  PublishConflict, AccessDenied.
    """
    writer = frame.write.format("delta").mode(mode).options(**options)
    with border(f"writing {table.name}"):
        if table.path is None:
            writer.saveAsTable(quoted_table(table))
        else:
            writer.save(table.path)


def overwrite_table(frame: DataFrame, path: str, *, comment: str, column_comments: Mapping[str, str]) -> int:
    """The version that holds exactly `frame`, with comments; for tables that the suite makes as examples."""
    columns = [
        F.col(quoted(name)).alias(name, metadata={"comment": column_comments.get(name, "")}) for name in frame.columns
    ]
    described = frame.select(*columns)
    table = TableRef(path, path)
    with border(f"writing {path}"):
        builder = (
            DeltaTable.createIfNotExists(frame.sparkSession)
            .location(path)
            .comment(comment)
            .addColumns(described.schema)
        )
        builder.property("delta.enableDeletionVectors", "false").execute()
        described.write.format("delta").mode("overwrite").option("overwriteSchema", "true").save(path)
    return newest_version(frame.sparkSession, table)
