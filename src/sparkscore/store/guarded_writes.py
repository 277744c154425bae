"""The commits: the guarded MERGE, the idempotent append, the replacement of a demo table."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from types import MappingProxyType
from typing import NamedTuple

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from tenacity import retry, retry_if_exception_type, stop_after_attempt, wait_random_exponential

from sparkscore.errors import ConfigError, PublishConflict
from sparkscore.records import TableRef
from sparkscore.schemas import GONE_COLUMN
from sparkscore.spark.error_translation import translate_spark_errors
from sparkscore.spark.identifiers import quote_identifier, quote_table
from sparkscore.spark.sql_texts import date_literal, timestamp_literal
from sparkscore.spark.type_widening import align_columns
from sparkscore.store.delta_handle import create_delta_table
from sparkscore.store.table import Table

retry_on_conflict = retry(
    retry=retry_if_exception_type(PublishConflict),
    stop=stop_after_attempt(5),
    wait=wait_random_exponential(multiplier=0.5, max=20),
    reraise=True,
)
"""Tries a commit again that another writer's commit has overtaken."""


class MergeCounts(NamedTuple):
    """What a MERGE did."""

    inserted: int
    deleted: int


def as_of_condition(as_of: datetime, prefix: str = "") -> str:
    """The rows of one as_of as SQL, with a literal on the partition: others are neither read nor in conflict."""
    day = as_of.astimezone(UTC).date()
    return f"{prefix}as_of_date = {date_literal(day)} AND {prefix}as_of = {timestamp_literal(as_of)}"


@retry_on_conflict
def merge_into_table(
    source: DataFrame,
    table: Table,
    *,
    keys: Sequence[str],
    as_of: datetime,
    fresh: bool = False,
    further_as_ofs: Sequence[datetime] = (),
) -> MergeCounts | None:
    """One MERGE of `source` into one as_of: matched rows are updated, others inserted, `_gone` ones deleted.

    Returns how many were inserted and deleted; None if Delta skipped a commit that it has already seen.

    `further_as_ofs`: those of other rows to delete, which the source names by its column `as_of`.

    `fresh` says that no row can match: then it only inserts, in one pass, and reads no file of another as_of.

    Columns of the table that `source` lacks become NULL.

    Needs:   a `source` of a guarded session, with unique keys, columns of the table and perhaps `_gone`.
    Raises:  PublishConflict if other writers keep committing first, ConfigError for removed columns, AccessDenied.
    """
    on = f"{_same_keys(keys)} AND {_as_ofs_condition(as_of, further_as_ofs)}"
    with translate_spark_errors(f"publishing into {table.name}"):
        target = table.in_session(source.sparkSession)  # anew for each try: whoever won may have changed the table
        values = _align_with_table(source, target)
        builder = target.handle.alias("t").merge(values.alias("s"), on)
        if GONE_COLUMN in values.columns:
            builder = builder.whenMatchedDelete(f"s.{GONE_COLUMN}").whenMatchedUpdateAll()
            builder = builder.whenNotMatchedInsertAll(f"NOT s.{GONE_COLUMN}")
        elif fresh:
            builder = builder.whenNotMatchedInsertAll()
        else:
            builder = builder.whenMatchedUpdateAll().whenNotMatchedInsertAll()
        metrics = builder.execute().collect()
    return MergeCounts(metrics[0]["num_inserted_rows"], metrics[0]["num_deleted_rows"]) if metrics else None


@retry_on_conflict
def insert_into_table(source: DataFrame, table: Table, *, app_id: str, version: int, note: str) -> None:
    """One append of `source`, with what `merge_into_table` gives it; skipped by Delta where (app_id, version or a
    later one) is committed already, also by a writer that is faster at this moment.

    Jobs:    one Spark job, none where it is skipped.
    Raises:  as `merge_into_table`.
    """
    with translate_spark_errors(f"publishing into {table.name}"):
        target = table.in_session(source.sparkSession)
        values = _align_with_table(source, target)
    options = {"txnAppId": app_id, "txnVersion": str(version), "userMetadata": note}
    _write_rows(values, target, options=options, mode="append")


@retry_on_conflict
def replace_rows_in_table(
    load_source: Callable[[], DataFrame],
    table: Table,
    *,
    choose_rows: Callable[[], str],
    app_id: str,
    version: int,
    note: str,
) -> None:
    """One commit that puts the rows of a source in the place of those that meet a condition, guarded by the writer's
    options alone; skipped by Delta where (app_id, version or a later one) is committed already.

    Source and condition are asked for anew for each try. Whoever commits rows that meet the condition, or a commit
    with the same `app_id`, after the condition was chosen and before this commit is a conflict; but for appends
    without that guard where the table's isolation level lets them pass, as Databricks' default does.

    Needs:   a source whose rows meet the condition.
    Jobs:    one that writes the rows, and one that rewrites files with other rows beside those that are replaced.
    Raises:  as `merge_into_table`, and what the two functions raise.
    """
    condition, source = choose_rows(), load_source()
    with translate_spark_errors(f"publishing into {table.name}"):
        values = _align_with_table(source, table.in_session(source.sparkSession))
    options = {"replaceWhere": condition, "txnAppId": app_id, "txnVersion": str(version), "userMetadata": note}
    _write_rows(values, table, options=options, mode="overwrite")


