"""Reads a split of a pinned table with pyarrow: the rows that Spark would give. Executors use it: pyarrow only."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import fs

from sparkscore.errors import AccessDenied, ConfigError, ScanUnsupported
from sparkscore.ingest.arrow_conversion import conform_column
from sparkscore.ingest.part_reader import PartReader, RangeBatch
from sparkscore.predicates.arrow_filter import ArrowCondition, evaluate_arrow_conditions
from sparkscore.records import SplitPosition

BATCH_ROWS = 20_000
"""As many as a page of Parquet has in most writers: 81 ns a row, 90 with 10,000, 97 with 16,384 (20 doubles)."""
BATCH_BYTES = 64 << 20
_BUFFER_BYTES = 1 << 20
_LEGACY_CALENDAR_KEYS = (b"org.apache.spark.legacyDateTime", b"org.apache.spark.legacyINT96")
"""Marks of files whose old dates Spark shifts from the Julian calendar."""
_SPARK_VERSION_KEY = b"org.apache.spark.version"
_FIRST_GREGORIAN_VERSION = 3


@dataclass(frozen=True, slots=True)
class ParquetSplitReader:
    """How the splits of one table version are read. Pickled into every task."""

    root: str
    filesystem: fs.FileSystem | None
    """None: the machine's own files."""
    columns: pa.Schema
    """What is read, in order, in the table's types; the filter's columns last."""
    keep: int
    """How many of them are given back."""
    partitions: tuple[str, ...]
    where: tuple[ArrowCondition, ...]
    batch_rows: int | None = None
    share: float = 1.0
    """How much of each row group is read, from its beginning: a sample, the same each time."""

    def __call__(self, split: bytes) -> Iterator[pa.RecordBatch]:
        """The split's rows that meet the filter.

        Needs:   ranges as `ingest.file_ranges` makes them.
        Runs on: executor.
        Raises:  ScanUnsupported for a file that only Spark can read reliably; ConfigError for one that is gone or
                 damaged.
        """
        yield from self.read_part(split, (0, 0), None)

    def read_part(self, split: bytes, first: SplitPosition, last: SplitPosition | None) -> PartReader:
        """The rows of a part of it, as `__call__`. Parts that meet give each row once; a batch is cut where they meet.

        Runs on: executor.
        """
        return PartReader(self.read_range, _decode_split_ranges(split), first, last)

    def range_lengths(self, split: bytes) -> tuple[int, ...]:
        """The bytes of each of its ranges. Runs on: driver | executor."""
        return tuple(part["length"] for part in _decode_split_ranges(split))

    def read_range(self, part: Mapping[str, Any], first: int, last: int | None) -> Iterator[RangeBatch]:
        """The batches of a range's rows from `first` to `last`, without those that the filter leaves out.

        Runs on: executor.
        Raises:  as `__call__`.
        """
        path = f"{self.root}/{part['path']}"
        try:
            with _open_parquet_file(path, self.filesystem) as file:
                yield from self._rows(file, part, first, last)
        except FileNotFoundError:
            raise ConfigError(
                f"the data file {_data_file_name(part)} of the pinned version is gone",
                "a version that was not vacuumed",
                "score a newer version: source.version, or --restart",
            ) from None
        except PermissionError:
            raise AccessDenied(
                f"no access to {_data_file_name(part)} of the table at {self.root}",
                "permission to read it",
                "check its owner and mode",
            ) from None
        except (pa.ArrowInvalid, OSError) as error:
            raise ConfigError(
                f"the data file {_data_file_name(part)} cannot be read: {str(error).partition(chr(10))[0][:200]}",
                "a whole Parquet file",
                "restore the file, or score another version of the table",
            ) from error

    def describe(self, split: bytes) -> str:
        """The split in words: its first and last range. Of a file its name alone: folders name partitions' values.

        Runs on: executor.
        """
        parts = _decode_split_ranges(split)
        ends = [f"{_data_file_name(part)} from byte {part['start']:,} on" for part in (parts[0], parts[-1])]
        return ends[0] if len(parts) == 1 else f"{len(parts):,} ranges, {ends[0]} to {ends[1]}"

    def with_share(self, share: float) -> "ParquetSplitReader":
        """Reads a share of each row group, from its beginning: the same rows each time."""
        return replace(self, share=share)

    def _rows(
        self, file: pq.ParquetFile, part: Mapping[str, Any], first: int, last: int | None
    ) -> Iterator[RangeBatch]:
        groups = _select_row_groups(file.metadata, part["start"], part["start"] + part["length"])
        if not groups:
            return
        there = self._there(file)
        rows = self.batch_rows or _batch_rows(file.metadata, groups, there)
        given = self.columns.names[: self.keep]
        types = [file.schema_arrow.field(name).type for name in there]
        ready = not self.where and (there, types) == (self.columns.names, self.columns.types)
        layout = (sum(file.metadata.row_group(group).num_rows for group in groups), rows)
        wanted = (first, layout[0] if last is None else last)
        for batch, end in self._batches(file, groups, there, rows=rows, wanted=wanted):
            yield RangeBatch(batch.select(given) if ready else self._kept(batch, part, given), end, layout)

    def _batches(
        self, file: pq.ParquetFile, groups: list[int], columns: list[str], *, rows: int, wanted: tuple[int, int]
    ) -> Iterator[tuple[pa.RecordBatch, int]]:
        """Batches of the wanted rows, counted over the groups, each with where it ends."""
        if self.share >= 1:
            yield from _cut_batches(file, groups, columns, rows=rows, wanted=wanted)
            return
        end = 0
        for group in groups:
            size = file.metadata.row_group(group).num_rows
            left = math.ceil(size * self.share)
            batches = file.iter_batches(min(rows, max(left, 1)), row_groups=[group], columns=columns, use_threads=False)
            while left > 0:
                batch = next(batches)
                yield batch.slice(0, left), end
                left -= batch.num_rows
            end += size

    def _kept(self, batch: pa.RecordBatch, part: Mapping[str, Any], given: list[str]) -> pa.RecordBatch:
        columns = {field.name: self._column(batch, part, field) for field in self.columns}
        whole = pa.record_batch([columns[name] for name in given], names=given)
        return whole.filter(evaluate_arrow_conditions(self.where, columns, batch.num_rows)) if self.where else whole

    def _column(self, batch: pa.RecordBatch, part: Mapping[str, Any], field: pa.Field) -> pa.Array:
        if field.name in self.partitions:
            return pa.repeat(pa.scalar(part[f"partition.{field.name}"], field.type), batch.num_rows)
        place = batch.schema.get_field_index(field.name)
        return pa.nulls(batch.num_rows, field.type) if place < 0 else conform_column(batch.column(place), field.type)

    def _there(self, file: pq.ParquetFile) -> list[str]:
        """The wanted columns that the file has. Only Spark understands one that differs in case only."""
        names = file.schema_arrow.names
        wanted = [name for name in self.columns.names if name not in self.partitions]
        there = [name for name in wanted if name in names]
        lower = {name.lower() for name in names}
        strange = [name for name in wanted if name not in names and name.lower() in lower]
        if strange or len(set(names)) < len(names):
            raise ScanUnsupported(
                "a data file has column names that differ from the table's in case", ", ".join(strange)
            )
        self._refuse_old_calendar(file)
        for place in range(len(file.schema)):
            self._refuse_other_times(file.schema.column(place))
        return there

    def _refuse_other_times(self, leaf: Any) -> None:
        """INT96 are moments in UTC; times that are written without a zone are not, and Spark tells them apart."""
        name = leaf.path.split(".")[0]
        if name not in self.columns.names:
            return
        wall_clock = "isAdjustedToUTC=false" in str(leaf.logical_type).replace(" ", "")
        moments = "tz=UTC" in str(self.columns.field(name).type)
        if (wall_clock and moments) or (leaf.physical_type == "INT96" and not moments):
            raise ScanUnsupported(
                f"a data file has timestamps of another kind in {name}", f"{self.columns.field(name).type}"
            )

    def _refuse_old_calendar(self, file: pq.ParquetFile) -> None:
        notes = file.metadata.metadata or {}
        major = notes.get(_SPARK_VERSION_KEY, b"3").split(b".")[0]
        old = any(mark in notes for mark in _LEGACY_CALENDAR_KEYS) or (
            major.isdigit() and int(major) < _FIRST_GREGORIAN_VERSION
        )
        if old and any(pa.types.is_temporal(field.type) or pa.types.is_nested(field.type) for field in self.columns):
            raise ScanUnsupported("a data file has dates of the Julian calendar", "files of Spark 3 or newer")


