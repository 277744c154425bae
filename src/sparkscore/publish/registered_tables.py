"""Names for a job's tables in a session without a catalog."""

from pathlib import Path

from pyspark.sql import SparkSession

from sparkscore.errors import UnsupportedSession
from sparkscore.publish.exploded_views import exploded_query
from sparkscore.publish.latest_view import latest_predictions
from sparkscore.settings import Settings
from sparkscore.spark.identifiers import quote_identifier
from sparkscore.spark.session_kind import shares_files
from sparkscore.store.table import Table


def _register_exploded_views(spark: SparkSession, settings: Settings) -> list[str]:
    """Those of `output.explode` whose columns the table has already."""
    target = Table.from_name(spark, settings.output.table, home=settings.home_uri)
    views = {column: view for column, view in settings.output.explode.items() if column in target.schema.names}
    for column, view in views.items():
        query = exploded_query(target, column, keys=settings.output_keys)
        spark.sql(query).createOrReplaceTempView(quote_identifier(view))
    return list(views.values())


def register_tables(spark: SparkSession, settings: Settings) -> list[str]:
    """Names for SQL where there is no catalog: a temporary view per table of a local home, the job's `_latest`, and
    the views of `output.explode`.

    Jobs:    none.
    Raises:  UnsupportedSession for a client of Spark Connect on another machine than its server.
    """
    folder = Path(settings.home_uri, "tables")
    if not shares_files(spark):
        raise UnsupportedSession(
            f"a client of Spark Connect does not reach {folder} of its server",
            "a client on the server's machine",
            "name the tables by their paths, or keep them in a catalog",
        )
    tables = (
        sorted(entry.name for entry in folder.iterdir() if (entry / "_delta_log").is_dir()) if folder.is_dir() else []
    )
    for name in tables:
        Table.from_name(spark, name, home=settings.home_uri).load_rows().createOrReplaceTempView(f"`{name}`")
    if settings.output.table in tables:
        newest = latest_predictions(spark.table(f"`{settings.output.table}`"), keys=settings.output_keys)
        tables.append(f"{settings.output.table}_latest")
        newest.createOrReplaceTempView(f"`{tables[-1]}`")
        tables += _register_exploded_views(spark, settings)
    return tables
