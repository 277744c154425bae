"""The newest prediction of every key, by as_of alone."""

from collections.abc import Sequence
from itertools import takewhile

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from sparkscore.spark.error_translation import translate_spark_errors
from sparkscore.spark.identifiers import quote_identifier
from sparkscore.store.table import Table

_RANK = "_sparkscore_rank"
"""Of no table: a column that a table may have would be lost."""


def latest_predictions(predictions: DataFrame, *, keys: Sequence[str]) -> DataFrame:
    """For each key the row with the greatest as_of.

    Grain:   one row per key.
    """
    newest = Window.partitionBy(*(quote_identifier(key) for key in keys)).orderBy(F.col("as_of").desc())
    return predictions.withColumn(_RANK, F.row_number().over(newest)).where(f"{_RANK} = 1").drop(_RANK)


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
    query = f"SELECT * EXCEPT (_rank) FROM ({ranked}) WHERE _rank = 1"  # noqa: S608  quoted
    view = table.sibling("_latest").sql_name
    with translate_spark_errors(f"creating the view {table.name}_latest"):
        table.spark.sql(f"CREATE VIEW IF NOT EXISTS {view} AS {query}")
        if _is_outgrown_view(table, view, query):
            table.spark.sql(f"ALTER VIEW {view} AS {query}")


def _is_outgrown_view(table: Table, view: str, query: str) -> bool:
    """Whether the view is the suite's own, and has other columns than the table has now."""
    rows = table.spark.sql(f"DESCRIBE TABLE EXTENDED {view}").collect()
    if ("View Text", query) not in ((row["col_name"], row["data_type"]) for row in rows):
        return False
    described = [(row["col_name"], row["data_type"]) for row in takewhile(lambda row: row["col_name"], rows)]
    now = table.in_session(table.spark).schema
    return described != [(field.name, field.dataType.simpleString()) for field in now]
