"""The newest prediction of every key, by as_of alone."""

from collections.abc import Sequence

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

    Raises:  AccessDenied.
    """
    if table.path is not None:
        return
    columns, source = ", ".join(quote_identifier(key) for key in keys), table.sql_name
    newest = f"row_number() OVER (PARTITION BY {columns} ORDER BY as_of DESC) AS {_RANK}"
    rows = f"SELECT * EXCEPT ({_RANK}) FROM (SELECT *, {newest} FROM {source}) WHERE {_RANK} = 1"  # noqa: S608  quoted
    view = table.sibling("_latest").sql_name
    with translate_spark_errors(f"creating the view {table.name}_latest"):
        table.spark.sql(f"CREATE VIEW IF NOT EXISTS {view} AS {rows}")
