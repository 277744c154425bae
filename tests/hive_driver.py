"""A process whose Spark has a Hive metastore: `python -m tests.hive_driver WHAT FOLDER TRACKING_URI METASTORE_URI`.

One line of JSON on stdout. A metastore is one per JVM, and the session of the tests has none.
"""

import json
import sys
from functools import partial
from pathlib import Path
from typing import Any

from pyspark.sql import SparkSession

from sparkscore import score
from sparkscore.errors import SparkscoreError
from sparkscore.records import RunReport, TableRef
from sparkscore.settings import Settings
from sparkscore.spark import session
from sparkscore.store import catalog_tables
from sparkscore.store.patient_questions import ask_in_time
from sparkscore.store.table import Table
from tests.world import AS_OF, MODEL, UNWATCHED, source_rows

_PATIENCE_S = 5.0


def main(what: str, folder: str, tracking_uri: str, metastore: str) -> None:
    """Do it, and tell."""
    spark = start_hive_session(Path(folder), metastore)
    found = {"run": run_jobs, "ask": ask_metastore}[what](spark, Path(folder), tracking_uri)
    print(json.dumps(found), flush=True)  # noqa: T201


def start_hive_session(folder: Path, metastore: str) -> SparkSession:
    """A local session; without a metastore elsewhere one of its own, in memory."""
    own = {"javax.jdo.option.ConnectionURL": "jdbc:derby:memory:metastore;create=true"}
    own |= {"datanucleus.schema.autoCreateAll": "true", "hive.metastore.schema.verification": "false"}
    hive = {"hive.metastore.uris": metastore, "hive.metastore.connect.retries": "1"} if metastore else own
    more = {"spark.sql.catalogImplementation": "hive", "spark.sql.warehouse.dir": str(folder / "ware house")}
    session._LOCAL_CONF = {**session._LOCAL_CONF, **more, **{f"spark.hadoop.{name}": one for name, one in hive.items()}}
    return session.start_local_session("hive", master="local[2,4]")


def run_jobs(spark: SparkSession, folder: Path, tracking_uri: str) -> dict[str, Any]:
    """The job with its source by path, as a managed table, as an external one, and as a view."""
    rows = spark.createDataFrame(source_rows()).coalesce(2)
    spark.sql("CREATE DATABASE lake")
    rows.write.format("delta").save(str(folder / "else where"))
    rows.write.format("delta").saveAsTable("lake.managed")
    spark.sql(f"CREATE TABLE lake.external USING delta LOCATION '{folder}/else where'")
    spark.sql("CREATE VIEW lake.seen AS SELECT * FROM lake.managed")
    sources = {"path": str(folder / "else where"), "managed": "lake.managed", "external": "spark_catalog.lake.external"}
    found: dict[str, Any] = {}
    for name, table in {**sources, "view": "lake.seen"}.items():
        target = f"lake.predictions_{name}"
        try:
            report = run_job(spark, folder, tracking_uri, table, target)
        except SparkscoreError as error:
            found[name] = {"exit_code": error.exit_code, "error": str(error)}
            continue
        predictions = spark.table(target).select("id", "prediction").orderBy("id").collect()
        found[name] = {"transport": report.transport, "predictions": [row["prediction"] for row in predictions]}
    found["log"] = Table(spark, TableRef("lake.predictions_managed", None)).location.root
    return found


def run_job(spark: SparkSession, folder: Path, tracking_uri: str, source: str, target: str) -> RunReport:
    """One run."""
    settings = Settings(
        job=target,
        home=str(folder / "home"),
        source={"table": source, "keys": ["id"]},
        model={"uri": f"models:/{MODEL}@champion", "tracking_uri": tracking_uri},
        output={"table": target, "threshold": 0.5},
        **UNWATCHED,
    )
    return score(spark, settings, as_of=AS_OF)


def ask_metastore(spark: SparkSession, _: Path, __: str) -> dict[str, Any]:
    """What a run ends with whose metastore does not answer."""
    vars(catalog_tables).update(ask_in_time=partial(ask_in_time, say_after_s=0.1, wait_s=_PATIENCE_S))
    try:
        return {"version": Table(spark, TableRef("lake.flights", None)).load_newest_version()}
    except SparkscoreError as error:
        return {"exit_code": error.exit_code, "error": str(error)}


if __name__ == "__main__":
    main(*sys.argv[1:])
