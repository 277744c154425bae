"""Which Parquet files pyarrow reads as Spark does. Executors use it: pyarrow only."""

from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from sparkscore.errors import ScanUnsupported

_LEGACY_CALENDAR_KEYS = (b"org.apache.spark.legacyDateTime", b"org.apache.spark.legacyINT96")
"""Marks of files whose old dates Spark shifts from the Julian calendar."""
_SPARK_VERSION_KEY = b"org.apache.spark.version"
_FIRST_GREGORIAN_VERSION = 3


def find_file_columns(file: pq.ParquetFile, columns: pa.Schema, partitions: Sequence[str]) -> list[str]:
    """The columns that the file has. One that differs in case only is Spark's to understand.

    Raises:  ScanUnsupported for a file that pyarrow does not read as Spark does.
    """
    names = file.schema_arrow.names
    wanted = [name for name in columns.names if name not in partitions]
    lower = {name.lower() for name in names}
    unlike = [name for name in wanted if name not in names and name.lower() in lower]
    if unlike or len(set(names)) < len(names):
        raise ScanUnsupported("a data file has column names that differ from the table's in case", ", ".join(unlike))
    _refuse_julian_calendar(file, columns)
    for index in range(len(file.schema)):
        _refuse_other_timestamps(file.schema.column(index), columns)
    return [name for name in wanted if name in names]


def _refuse_other_timestamps(leaf: Any, columns: pa.Schema) -> None:
    """INT96 are timestamps in UTC; those that are written without a zone are not, and Spark tells them apart."""
    name = leaf.path.split(".")[0]
    if name not in columns.names:
        return
    type_ = columns.field(name).type
    has_no_zone = "isAdjustedToUTC=false" in str(leaf.logical_type).replace(" ", "")
    is_utc = "tz=UTC" in str(type_)
    if (has_no_zone and is_utc) or (leaf.physical_type == "INT96" and not is_utc):
        raise ScanUnsupported(f"a data file has timestamps of another kind in {name}", f"{type_}")


def _refuse_julian_calendar(file: pq.ParquetFile, columns: pa.Schema) -> None:
    notes = file.metadata.metadata or {}
    major = notes.get(_SPARK_VERSION_KEY, b"3").split(b".")[0]
    is_old = any(key in notes for key in _LEGACY_CALENDAR_KEYS) or (
        major.isdigit() and int(major) < _FIRST_GREGORIAN_VERSION
    )
    if is_old and any(pa.types.is_temporal(field.type) or pa.types.is_nested(field.type) for field in columns):
        raise ScanUnsupported("a data file has dates of the Julian calendar", "files of Spark 3 or newer")
