"""The newest prediction of every key, by as_of alone."""

from collections.abc import Sequence
from itertools import takewhile

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from sparkscore.publish.prediction_rows import select_predictions
from sparkscore.schemas import DELETED_COLUMN, IS_PREDICTION
from sparkscore.spark.error_translation import translate_spark_errors
from sparkscore.spark.identifiers import quote_identifier
from sparkscore.store.table import Table

_RANK = "_sparkscore_rank"
"""Of no table: a column that a table may have would be lost."""


def latest_predictions(predictions: DataFrame, *, keys: Sequence[str]) -> DataFrame:
    """For each key the row with the greatest as_of; none for a key that the source does not have any more, where that
    row says so.

    Grain:   one row per key.
    """
    newest = Window.partitionBy(*(quote_identifier(key) for key in keys)).orderBy(F.col("as_of").desc())
    found = predictions.withColumn(_RANK, F.row_number().over(newest)).where(f"{_RANK} = 1").drop(_RANK)
    return select_predictions(found)


def ensure_latest_view(table: Table, *, keys: Sequence[str]) -> None:
    """Create the view `<table>_latest` in the table's catalog; without a catalog none: it would end with the session.

    A view keeps the columns that it was made with: one that the table has outgrown is made anew. A view of the same
    name that somebody else has made stays as it is.

    Raises:  AccessDenied.
    """
    if table.path is not None:
        return
    columns = ", ".join(quote_identifier(key) for key in keys)
    ranked = f"SELECT *, row_number() OVER (PARTITION BY {columns} ORDER BY as_of DESC) AS _rank FROM {table.sql_name}"  # noqa: S608  quoted
    plain = f"SELECT * EXCEPT (_rank) FROM ({ranked}) WHERE _rank = 1"  # noqa: S608  quoted
    has_marks = DELETED_COLUMN in table.in_session(table.spark).schema.names
    query = f"{plain} AND {IS_PREDICTION}" if has_marks else plain
    view = table.sibling("_latest").sql_name
    with translate_spark_errors(f"creating the view {table.name}_latest"):
        table.spark.sql(f"CREATE VIEW IF NOT EXISTS {view} AS {query}")
        if _is_outgrown_view(table, view, query, former=plain):
            table.spark.sql(f"ALTER VIEW {view} AS {query}")


def _is_outgrown_view(table: Table, view: str, query: str, *, former: str) -> bool:
    """Whether the view is the suite's own, and has other columns than the table has now, or shows deleted keys."""
    rows = table.spark.sql(f"DESCRIBE TABLE EXTENDED {view}").collect()
    text = next((row["data_type"] for row in rows if row["col_name"] == "View Text"), None)
    if text != query:
        return bool(text == former)
    described = [(row["col_name"], row["data_type"]) for row in takewhile(lambda row: row["col_name"], rows)]
    now = table.in_session(table.spark).schema
    return described != [(field.name, field.dataType.simpleString()) for field in now]
