"""Counts rows by run from the Parquet files of one as_of, with no more in memory than two columns of a row group."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from functools import partial

import pyarrow as pa
from pyarrow import compute as pc
from pyarrow import parquet as pq

from sparkscore.errors import ScanUnsupported
from sparkscore.records import TableLocation
from sparkscore.store.table_log import TableLog, sum_logged_rows

_MOST_FILES = 500
_MOST_ROWS = 100_000_000
"""Spark's own job takes longer for fewer: 0.6 s instead of 0.016 for 60 files, 3.7 s instead of 0.03 for 4 M rows."""
_READERS = 4
"""Threads: a row group each. On a store far away most of the time is waiting."""
_DATE_COLUMN = "partition.as_of_date"
_LEAST_TIME, _GREATEST_TIME = "min.as_of", "max.as_of"
_STATISTICS_UNIT = timedelta(milliseconds=1)
"""Delta's statistics cut times to it: a file may hold times up to so much after its greatest."""
_FIRST_SURE_YEAR = 1900
"""Times before are shifted by some writers: other calendars, local mean times."""


def count_logged_rows(log: TableLog, as_of: datetime) -> dict[str, int]:
    """Visible rows per run_id of an as_of.

    Raises:  as `TableLog`; ScanUnsupported where Spark counts faster, or reads other values.
    """
    moment = as_of.astimezone(UTC)
    paths = _list_paths(log.list_newest_files(partial(_find_files_of, moment)))
    count = partial(_count_file_rows, log.location, moment)
    with ThreadPoolExecutor(_READERS) as pool:
        return dict(+sum(pool.map(count, paths), Counter()))


def _find_partition(moment: datetime, files: pa.Table) -> pa.ChunkedArray:
    if _DATE_COLUMN not in files.column_names or moment.year < _FIRST_SURE_YEAR:
        raise ScanUnsupported("the table has no files of its own for a date", "partitions by as_of_date")
    return pc.equal(files.column(_DATE_COLUMN), pa.scalar(moment.date(), pa.date32()))


def _find_files_of(moment: datetime, files: pa.Table) -> pa.ChunkedArray:
    """The files of the date that may hold the time: all, but for those whose statistics say that they do not."""
    of_date = _find_partition(moment, files)
    if not {_LEAST_TIME, _GREATEST_TIME} <= set(files.column_names):
        return of_date
    least, greatest = files.column(_LEAST_TIME), files.column(_GREATEST_TIME)
    if not pa.types.is_timestamp(least.type) or least.type.tz is None or greatest.type != least.type:
        return of_date
    begins = pc.less_equal(least, pa.scalar(moment, least.type))
    ends = pc.greater_equal(greatest, pa.scalar(moment - _STATISTICS_UNIT, least.type))
    return pc.and_(of_date, pc.fill_null(pc.and_(begins, ends), fill_value=True))


def _list_paths(files: pa.Table) -> list[str]:
    rows = sum_logged_rows(files)
    if rows is None:
        raise ScanUnsupported("files whose rows the log does not count", "statistics")
    if len(files) > _MOST_FILES or rows > _MOST_ROWS:
        raise ScanUnsupported(f"{len(files):,} files with {rows:,} rows are counted faster by Spark", "fewer")
    paths: list[str] = files.column("path").to_pylist()
    return paths


def _count_file_rows(location: TableLocation, moment: datetime, path: str) -> Counter[str]:
    counts: Counter[str] = Counter()
    with pq.ParquetFile(
        f"{location.root}/{path}",
        filesystem=location.files,
        read_dictionary=["run_id"],
        coerce_int96_timestamp_unit="us",
    ) as file:
        runs, times = _find_column(file, "run_id"), _find_column(file, "as_of")
        if file.schema.column(times).physical_type != "INT96" and file.schema_arrow.field("as_of").type.tz != "UTC":
            raise ScanUnsupported("a data file has an as_of without a zone", "as_of in UTC")
        for group in range(file.num_row_groups):
            run_id = _find_constant(file.metadata.row_group(group).column(runs).statistics)
            counts.update(_count_rows_of_row_group(file, group, moment, run_id))
    return counts


def _count_rows_of_row_group(file: pq.ParquetFile, group: int, moment: datetime, run_id: str | None) -> dict[str, int]:
    """Rows by run of a row group; by their as_of alone where all have one run_id, in an eighth of the time."""
    rows = file.read_row_group(group, columns=["as_of"] if run_id else ["as_of", "run_id"])
    times = rows.column("as_of").cast(pa.timestamp("us", "UTC"))
    matching = pc.equal(times, pa.scalar(moment, times.type))
    if run_id:
        return {run_id: pc.sum(matching).as_py() or 0}
    found = rows.column("run_id").filter(matching).value_counts()
    return {one["values"] or "": one["counts"] for one in found.to_pylist()}


def _find_constant(statistics: pq.Statistics | None) -> str | None:
    """The value of all rows of a row group; None where there may be several. Bounds that are cut are never equal."""
    if statistics is None or not (statistics.has_min_max and statistics.has_null_count) or statistics.null_count:
        return None
    return str(statistics.min) if statistics.min == statistics.max else None


def _find_column(file: pq.ParquetFile, name: str) -> int:
    names = [file.schema.column(index).path for index in range(len(file.schema))]
    if name not in names:
        raise ScanUnsupported(f"a data file has no column {name}", "the columns of the prediction table")
    return names.index(name)