def update_matched_rows(source: DataFrame, table: Table, *, keys: Sequence[str], where: str) -> None:
    """One MERGE that only updates: rows of `table` (as `t`) that meet `where` and have the key of a row of `source`.

    Delta keeps the rows of a `source` that is no table while it merges, so that none is computed twice.

    Needs:   unique keys in `source`, none of them NULL.
    Raises:  PublishConflict, AccessDenied.
    """
    values: dict[str, str | Column] = {
        quote_identifier(name): f"s.{quote_identifier(name)}" for name in source.columns if name not in keys
    }
    with translate_spark_errors(f"updating {table.name}"):
        builder = table.in_session(source.sparkSession).handle.alias("t").merge(source.alias("s"), _same_keys(keys))
        builder.whenMatchedUpdate(where, set=values).execute()


def _as_ofs_condition(as_of: datetime, further: Sequence[datetime]) -> str:
    if not further:
        return as_of_condition(as_of, "t.")
    days = sorted({one.astimezone(UTC).date() for one in (as_of, *further)})
    return f"t.as_of_date IN ({', '.join(map(date_literal, days))}) AND t.as_of = s.as_of"


def _same_keys(keys: Sequence[str]) -> str:
    return " AND ".join(f"t.{quote_identifier(key)} = s.{quote_identifier(key)}" for key in keys)


def _align_with_table(source: DataFrame, table: Table) -> DataFrame:
    """The source with exactly the table's columns, as the table's types, and with `_gone` if it has it.

    Raises:  ConfigError where the table lacks a column of the source.
    """
    found, wanted = source.schema, table.schema
    missing = sorted(set(found.names) - {GONE_COLUMN} - set(wanted.names))
    if missing:
        raise ConfigError(
            f"another writer removed columns of {table.name} meanwhile: {', '.join(missing)}",
            "the columns of the job's config",
            "run it again: it adds them, or says what is in the way",
        )
    own = [field for field in found if field.name != GONE_COLUMN]
    if [(one.name, one.dataType) for one in own] == [(one.name, one.dataType) for one in wanted]:
        return source
    return source.selectExpr(*align_columns(found, wanted), *(one.name for one in found if one.name == GONE_COLUMN))


def append_rows_once(frame: DataFrame, table: Table, *, app_id: str, version: int) -> None:
    """One append, skipped by Delta when (app_id, version or a later one) is in the table already, its rows or not.

    Jobs:    one Spark job, none where it is skipped.
    Raises:  PublishConflict, AccessDenied.
    """
    append_rows(frame, table, options={"txnAppId": app_id, "txnVersion": str(version)})


@retry_on_conflict
def append_rows(
    frame: DataFrame, table: Table, *, options: Mapping[str, str] = MappingProxyType({}), mode: str = "append"
) -> None:
    """One append, or an overwrite; skipped by Delta where `txnAppId` and `txnVersion` are there already.

    Jobs:    one Spark job.
    Raises:  PublishConflict, AccessDenied.
    """
    _write_rows(frame, table, options=options, mode=mode)


def _write_rows(frame: DataFrame, table: Table, *, options: Mapping[str, str], mode: str) -> None:
    writer = frame.write.format("delta").mode(mode).options(**options)
    with translate_spark_errors(f"writing {table.name}"):
        if table.path is None:
            writer.saveAsTable(quote_table(table.ref))
        else:
            writer.save(table.path)


def overwrite_table(frame: DataFrame, path: str, *, comment: str, column_comments: Mapping[str, str]) -> int:
    """The version that holds exactly `frame`, with comments; for the example tables of the suite."""
    columns = [
        F.col(quote_identifier(name)).alias(name, metadata={"comment": column_comments.get(name, "")})
        for name in frame.columns
    ]
    described = frame.select(*columns)
    with translate_spark_errors(f"writing {path}"):
        create_delta_table(
            frame.sparkSession,
            TableRef(path, path),
            described.schema,
            comment=comment,
            properties={"delta.enableDeletionVectors": "false"},
        )
        described.write.format("delta").mode("overwrite").option("overwriteSchema", "true").save(path)
    return Table(frame.sparkSession, TableRef(path, path)).load_newest_version()
