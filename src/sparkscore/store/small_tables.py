"""Rows of the suite's own small tables, as Python values."""

from collections.abc import Collection
from contextlib import suppress
from datetime import date
from typing import Any

from deltalake.exceptions import DeltaError
from pyarrow import fs
from pyarrow import parquet as pq
from pyarrow.dataset import ParquetReadOptions
from pyspark.sql import functions as F

from sparkscore.errors import ScanUnsupported
from sparkscore.spark.error_translation import translate_spark_errors
from sparkscore.store.table import Table
from sparkscore.store.table_location import open_deltalake_table

_DIRECT_READER_VERSION = 1
_READ_OPTIONS = ParquetReadOptions(coerce_int96_timestamp_unit="us")
"""Nanoseconds, as Arrow reads them else, do not hold the years before 1678 and after 2261."""


def load_small_table(table: Table, *, where: tuple[str, Collection[date]] | None = None) -> list[dict[str, Any]]:
    """The rows whose column has one of these values, dates or UTC times; all rows for None.

    Reads without Spark if that is certain to be the same. What Spark does before it reads a changed table, mostly with
    its log, takes a second on two slow cores for the tens of rows of such a table. This takes 12 ms there, apart from
    the first import.

    Needs:   an existing table. Its timestamps come as aware times, or as the local ones that Spark gives.
    Jobs:    none, or one small one where only Spark reaches the table.
    Raises:  AccessDenied, TableNotFound.
    """
    with suppress(ScanUnsupported, DeltaError, OSError):  # where Spark fails, too, its own error tells why
        location = table.location
        found = open_deltalake_table(location)
        if found.protocol().min_reader_version == _DIRECT_READER_VERSION:
            filters = None if where is None else [(where[0], "in", list(where[1]))]
            # with deltalake's own file system two of three processes abort when they end (deltalake 1.6)
            files = fs.SubTreeFileSystem(location.root, location.filesystem or fs.LocalFileSystem())
            dataset = found.to_pyarrow_dataset(filesystem=files, parquet_read_options=_READ_OPTIONS)
            expression = None if filters is None else pq.filters_to_expression(filters)
            rows: list[dict[str, Any]] = dataset.to_table(filter=expression).to_pylist()
            return rows
    frame = table.load_rows()
    if where is not None:
        frame = frame.where(F.col(where[0]).isin(*where[1]))
    with translate_spark_errors(f"reading {table.name}"):
        return [row.asDict(recursive=True) for row in frame.collect()]
