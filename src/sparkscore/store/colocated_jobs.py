"""The run events of all jobs whose tables lie where this one's do: maintenance must keep what their runs pin."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

from pyspark.sql import SparkSession

from sparkscore.errors import ConfigError, TableNotFound
from sparkscore.lifecycle import unsettled_events
from sparkscore.records import RunEvent, TableRef
from sparkscore.spark.error_translation import translate_spark_errors
from sparkscore.spark.identifiers import quote_identifier
from sparkscore.store.hadoop_folders import list_folder_names
from sparkscore.store.run_events import load_events
from sparkscore.store.table import Table
from sparkscore.store.table_growth import JOB_PROPERTY

_RUNS_SUFFIX = "_runs"


@dataclass(frozen=True, slots=True)
class ColocatedJobs:
    """The run events of all jobs, including this one."""

    events: tuple[RunEvent, ...]
    unsettled: tuple[RunEvent, ...]
    """Those of attempts that may still publish, or that the next attempt would continue."""
    unread: tuple[str, ...]
    """Tables of run events that could not be read: the pins of their runs are unknown."""


def load_colocated_jobs(target: Table, *, home: str, kept_from: date | None) -> ColocatedJobs:
    """All run events next to a prediction table (in its folder or its catalog's schema) and under the home.

    Events of this job for as_ofs before `kept_from` count as deleted.

    Jobs:    one small Spark job per table of run events.
    Raises:  AccessDenied where the folders themselves cannot be listed.
    """
    events: list[RunEvent] = []
    unsettled: list[RunEvent] = []
    unread: list[str] = []
    for table in _find_events_tables(target, home):
        try:
            job = table.properties.get(JOB_PROPERTY)
            found = [] if job is None else load_events(table, job=job)
        except TableNotFound:
            continue
        except ConfigError:
            unread.append(table.name)
            continue
        if kept_from is not None and table.ref == target.sibling(_RUNS_SUFFIX).ref:
            found = [event for event in found if event.as_of.date() >= kept_from]
        events += found
        unsettled += unsettled_events(found)
    return ColocatedJobs(tuple(events), tuple(unsettled), tuple(unread))


def _find_events_tables(target: Table, home: str) -> Iterator[Table]:
    folders = {f"{home}/tables"}
    if target.path is None:
        yield from _list_events_tables_in_schema(target.spark, target.name.rpartition(".")[0])
    else:
        folders.add(target.path.rstrip("/").rpartition("/")[0])
    for folder in sorted(folders):
        for name in list_folder_names(target.spark, folder):
            if name.endswith(_RUNS_SUFFIX):
                yield Table(target.spark, TableRef(name, f"{folder}/{name}"))


def _list_events_tables_in_schema(spark: SparkSession, schema: str) -> Iterator[Table]:
    quoted = ".".join(quote_identifier(part) for part in schema.split("."))
    with translate_spark_errors(f"listing the tables of {schema}"):
        rows = spark.sql(f"SHOW TABLES IN {quoted} LIKE '*{_RUNS_SUFFIX}'").collect()
    for row in rows:
        if not row["isTemporary"]:
            yield Table(spark, TableRef(f"{schema}.{row['tableName']}", None))
