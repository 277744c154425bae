"""Published rows into PostgreSQL: by our export, and by Spark's JDBC writer."""

import atexit
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

from pyspark.sql import SparkSession
from pyspark.sql import functions as F
from tests.postgres import PASSWORD, USER, Postgres, add_jdbc_driver, serve_postgres

from bench.ways.serve import Answer, Turn, Way, serve
from bench.ways.session import session
from sparkscore.export.database_connection import DatabaseAddress
from sparkscore.export.database_export import DatabaseExport
from sparkscore.ingest.published_rows import open_published_rows
from sparkscore.records import ExportedRun, TableRef
from sparkscore.schemas import LINEAGE_COLUMNS
from sparkscore.store.table import Table

_AS_OF = datetime(2013, 12, 31, tzinfo=UTC)
_RUN_ID = "0" * 64
_TABLES = ("by_export", "by_jdbc", "sparkscore_exports", "sparkscore_export_targets")
_JDBC_BATCH = 10_000
"""Ten times Spark's default, with which it is slower."""


def start() -> Mapping[str, Way]:
    """One session and one server for all turns."""
    add_jdbc_driver()
    spark, stack = session("bench database"), ExitStack()
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
    server = stack.enter_context(serve_postgres(folder))
    atexit.register(stack.close)  # which keeps it, too
    published = _Published(spark, folder)

    def way(copy: Callable[[SparkSession, Postgres, Table, int], None]) -> Way:
        def turn(told: Turn) -> Answer:
            table, rows = published.table(told["data"]["path"])
            server.run_sql(f"DROP TABLE IF EXISTS {', '.join(_TABLES)}")
            started = time.monotonic()
            copy(spark, server, table, rows)
            return {"seconds": time.monotonic() - started, "rows": None, "output": {"kind": "none"}}

        return turn

    return {"export": way(_export), "jdbc": way(_write_by_jdbc)}


class _Published:
    """Prediction tables with the rows of a dataset, each made once."""

    def __init__(self, spark: SparkSession, folder: Path) -> None:
        self._spark, self._folder = spark, folder
        self._made: dict[str, tuple[Table, int]] = {}

    def table(self, source: str) -> tuple[Table, int]:
        """The table of one run, and its rows."""
        if source not in self._made:
            path = str(self._folder / f"predictions-{len(self._made)}")
            rows = self._spark.read.format("delta").load(source)
            constants = {
                "model_name": F.lit("flight-delay"),
                "model_version": F.lit("1"),
                "model_id": F.lit(f"m-{'0' * 32}"),
                "run_id": F.lit(_RUN_ID),
                "source_version": F.lit(0).cast("long"),
                "as_of": F.lit(_AS_OF),
                "as_of_date": F.lit(_AS_OF.date()),
                "scored_at": F.lit(_AS_OF),
            }
            lineage = [constants[column.name].alias(column.name) for column in LINEAGE_COLUMNS]
            predictions = rows.select("id", F.col("x00").alias("prediction"), *lineage)
            predictions.write.format("delta").partitionBy("as_of_date").save(path)
            self._made[source] = (Table(self._spark, TableRef("predictions", path)), rows.count())
        return self._made[source]


def _export(_: SparkSession, server: Postgres, table: Table, rows: int) -> None:
    run = ExportedRun("bench", _AS_OF, _RUN_ID, 1, rows, ("id",))
    target = DatabaseExport(
        DatabaseAddress("postgresql", "adbc_driver_postgresql", server.uri), name="bench", table=("by_export",)
    )
    target.replace_rows(run, open_published_rows(table, run, ()))


def _write_by_jdbc(spark: SparkSession, server: Postgres, table: Table, _: int) -> None:
    rows = spark.read.format("delta").load(table.path or "").where(F.col("as_of_date") == F.lit(_AS_OF.date()))
    options = {"user": USER, "password": PASSWORD, "batchsize": str(_JDBC_BATCH), "driver": "org.postgresql.Driver"}
    rows.write.format("jdbc").options(url=server.jdbc_url, dbtable="by_jdbc", **options).mode("append").save()


if __name__ == "__main__":
    serve(start)
