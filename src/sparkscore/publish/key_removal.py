"""Removes the rows of keys that the source no longer has from earlier as_ofs, in the commit that publishes a run."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from sparkscore.publish.rows_to_publish import RowsToPublish
from sparkscore.records import Run
from sparkscore.schemas import GONE_COLUMN
from sparkscore.spark.error_translation import translate_spark_errors
from sparkscore.spark.identifiers import quote_identifier
from sparkscore.spark.sql_texts import date_literal, timestamp_literal
from sparkscore.store.table import Table


def count_removed_rows(rows: RowsToPublish, run: Run, target: Table, *, keys: Sequence[str]) -> Mapping[str, int]:
    """How many rows of each earlier run the commit removes; empty where it removes none.

    Jobs:    one that compares keys, where there are keys to remove.
    """
    if rows.load_removed_keys is None:
        return {}
    with translate_spark_errors(f"counting {target.name}"):
        found = _find_earlier_rows(rows, run, target, keys=keys).groupBy("run_id").count().collect()
    return {row["run_id"] or "": row["count"] for row in found}


def add_removed_rows(
    own: DataFrame, rows: RowsToPublish, run: Run, target: Table, *, keys: Sequence[str]
) -> tuple[DataFrame, Sequence[datetime]]:
    """What a MERGE reads, with the rows of earlier as_ofs that it deletes; and these as_ofs.

    Needs:   `own` rows in the session of the target.
    Jobs:    one that lists the as_ofs.
    """
    earlier = _find_earlier_rows(rows, run, target, keys=keys)
    as_ofs = [row["as_of"].astimezone(UTC) for row in earlier.select("as_of").distinct().collect()]
    own = own if GONE_COLUMN in own.columns else own.withColumn(GONE_COLUMN, F.lit(False))
    # keys that the as_of itself has lost are named by their keys alone
    own = own.withColumns(
        {
            "as_of": F.expr(timestamp_literal(run.as_of)),
            "as_of_date": F.expr(date_literal(run.as_of.astimezone(UTC).date())),
        }
    )
    gone = earlier.selectExpr(*map(quote_identifier, keys), "as_of", "as_of_date", f"true AS {GONE_COLUMN}")
    return own.unionByName(gone, allowMissingColumns=True), as_ofs


def _find_earlier_rows(rows: RowsToPublish, run: Run, target: Table, *, keys: Sequence[str]) -> DataFrame:
    assert rows.load_removed_keys is not None  # noqa: S101  asked for by whoever has some
    removed = rows.load_removed_keys(target.spark)
    earlier = target.load_rows().where(f"as_of < {timestamp_literal(run.as_of)}")
    return earlier.join(removed.select(*map(quote_identifier, keys)), on=list(keys), how="left_semi")