def _cut_batches(
    file: pq.ParquetFile, groups: list[int], columns: list[str], *, rows: int, wanted: tuple[int, int]
) -> Iterator[tuple[pa.RecordBatch, int]]:
    """Skip groups without wanted rows; in the others, drop the rows before them."""
    first, last = wanted
    sizes = np.array([file.metadata.row_group(group).num_rows for group in groups])
    ends = np.cumsum(sizes)
    touched = [place for place, end in enumerate(ends.tolist()) if end > first and end - sizes[place] < last]
    if not touched:
        return
    end = int(ends[touched[0]] - sizes[touched[0]])
    for batch in file.iter_batches(
        rows, row_groups=[groups[place] for place in touched], columns=columns, use_threads=False
    ):
        start, end = end, end + batch.num_rows
        low, high = max(first, start), min(last, end)
        if low < high:
            yield (batch if (low, high) == (start, end) else batch.slice(low - start, high - low)), high
        if end >= last:
            return


def _decode_split_ranges(split: bytes) -> list[dict[str, Any]]:
    with pa.ipc.open_stream(split) as stream:
        parts: list[dict[str, Any]] = stream.read_all().to_pylist()
        return parts


def _data_file_name(part: Mapping[str, Any]) -> str:
    return str(part["path"]).rpartition("/")[2]


