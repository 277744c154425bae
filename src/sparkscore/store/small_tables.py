"""Rows of the suite's own small tables, as Python values."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

import pyarrow as pa
import structlog
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from sparkscore.redaction.secret_patterns import shorten_redacted
from sparkscore.schemas import TableContract
from sparkscore.spark.active_session import create_frame
from sparkscore.spark.error_translation import translate_spark_errors
from sparkscore.store.direct_commits import AppendGuard, append_directly
from sparkscore.store.direct_creation import create_directly
from sparkscore.store.direct_tables import DirectTable, RowSelection
from sparkscore.store.guarded_writes import append_rows, append_rows_once
from sparkscore.store.small_table_upkeep import keep_table_small
from sparkscore.store.table import Table
from sparkscore.store.table_contracts import ensure_table
from sparkscore.store.table_location import DIRECT_ERRORS

log = structlog.get_logger("sparkscore")


def load_small_table(table: Table, *, where: RowSelection | None = None) -> list[dict[str, Any]]:
    """The rows whose column has one of these values, dates or UTC times; all rows for None.

    Reads without Spark if that is certain to be the same. What Spark does before it reads a changed table, mostly with
    its log, takes a second on two slow cores for the tens of rows of such a table. This takes 12 ms there, apart from
    the first import.

    Needs:   an existing table. Its timestamps come as aware times, or as the local ones that Spark gives.
    Jobs:    none, or one small one where only Spark reaches the table.
    Raises:  AccessDenied, TableNotFound.
    """
    with suppress(*DIRECT_ERRORS):
        rows: list[dict[str, Any]] = DirectTable.open_shared(table).read_rows(where).to_pylist()
        return rows
    frame = _select_rows(table.load_rows(), where)
    with translate_spark_errors(f"reading {table.name}"):
        return [row.asDict(recursive=True) for row in frame.collect()]


def load_small_rows(
    table: Table, *, columns: Sequence[str] | None = None, where: RowSelection | None = None
) -> pa.Table:
    """The same as Arrow has them: of some columns, if they are given.

    Needs:   an existing table.
    Jobs:    as `load_small_table`.
    Raises:  AccessDenied, TableNotFound.
    """
    with suppress(*DIRECT_ERRORS):
        return DirectTable.open_shared(table).read_rows(where, columns=columns)
    frame = _select_rows(table.load_rows(), where)
    with translate_spark_errors(f"reading {table.name}"):
        return (frame if columns is None else frame.select(*columns)).toArrow()


def _select_rows(frame: DataFrame, where: RowSelection | None) -> DataFrame:
    return frame if where is None else frame.where(F.col(where[0]).isin(*where[1]))


def ensure_small_table(table: Table, contract: TableContract, *, job: str) -> None:
    """As `ensure_table`, which then finds what was created here without Spark, where that is possible.

    Raises:  ForeignTable, ConfigError, AccessDenied.
    """
    if not table.exists():
        create_directly(table, contract, job=job)
    ensure_table(table, contract, job=job)


def append_small_rows(
    table: Table, contract: TableContract, rows: Sequence[Mapping[str, Any]], *, guard: AppendGuard | None = None
) -> None:
    """Append rows to a table by one commit; with a guard, none where it or a later version of it is there already.

    Needs:   a table that has the contract's columns; aware times.
    Jobs:    none, or a small one where only Spark writes the table.
    Raises:  PublishConflict, AccessDenied.
    """
    data = pa.Table.from_pylist([dict(row) for row in rows], schema=contract.schema)
    try:
        version = append_directly(table, data, guard=guard)
        if version is not None:
            keep_table_small(table, version)
            return
    except DIRECT_ERRORS as error:
        log.info("append by Spark", table=table.name, reason=shorten_redacted(str(error), 200))
    frame = create_frame(table.spark, data).coalesce(1)
    if guard is None:
        append_rows(frame, table)
    else:
        append_rows_once(frame, table, app_id=guard[0], version=guard[1])
