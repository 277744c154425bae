"""Checks of the job's tables: the source is there, and the prediction table belongs to the job."""

from typing import TYPE_CHECKING

from sparkscore.errors import ScanUnsupported, SparkNeeded, SparkscoreError
from sparkscore.records.diagnosis_records import EnvironmentCheck
from sparkscore.settings import Settings
from sparkscore.store.table import Table
from sparkscore.store.table_growth import JOB_PROPERTY

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


def check_source(spark: "SparkSession | None", settings: Settings) -> EnvironmentCheck:
    """Whether the source is a table that can be read.

    Jobs:    none; Spark reads its log where nobody else reaches it.
    """
    name = "source"
    if settings.source.is_landed:
        return EnvironmentCheck(name, "skip", "the source is landed first: see score --dry-run")
    table = str(settings.source.table)
    try:
        found = Table.from_name(spark, table, home=settings.home_uri)
        if not found.exists():
            return EnvironmentCheck(
                name, "fail", f"no Delta table {table}", "check source.table; write the table first"
            )
        return EnvironmentCheck(name, "ok", f"{table} at version {found.load_newest_version()}")
    except (SparkNeeded, ScanUnsupported):
        return EnvironmentCheck(name, "skip", f"only Spark reaches {table}", "run it by spark-submit")
    except SparkscoreError as error:
        return EnvironmentCheck(name, "fail", error.found, error.do)


def check_output(spark: "SparkSession | None", settings: Settings) -> EnvironmentCheck:
    """Whether the prediction table is absent, or the job's own."""
    name, table = "prediction table", settings.output.table
    try:
        found = Table.from_name(spark, table, home=settings.home_uri)
        if not found.exists():
            return EnvironmentCheck(name, "ok", f"{table} is not there yet: the first run makes it")
        owner = found.properties.get(JOB_PROPERTY)
    except (SparkNeeded, ScanUnsupported):
        return EnvironmentCheck(name, "skip", f"only Spark reaches {table}", "run it by spark-submit")
    except SparkscoreError as error:
        return EnvironmentCheck(name, "fail", error.found, error.do)
    if owner != settings.job:
        whose = "of no job of sparkscore" if owner is None else f"of the job {owner}"
        return EnvironmentCheck(name, "fail", f"{table} is a table {whose}", "name another table in output.table")
    return EnvironmentCheck(name, "ok", f"{table} belongs to the job, version {found.load_newest_version()}")
