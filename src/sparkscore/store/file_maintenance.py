"""Maintains the files of the job's own tables: compacts small ones, removes those that no version needs."""

import re
from collections.abc import Collection
from dataclasses import dataclass
from datetime import date

from pyspark.sql import DataFrame, SparkSession

from sparkscore.errors import ConfigError, UnsupportedSession
from sparkscore.records import format_commit_note
from sparkscore.spark.error_translation import translate_spark_errors
from sparkscore.spark.isolated_session import create_isolated_session, create_noted_session
from sparkscore.spark.session_kind import count_task_slots
from sparkscore.spark.session_settings import TIME_TRAVEL_LIMIT
from sparkscore.spark.settable_conf import is_any_refused, try_settings
from sparkscore.spark.sql_texts import date_literal
from sparkscore.store import hadoop_folders
from sparkscore.store.guarded_writes import retry_on_conflict
from sparkscore.store.table import Table

SMALL_FILE_BYTES = 16 * 1024 * 1024
"""A file below this is small."""
COMPACTED_FILE_BYTES = 128 * 1024 * 1024
"""Size of compacted files: Delta's own goal for tables of this size."""
MIN_FILES_TO_COMPACT = 8
"""The number of small files in one partition that is worth a rewrite."""

_DRY_RUN_LIMIT = 1000
"""Databricks lists no more files of a dry run: a list of so many may be cut."""
_DATE_PARTITION = re.compile(r"as_of_date=(\d{4}-\d\d-\d\d)")


@dataclass(frozen=True, slots=True)
class SmallFilePartition:
    """The small files of one partition, or of a table without partitions."""

    as_of_date: date | None
    small_files: int


def find_small_file_partitions(table: Table) -> list[SmallFilePartition]:
    """The partitions that hold many small files, by date.

    Jobs:    none; one listing per partition with many files. Over Connect a job for each where the client does not
             reach the files.
    """
    names: dict[str, list[str]] = {}
    with translate_spark_errors(f"listing the files of {table.name}"):
        for file in table.load_rows().inputFiles():
            folder, _, name = file.rpartition("/")
            names.setdefault(folder, []).append(name)
    many = {folder: found for folder, found in sorted(names.items()) if len(found) >= MIN_FILES_TO_COMPACT}
    parts = [
        SmallFilePartition(_partition_date(folder), _count_small_files(table, folder, found))
        for folder, found in many.items()
    ]
    return [part for part in parts if part.small_files >= MIN_FILES_TO_COMPACT]


@retry_on_conflict
def compact_partition(table: Table, part: SmallFilePartition, *, job: str) -> int:
    """How many small files one OPTIMIZE of a partition has combined. Files that are not small stay.

    Jobs:    one Spark job that rewrites the small files.
    Raises:  PublishConflict if other writers keep committing first, AccessDenied.
    """
    session = create_noted_session(table.spark, format_commit_note({"job": job, "upkeep": "compaction"}))
    sizes = {"minFileSize": str(SMALL_FILE_BYTES), "maxFileSize": str(COMPACTED_FILE_BYTES)}
    try_settings(session, {f"spark.databricks.delta.optimize.{name}": size for name, size in sizes.items()})
    with translate_spark_errors(f"compacting {table.name}"):
        builder = table.in_session(session).handle.optimize()
        if part.as_of_date is not None:
            builder = builder.where(f"as_of_date = {date_literal(part.as_of_date)}")
        return int(builder.executeCompaction().collect()[0]["metrics"]["numFilesRemoved"])


def list_vacuumable_files(table: Table) -> list[str]:
    """The names of the files that a VACUUM would remove now.

    Jobs:    some; they list the table's folder.
    Raises:  AccessDenied.
    """
    with translate_spark_errors(f"listing what a VACUUM of {table.name} would remove"):
        rows = _create_vacuum_session(table.spark).sql(f"VACUUM {table.sql_name} DRY RUN").collect()
    names = [str(row["path"]).rstrip("/").rpartition("/")[2] for row in rows]
    return [name for name in names if "=" not in name]  # empty folders of partitions go along with the next files


def vacuum_table(table: Table) -> None:
    """Remove files that no version within Delta's retention needs, and that are older than it.

    Jobs:    some; they list the table's folder, and remove.
    Raises:  AccessDenied.
    """
    with translate_spark_errors(f"vacuuming {table.name}"):
        _create_vacuum_session(table.spark).sql(f"VACUUM {table.sql_name}").collect()


def can_vacuum_break_version(table: Table, version: int, removable: Collection[str]) -> bool:
    """Whether a VACUUM that removes these files would remove any file of a version that the log still lists.

    Jobs:    none.
    """
    # Delta refuses to read a version beyond its retention: the files may be there all the same, and be read without it
    session = create_isolated_session(table.spark, {TIME_TRAVEL_LIMIT: "false"})
    try:
        with translate_spark_errors(f"listing the files of {table.name} at version {version}"):
            pinned = _input_file_names(table.in_session(session).load_rows(version))
    except ConfigError:
        # its log is gone, and with it whatever could be lost; else it is there, and nobody may look
        return is_any_refused(session, (TIME_TRAVEL_LIMIT,)) and table.find_commit_time(version) is not None
    old = pinned - _input_file_names(table.load_rows())
    return bool(old) and (len(removable) >= _DRY_RUN_LIMIT or not old.isdisjoint(removable))


def _create_vacuum_session(spark: SparkSession) -> SparkSession:
    return create_isolated_session(
        spark,
        {
            # no two commits that tell of it: they would look like something new to whoever reads the table as a source
            "spark.databricks.delta.vacuum.logging.enabled": "false",
            # not 10,000 tasks that list one folder: 7 s instead of 57 for six partitions (2 cores, busy)
            "spark.sql.sources.parallelPartitionDiscovery.parallelism": str(4 * count_task_slots(spark)),
        },
    )


def _input_file_names(frame: DataFrame) -> set[str]:
    return {file.rpartition("/")[2] for file in frame.inputFiles()}


def _count_small_files(table: Table, folder: str, names: Collection[str]) -> int:
    try:
        sizes = hadoop_folders.list_file_sizes(table.spark, folder)
    except UnsupportedSession:  # a client of Spark Connect, for files of the server
        files = table.load_rows().select("_metadata.file_name", "_metadata.file_size").distinct()
        sizes = {row["file_name"]: row["file_size"] for row in files.collect()}
    return sum(sizes.get(name, COMPACTED_FILE_BYTES) < SMALL_FILE_BYTES for name in names)


def _partition_date(folder: str) -> date | None:
    found = _DATE_PARTITION.fullmatch(folder.rpartition("/")[2])
    return None if found is None else date.fromisoformat(found[1])
