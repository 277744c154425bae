"""The run events of all jobs whose tables lie where this one's do: what their runs pin must outlive our upkeep."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

from pyspark.sql import SparkSession

from sparkscore.errors import ConfigError, TableNotFound
from sparkscore.records import RunEvent, TableRef
from sparkscore.store.events import events
from sparkscore.store.failures import border
from sparkscore.store.folders import names
from sparkscore.store.names import beside, quoted
from sparkscore.store.runs import unsettled
from sparkscore.store.tables import JOB_PROPERTY, properties

_SUFFIX = "_runs"


@dataclass(frozen=True, slots=True)
class Neighbours:
    """What all jobs told, this one among them."""

    events: tuple[RunEvent, ...]
    unsettled: tuple[RunEvent, ...]
    """Those of attempts that may still publish, or that the next attempt would go on from."""
    unread: tuple[str, ...]
    """Tables of run events that could not be read: what their runs pin is not known."""


def neighbours(spark: SparkSession, target: TableRef, *, home: str, kept_from: date | None) -> Neighbours:
    """The run events beside a prediction table (in its folder or its catalog's schema) and under the home.

    Its own ones of as_ofs before `kept_from` are as good as deleted.

    Jobs:    one small Spark job per table of run events.
    Raises:  AccessDenied where the folders themselves cannot be listed.
    """
    told: list[RunEvent] = []
    going: list[RunEvent] = []
    unread: list[str] = []
    for table in _tables(spark, target, home):
        try:
            job = properties(spark, table).get(JOB_PROPERTY)
            found = [] if job is None else events(spark, table, job=job)
        except TableNotFound:
            continue
        except ConfigError:
            unread.append(table.name)
            continue
        if kept_from is not None and table == beside(target, _SUFFIX):
            found = [event for event in found if event.as_of.date() >= kept_from]
        told += found
        going += unsettled(found)
    return Neighbours(tuple(told), tuple(going), tuple(unread))


def _tables(spark: SparkSession, target: TableRef, home: str) -> Iterator[TableRef]:
    folders = {f"{home}/tables"}
    if target.path is None:
        yield from _in_schema(spark, target.name.rpartition(".")[0])
    else:
        folders.add(target.path.rstrip("/").rpartition("/")[0])
    for folder in sorted(folders):
        for name in names(spark, folder):
            if name.endswith(_SUFFIX):
                yield TableRef(name, f"{folder}/{name}")


def _in_schema(spark: SparkSession, schema: str) -> Iterator[TableRef]:
    shown = ".".join(quoted(part) for part in schema.split("."))
    with border(f"listing the tables of {schema}"):
        rows = spark.sql(f"SHOW TABLES IN {shown} LIKE '*{_SUFFIX}'").collect()
    for row in rows:
        if not row["isTemporary"]:
            yield TableRef(f"{schema}.{row['tableName']}", None)
