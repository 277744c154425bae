"""Names for a job's tables in a session without a catalog."""

from pathlib import Path

from pyspark.sql import SparkSession

from sparkscore.publish.latest_view import latest_predictions
from sparkscore.settings import Settings
from sparkscore.spark.identifiers import parse_table_ref
from sparkscore.store.delta_tables import load_table


def register_tables(spark: SparkSession, settings: Settings) -> list[str]:
    """Names for SQL where there is no catalog: a temporary view per table of a local home, and the job's `_latest`.

    Jobs:    none.
    """
    folder = Path(settings.home_uri, "tables")
    tables = (
        sorted(entry.name for entry in folder.iterdir() if (entry / "_delta_log").is_dir()) if folder.is_dir() else []
    )
    for name in tables:
        load_table(spark, parse_table_ref(name, home=settings.home_uri)).createOrReplaceTempView(f"`{name}`")
    if settings.output.table in tables:
        newest = latest_predictions(spark.table(f"`{settings.output.table}`"), keys=settings.source.keys)
        tables.append(f"{settings.output.table}_latest")
        newest.createOrReplaceTempView(f"`{tables[-1]}`")
    return tables
