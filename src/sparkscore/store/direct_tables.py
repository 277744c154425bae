"""Small Delta tables as deltalake and pyarrow read them: the log, and the files that may hold what is asked for."""

import bisect
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import reduce
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from deltalake import DeltaTable
from pyarrow import dataset, fs
from pyarrow.dataset import ParquetFileFormat, ParquetReadOptions

from sparkscore.errors import ScanUnsupported
from sparkscore.records import TableLocation
from sparkscore.store.table import Table
from sparkscore.store.table_location import open_deltalake_table
from sparkscore.store.table_log import list_data_files, sum_logged_rows

RowSelection = tuple[str, Collection[date]]
"""A column, and the dates or UTC times that are asked for."""

_DIRECT_READER_VERSION = 1
_READ_OPTIONS = ParquetReadOptions(coerce_int96_timestamp_unit="us")
"""Nanoseconds, as Arrow reads them else, do not hold the years before 1678 and after 2261."""
_STATISTICS_UNIT = timedelta(milliseconds=1)
"""Delta's statistics cut times to it."""


@dataclass(frozen=True, slots=True)
class DirectTable:
    """One version of a table that the plainest Delta reader can read, where Spark is not needed for it."""

    location: TableLocation
    delta: DeltaTable

    @classmethod
    def open(cls, table: Table) -> "DirectTable":
        """The newest version, in an object of its own: it stays at this version, which a commit may then follow.

        Jobs:    none.
        Raises:  ScanUnsupported where only Spark reaches it, or reads it right; deltalake's DeltaError, OSError.
        """
        return cls(table.location, open_deltalake_table(table.location)).require_plain_reader()

    @classmethod
    def open_shared(cls, table: Table) -> "DirectTable":
        """The newest version, in the object of the table's log, which moves on to newer ones. It lists no folder.

        Jobs:    none.
        Raises:  as `open`; TableNotFound.
        """
        version = table.log.load_newest_version()
        return cls(table.location, table.log.open_version(version)).require_plain_reader()

    def require_plain_reader(self) -> "DirectTable":
        """The table itself, where its log is all, and its files are its rows: no deletion vectors, no other names.

        Raises:  ScanUnsupported.
        """
        if self.location.is_coordinated:
            raise ScanUnsupported("a service orders the commits", "commits that only need their file to be new")
        version = self.delta.protocol().min_reader_version
        if version != _DIRECT_READER_VERSION:
            raise ScanUnsupported(f"reader version {version}", "1")
        return self

    def require_few_rows(self, most: int) -> "DirectTable":
        """The table itself, where the driver may read all of it.

        Raises:  ScanUnsupported where it has more rows, or does not say how many.
        """
        rows = sum_logged_rows(self.list_files())
        if rows is None or rows > most:
            raise ScanUnsupported("a large table", f"at most {most:,} rows")
        return self

    @property
    def filesystem(self) -> fs.FileSystem:
        """Where the table's folder is the root."""
        # with deltalake's own file system two of three processes abort when they end (deltalake 1.6)
        return fs.SubTreeFileSystem(self.location.root, self.location.files)

    @property
    def schema(self) -> pa.Schema:
        """The columns, those of the partition too."""
        return pa.schema(self.delta.schema().to_arrow())

    @property
    def partition_columns(self) -> list[str]:
        """The columns whose values are not in the files."""
        return list(self.delta.metadata().partition_columns)

    def list_files(self) -> pa.Table:
        """The files of the version, one a row: `path`, `num_records`, `min.` and `max.` of a column, `partition.`.

        Raises:  ScanUnsupported for files that lie elsewhere.
        """
        return list_data_files(self.delta)

    def read_rows(self, where: RowSelection | None = None, *, columns: Sequence[str] | None = None) -> pa.Table:
        """The rows whose column has one of the values; all rows for None.

        Raises:  ScanUnsupported for files that lie elsewhere.
        """
        files = self.list_files()
        if where is None:
            return self.read_files(files, columns=columns)
        name, values = where[0], sorted(where[1])
        found = pc.field(name).isin(pa.array(values, self.schema.field(name).type))
        return self.read_files(_select_files(files, name, values), columns=columns, condition=found)

    def read_files(
        self, files: pa.Table, *, columns: Sequence[str] | None = None, condition: pc.Expression | None = None
    ) -> pa.Table:
        """The rows of these files, of `list_files`."""
        form, filesystem, schema = ParquetFileFormat(read_options=_READ_OPTIONS), self.filesystem, self.schema
        partitions = [name for name in self.partition_columns if f"partition.{name}" in files.column_names]
        fragments = [
            form.make_fragment(
                file["path"],
                filesystem=filesystem,
                partition_expression=_partition_expression(
                    {name: file[f"partition.{name}"] for name in partitions}, schema
                ),
            )
            for file in files.select(["path", *(f"partition.{name}" for name in partitions)]).to_pylist()
        ]
        found = dataset.FileSystemDataset(fragments, schema, form, filesystem)
        return found.to_table(filter=condition, columns=None if columns is None else list(columns))


def _select_files(files: pa.Table, name: str, values: Sequence[date]) -> pa.Table:
    """The files that may hold one of the ascending values, by their statistics; those without any may."""
    low, high = (
        (f"partition.{name}",) * 2 if f"partition.{name}" in files.column_names else (f"min.{name}", f"max.{name}")
    )
    if low not in files.column_names or high not in files.column_names:
        return files
    bounds = zip(files[low].to_pylist(), files[high].to_pylist(), strict=True)
    return files.filter(pa.array([_can_hold_one(values, first, last) for first, last in bounds], pa.bool_()))


def _can_hold_one(values: Sequence[Any], first: Any, last: Any) -> bool:
    if first is None or last is None:
        return True
    at = bisect.bisect_left(values, first)
    if at == len(values):
        return False
    return values[at] - last <= _STATISTICS_UNIT if isinstance(last, datetime) else bool(values[at] <= last)


def _partition_expression(values: dict[str, Any], schema: pa.Schema) -> pc.Expression:
    parts = [
        pc.field(name).is_null() if value is None else pc.field(name) == pa.scalar(value, schema.field(name).type)
        for name, value in values.items()
    ]
    return reduce(lambda one, other: one & other, parts, pc.scalar(True))
