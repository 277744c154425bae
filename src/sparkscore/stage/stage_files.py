"""The rows of a stage by the files that its log names, without Delta's own look at a log that it has never seen."""

import re
from contextlib import suppress
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import parquet as pq
from pyspark.errors import PySparkException
from pyspark.sql import DataFrame

from sparkscore.errors import ScanUnsupported
from sparkscore.schemas import REJECT_COLUMN
from sparkscore.spark.active_session import create_frame
from sparkscore.store.table import Table
from sparkscore.store.table_log import TableLog, list_data_files

_MOST_FILES = 32
"""Spark lists more paths by a job of its own."""
_PLAIN_NAME = re.compile(r"[\w.=-]+", re.ASCII)
_PATTERN_SIGNS = frozenset("*?[]{}\\,")
"""Of a path that Spark would take for a pattern."""


def load_listed_rows(table: Table, version: int) -> DataFrame | None:
    """The rows of a version; None where Delta has to read them: many files, partitions, types that only it knows.

    A stage is a new table for each run: before Delta reads the first row of it, it computes its state in two jobs.

    Jobs:    none.
    """
    names = table.ask_log(lambda log: _list_plain_files(log, version))
    if not names or table.path is None or _PATTERN_SIGNS & set(table.path):
        return None
    schema = table.load_schema(version)
    with suppress(PySparkException):  # a file is gone: Delta's own error tells so
        return table.spark.read.schema(schema).parquet(*(f"{table.path}/{name}" for name in names))
    return None


def load_added_rows(table: Table, version: int) -> DataFrame | None:
    """The rows of the files that a version has and the one before it has not; None where Delta has to read them.

    Jobs:    none.
    """

    def list_new_files(log: TableLog) -> list[str] | None:
        found = _list_all_files(log.open_version(version))
        before = set(_list_all_files(log.open_version(version - 1)) or ()) if version else set()
        return None if found is None else [name for name in found if name not in before]

    names = table.ask_log(list_new_files)
    if names is None or table.path is None or _PATTERN_SIGNS & set(table.path):
        return None
    schema = table.load_schema(version)
    if not names:
        return create_frame(table.spark, [], schema)
    return table.spark.read.schema(schema).parquet(*(f"{table.path}/{name}" for name in names))


def _list_all_files(opened: Any) -> list[str] | None:
    """None for tables with partitions, and names that Spark would take for something else."""
    names = [str(name) for name in list_data_files(opened).column("path").to_pylist()]
    plain = not opened.metadata().partition_columns and all(map(_PLAIN_NAME.fullmatch, names))
    return names if plain else None


def _list_plain_files(log: TableLog, version: int) -> list[str]:
    opened = log.open_version(version)
    files: pa.Table = list_data_files(opened)
    names = [str(name) for name in files.column("path").to_pylist()]
    plain = not opened.metadata().partition_columns and all(map(_PLAIN_NAME.fullmatch, names))
    return names if plain and len(names) <= _MOST_FILES else []


def read_listed_rows(log: TableLog, version: int) -> pa.Table:
    """The rows of a version that are not rejected, without `_reject`, read by the driver.

    Raises:  as `TableLog`; ScanUnsupported for partitions.
    """
    opened, location = log.open_version(version), log.location
    if opened.metadata().partition_columns:
        raise ScanUnsupported("the stage has partitions", "none")
    files = location.files
    paths = [f"{location.root}/{path}" for path in list_data_files(opened).column("path").to_pylist()]
    found = (pq.read_table(path, filesystem=files, partitioning=None) for path in paths)
    return pa.concat_tables([_drop_rejected_rows(rows) for rows in found])


def _drop_rejected_rows(rows: pa.Table) -> pa.Table:
    if REJECT_COLUMN not in rows.column_names:  # tasks leave it out of files in which no row is rejected
        return rows
    return rows.filter(pc.is_null(rows[REJECT_COLUMN])).drop_columns([REJECT_COLUMN])
