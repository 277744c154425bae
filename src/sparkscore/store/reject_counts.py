"""Counts the rejects of runs."""

from collections.abc import Iterable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import pyarrow.compute as pc
from pyspark.sql import functions as F

from sparkscore.records import RejectCount
from sparkscore.spark.error_translation import translate_spark_errors
from sparkscore.store.direct_tables import DirectTable
from sparkscore.store.guarded_writes import as_of_condition
from sparkscore.store.table import Table
from sparkscore.store.table_growth import check_table_owner
from sparkscore.store.table_location import DIRECT_ERRORS

_REASON = ("as_of", "run_id", "code", "error")
_MOST_DIRECT_ROWS = 1_000_000
"""Rejects whose reasons the driver reads itself: some 100 MB."""


def count_rejects(
    table: Table, *, job: str, run_id: str | None = None, as_of: datetime | None = None
) -> list[RejectCount]:
    """How many rows each run, or this one, has rejected for which reason, oldest first; empty if there are none.

    With the run's `as_of` only its partition is read.

    Jobs:    none; one Spark job for many rejects, or where only Spark reaches the table.
    Raises:  ForeignTable.
    """
    if not table.exists():
        return []
    check_table_owner(table, job=job)
    with suppress(*DIRECT_ERRORS):
        return _to_counts(_count_directly(DirectTable.open_shared(table), run_id, as_of))
    return _to_counts(_count_by_spark(table, run_id, as_of))


def _count_directly(found: DirectTable, run_id: str | None, as_of: datetime | None) -> list[dict[str, Any]]:
    where = None if as_of is None else ("as_of_date", [as_of.astimezone(UTC).date()])
    rows = found.require_few_rows(_MOST_DIRECT_ROWS).read_rows(where, columns=(*_REASON, "scored_at"))
    mine = rows if run_id is None else rows.filter(pc.field("run_id") == run_id)
    grouped = mine.group_by(list(_REASON)).aggregate([("scored_at", "min"), ([], "count_all")])
    return grouped.rename_columns([*_REASON, "at", "rows"]).to_pylist()  # type: ignore[no-any-return]


def _count_by_spark(table: Table, run_id: str | None, as_of: datetime | None) -> list[dict[str, Any]]:
    rejects = table.load_rows() if as_of is None else table.load_rows().where(as_of_condition(as_of))
    mine = rejects if run_id is None else rejects.where(F.col("run_id") == run_id)
    counts = mine.groupBy(*_REASON).agg(F.count(F.lit(1)).alias("rows"), F.min("scored_at").alias("at"))
    with translate_spark_errors(f"counting {table.name}"):
        return [row.asDict() for row in counts.collect()]


def _to_counts(found: Iterable[Mapping[str, Any]]) -> list[RejectCount]:
    ordered = sorted(found, key=lambda row: (row["as_of"], row["at"], row["run_id"], row["code"], row["error"] or ""))
    return [
        RejectCount(row["as_of"].astimezone(UTC), row["run_id"], row["code"], row["error"], row["rows"])
        for row in ordered
    ]
