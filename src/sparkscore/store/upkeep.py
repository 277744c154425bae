"""Upkeep of the files of the job's own tables: small ones are compacted, those that no version needs are removed."""

import re
from collections.abc import Collection
from dataclasses import dataclass
from datetime import date

from pyspark.sql import DataFrame, SparkSession

from sparkscore.errors import ConfigError
from sparkscore.records import TableRef
from sparkscore.store import folders
from sparkscore.store.failures import border
from sparkscore.store.history import NOTE
from sparkscore.store.isolation import isolated, noted
from sparkscore.store.names import sql_name
from sparkscore.store.tables import delta_table, load
from sparkscore.store.writes import retried

SMALL_BYTES = 16 * 1024 * 1024
"""A file below this is small."""
FULL_BYTES = 128 * 1024 * 1024
"""So big the compacted ones become: Delta's own goal for tables of this size."""
MANY_FILES = 8
"""So many small files in one partition are worth a rewrite."""

_ENFORCED = "spark.databricks.delta.vacuum.enforceTimeTravelWithinDeletedFileRetentionDuration"
_LISTED = 1000
"""Databricks lists no more files of a dry run: a list of so many may be cut."""
_DATE = re.compile(r"as_of_date=(\d{4}-\d\d-\d\d)")


@dataclass(frozen=True, slots=True)
class Part:
    """The small files of one partition, or of a table without partitions."""

    as_of_date: date | None
    small_files: int


def many_small_files(spark: SparkSession, table: TableRef) -> list[Part]:
    """The partitions that hold many small files, by date.

    Jobs:    none; one listing per partition with many files.
    """
    names: dict[str, list[str]] = {}
    with border(f"listing the files of {table.name}"):
        for file in load(spark, table).inputFiles():
            folder, _, name = file.rpartition("/")
            names.setdefault(folder, []).append(name)
    many = {folder: found for folder, found in sorted(names.items()) if len(found) >= MANY_FILES}
    parts = [Part(_date_of(folder), _small(spark, folder, found)) for folder, found in many.items()]
    return [part for part in parts if part.small_files >= MANY_FILES]


@retried
def compact(spark: SparkSession, table: TableRef, part: Part, *, job: str) -> int:
    """How many files one OPTIMIZE of a partition has made into bigger ones. Files that are not small stay.

    Jobs:    one Spark job that rewrites the small files.
    Raises:  PublishConflict when other writers keep winning, AccessDenied.
    """
    session = noted(spark, {NOTE: {"job": job, "upkeep": "compaction"}})
    session.conf.set("spark.databricks.delta.optimize.minFileSize", str(SMALL_BYTES))
    session.conf.set("spark.databricks.delta.optimize.maxFileSize", str(FULL_BYTES))
    with border(f"compacting {table.name}"):
        builder = delta_table(session, table).optimize()
        if part.as_of_date is not None:
            builder = builder.where(f"as_of_date = DATE'{part.as_of_date.isoformat()}'")
        return int(builder.executeCompaction().collect()[0]["metrics"]["numFilesRemoved"])


def vacuumable(spark: SparkSession, table: TableRef) -> list[str]:
    """The names of the files that a VACUUM would remove now.

    Jobs:    some; they list the table's folder.
    Raises:  AccessDenied.
    """
    with border(f"listing what a VACUUM of {table.name} would remove"):
        rows = _vacuuming(spark).sql(f"VACUUM {sql_name(table)} DRY RUN").collect()
    names = [str(row["path"]).rstrip("/").rpartition("/")[2] for row in rows]
    return [name for name in names if "=" not in name]  # empty folders of partitions go along with the next files


def vacuum(spark: SparkSession, table: TableRef) -> None:
    """Remove the files that no version within Delta's retention needs, and that are older than it.

    Jobs:    some; they list the table's folder, and remove.
    Raises:  AccessDenied.
    """
    with border(f"vacuuming {table.name}"):
        _vacuuming(spark).sql(f"VACUUM {sql_name(table)}").collect()


def would_lose(spark: SparkSession, table: TableRef, version: int, removable: Collection[str]) -> bool:
    """Whether a VACUUM that removes these files could take any of a version that its log still tells.

    Jobs:    none.
    """
    # Delta refuses to read a version beyond its retention: the files may be there all the same, and be read without it
    session = isolated(spark, {_ENFORCED: "false"})
    try:
        with border(f"listing the files of {table.name} at version {version}"):
            pinned = _names(load(session, table, version))
    except ConfigError:  # its log is gone, and with it whatever could be lost
        return False
    old = pinned - _names(load(spark, table))
    return bool(old) and (len(removable) >= _LISTED or not old.isdisjoint(removable))


def _vacuuming(spark: SparkSession) -> SparkSession:
    return isolated(
        spark,
        {
            # no two commits that tell of it: they would look like something new to whoever reads the table as a source
            "spark.databricks.delta.vacuum.logging.enabled": "false",
            # not 10,000 tasks that list one folder: 7 s instead of 57 for six partitions (2 cores, busy)
            "spark.sql.sources.parallelPartitionDiscovery.parallelism": str(4 * spark.sparkContext.defaultParallelism),
        },
    )


def _names(frame: DataFrame) -> set[str]:
    return {file.rpartition("/")[2] for file in frame.inputFiles()}


def _small(spark: SparkSession, folder: str, names: Collection[str]) -> int:
    sizes = folders.sizes(spark, folder)
    return sum(sizes.get(name, FULL_BYTES) < SMALL_BYTES for name in names)


def _date_of(folder: str) -> date | None:
    found = _DATE.fullmatch(folder.rpartition("/")[2])
    return None if found is None else date.fromisoformat(found[1])
