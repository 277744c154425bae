"""Which Parquet files pyarrow reads as Spark does. Executors use it: pyarrow only."""

from collections.abc import Iterator, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import fs

from sparkscore.errors import ScanUnsupported

_LEGACY_CALENDAR_KEYS = (b"org.apache.spark.legacyDateTime", b"org.apache.spark.legacyINT96")
"""Marks of files whose old dates Spark shifts from the Julian calendar."""
_SPARK_VERSION_KEY = b"org.apache.spark.version"
_FIRST_GREGORIAN_VERSION = 3
_BUFFER_BYTES = 1 << 20


def open_parquet_file(path: str, filesystem: fs.FileSystem | None) -> pq.ParquetFile:
    """A data file, for reading its row groups one after the other.

    Runs on: executor.
    Raises:  OSError, ArrowInvalid.
    """
    # Pre-buffering and memory mapping took four times as much memory (280 MB against 74 for a file of 263); over a
    # network one large request beats many small ones, and a split is at most 128 MiB.
    is_remote = filesystem is not None
    return pq.ParquetFile(
        path,
        filesystem=filesystem,
        pre_buffer=is_remote,
        buffer_size=0 if is_remote else _BUFFER_BYTES,
        coerce_int96_timestamp_unit="us",
    )


def find_file_columns(file: pq.ParquetFile, columns: pa.Schema, partitions: Sequence[str]) -> list[str]:
    """The stored columns that the file has. One that differs in case only is Spark's to understand.

    Needs:   names and types of `ingest.stored_columns`; `partitions`: those whose values are in the log.
    Raises:  ScanUnsupported for a file that pyarrow does not read as Spark does.
    """
    names = file.schema_arrow.names
    wanted = [name for name in columns.names if name not in partitions]
    lower = {name.lower() for name in names}
    unlike = [name for name in wanted if name not in names and name.lower() in lower]
    if unlike or len(set(names)) < len(names):
        raise ScanUnsupported("a data file has column names that differ from the table's in case", ", ".join(unlike))
    _refuse_julian_calendar(file, columns)
    for leaf, path, top in _iterate_leaves(file):
        if top in wanted:
            _refuse_other_timestamps(leaf, top, columns.field(top).type)
            if _holds_struct(columns.field(top).type):
                _refuse_other_lists(leaf, path)
    return [name for name in wanted if name in names]


def _iterate_leaves(file: pq.ParquetFile) -> Iterator[tuple[Any, str, str]]:
    """Each leaf with the path that it has in a file with lists and maps of three levels, and its column."""
    paths = [(path, field.name) for field in file.schema_arrow for path in _leaf_paths(field)]
    if len(paths) != len(file.schema):
        raise ScanUnsupported("a data file has columns without values", "one leaf at least in each column")
    return ((file.schema.column(index), path, top) for index, (path, top) in enumerate(paths))


def _leaf_paths(field: pa.Field) -> list[str]:
    kind = field.type.storage_type if isinstance(field.type, pa.BaseExtensionType) else field.type
    if pa.types.is_struct(kind):
        inner = [path for child in kind for path in _leaf_paths(child)]
    elif pa.types.is_map(kind):
        inner = [f"key_value.{path}" for child in (kind.key_field, kind.item_field) for path in _leaf_paths(child)]
    elif pa.types.is_list(kind) or pa.types.is_large_list(kind):
        inner = [f"list.{path}" for path in _leaf_paths(kind.value_field)]
    else:
        return [str(field.name)]
    return [f"{field.name}.{path}" for path in inner]


def _holds_struct(kind: pa.DataType) -> bool:
    if pa.types.is_list(kind):
        return _holds_struct(kind.value_type)
    if pa.types.is_map(kind):
        return _holds_struct(kind.key_type) or _holds_struct(kind.item_type)
    return bool(pa.types.is_struct(kind))


def _refuse_other_lists(leaf: Any, path: str) -> None:
    """Lists and maps as old writers have them are read by rules that differ where their values are structs."""
    if leaf.max_repetition_level and leaf.path != path:
        raise ScanUnsupported(f"a data file has a list in an old layout: {leaf.path}", path)


def _refuse_other_timestamps(leaf: Any, name: str, kind: pa.DataType) -> None:
    """INT96 are timestamps in UTC; those that are written without a zone are not, and Spark tells them apart."""
    has_no_zone = "isAdjustedToUTC=false" in str(leaf.logical_type).replace(" ", "")
    is_utc = "tz=UTC" in str(kind)
    if (has_no_zone and is_utc) or (leaf.physical_type == "INT96" and not is_utc):
        raise ScanUnsupported(f"a data file has timestamps of another kind in {name}", f"{kind}")


def _refuse_julian_calendar(file: pq.ParquetFile, columns: pa.Schema) -> None:
    notes = file.metadata.metadata or {}
    major = notes.get(_SPARK_VERSION_KEY, b"3").split(b".")[0]
    is_old = any(key in notes for key in _LEGACY_CALENDAR_KEYS) or (
        major.isdigit() and int(major) < _FIRST_GREGORIAN_VERSION
    )
    if is_old and any(pa.types.is_temporal(field.type) or pa.types.is_nested(field.type) for field in columns):
        raise ScanUnsupported("a data file has dates of the Julian calendar", "files of Spark 3 or newer")