def _open_parquet_file(path: str, filesystem: fs.FileSystem | None) -> pq.ParquetFile:
    # Pre-buffering and memory mapping took four times as much memory (280 MB against 74 for a file of 263); over a
    # network one large request beats many small ones, and a split is at most 128 MiB.
    far = filesystem is not None
    return pq.ParquetFile(
        path,
        filesystem=filesystem,
        pre_buffer=far,
        buffer_size=0 if far else _BUFFER_BYTES,
        coerce_int96_timestamp_unit="us",
    )


def _select_row_groups(metadata: pq.FileMetaData, start: int, end: int) -> list[int]:
    """The row groups whose middle lies in the range."""
    return [
        place for place in range(metadata.num_row_groups) if start <= _row_group_middle(metadata.row_group(place)) < end
    ]


def _row_group_middle(group: pq.RowGroupMetaData) -> float:
    chunks = [group.column(place) for place in range(group.num_columns)]
    starts = [chunk.dictionary_page_offset or chunk.data_page_offset for chunk in chunks]
    return float(min(starts) + sum(chunk.total_compressed_size for chunk in chunks) / 2)


def _batch_rows(metadata: pq.FileMetaData, groups: Sequence[int], columns: Sequence[str]) -> int:
    """Rows of a batch: fewer where rows are long, so that a batch stays within its bytes."""
    size = rows = 0
    for place in groups:
        group = metadata.row_group(place)
        chunks = [group.column(at) for at in range(group.num_columns)]
        size += sum(chunk.total_uncompressed_size for chunk in chunks if chunk.path_in_schema.split(".")[0] in columns)
        rows += group.num_rows
    return max(1, min(BATCH_ROWS, BATCH_BYTES * rows // max(size, 1)))
