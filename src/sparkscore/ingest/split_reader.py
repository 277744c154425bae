"""Reads a split of a pinned table with pyarrow: the rows that Spark would give. Executors use it: pyarrow only."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import fs

from sparkscore.errors import AccessDenied, ConfigError
from sparkscore.ingest.arrow_conversion import conform_column
from sparkscore.ingest.batch_cutting import (
    BATCH_BYTES,
    BATCH_ROWS,
    RangeRows,
    choose_batch_rows,
    cut_batches,
    cut_by_bytes,
    sample_batches,
    select_row_groups,
)
from sparkscore.ingest.deletion_vectors import DELETION_VECTOR_COLUMN, load_deleted_rows, resolve_data_path
from sparkscore.ingest.parquet_checks import find_file_columns, open_parquet_file
from sparkscore.ingest.part_reader import PartReader, RangeBatch
from sparkscore.ingest.roaring_bitmap import RoaringBitmap
from sparkscore.ingest.stored_columns import find_stored_names
from sparkscore.predicates.arrow_filter import ArrowCondition, evaluate_arrow_conditions
from sparkscore.records import SplitPosition
from sparkscore.redaction.secret_patterns import shorten_redacted
from sparkscore.storage_errors import find_storage_error


@dataclass(frozen=True, slots=True)
class ParquetSplitReader:
    """How the splits of one table version are read. Pickled into every task."""

    root: str
    filesystem: fs.FileSystem | None
    """None: the machine's own files."""
    columns: pa.Schema
    """What is read, in order, in the table's types; the filter's columns last."""
    output_columns: int
    """How many of them are given back."""
    partitions: tuple[str, ...]
    where: tuple[ArrowCondition, ...]
    batch_rows: int | None = None
    """Of a batch; None: as suits the files."""
    batch_bytes: int | None = None
    """Of a batch, at most; None: as suits the files, and with `batch_rows` any."""
    share: float = 1.0
    """How much of each row group is read, from its beginning: a sample, the same each time."""
    stored: pa.Schema | None = None
    """The columns as data files have them, where their names differ: `ingest.stored_columns`."""

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
        return tuple(file_range["length"] for file_range in _decode_split_ranges(split))

    def read_range(self, file_range: Mapping[str, Any], first: int, last: int | None) -> Iterator[RangeBatch]:
        """The batches of a range's rows from `first` to `last`, without those that the filter leaves out.

        Runs on: executor.
        Raises:  as `__call__`.
        """
        path = resolve_data_path(self.root, file_range["path"])
        deleted = self._load_deleted_rows(file_range)
        try:
            with open_parquet_file(path, self.filesystem) as file:
                groups = select_row_groups(
                    file.metadata, file_range["start"], file_range["start"] + file_range["length"]
                )
                if groups:
                    rows = RangeRows(file.metadata, groups, deleted)
                    yield from self._read_row_groups(_OpenRange(file, file_range, groups, rows), first, last)
        except FileNotFoundError:
            raise ConfigError(
                f"the data file {_data_file_name(file_range)} of the pinned version is gone",
                "a version that was not vacuumed",
                "score a newer version: source.version, or --restart",
            ) from None
        except PermissionError:
            raise AccessDenied(
                f"no access to {_data_file_name(file_range)} of the table at {self.root}",
                "permission to read it",
                "check its owner and mode",
            ) from None
        except (pa.ArrowInvalid, OSError) as error:
            refused = None if self.filesystem is None else find_storage_error(str(error), f"reading {self.root}")
            raise refused or ConfigError(
                f"the data file {_data_file_name(file_range)} cannot be read:"
                f" {shorten_redacted(str(error).partition(chr(10))[0], 200)}",
                "a complete Parquet file",
                "restore the file, or score another version of the table",
            ) from error

    def describe(self, split: bytes) -> str:
        """The split in words: its first and last range. Of a file its name alone: folders name partitions' values.

        Runs on: executor.
        """
        ranges = _decode_split_ranges(split)
        ends = [
            f"{_data_file_name(file_range)} from byte {file_range['start']:,} on"
            for file_range in (ranges[0], ranges[-1])
        ]
        return ends[0] if len(ranges) == 1 else f"{len(ranges):,} ranges, {ends[0]} to {ends[1]}"

    def with_share(self, share: float) -> "ParquetSplitReader":
        """Reads a share of each row group, from its beginning: the same rows each time."""
        return replace(self, share=share)

    def _load_deleted_rows(self, file_range: Mapping[str, Any]) -> RoaringBitmap | None:
        descriptor = file_range.get(DELETION_VECTOR_COLUMN)
        if descriptor is None:
            return None
        name = f"the data file {_data_file_name(file_range)}"
        return load_deleted_rows(descriptor, root=self.root, filesystem=self.filesystem, of=name)

    def _read_row_groups(self, opened: "_OpenRange", first: int, last: int | None) -> Iterator[RangeBatch]:
        file, groups, range_rows = opened.file, opened.groups, opened.rows
        columns = self._find_file_columns(file)
        names = [name for name, _ in columns.values()]
        rows, limit = self._find_batch_limits(file.metadata, groups, names)
        types = [file.schema_arrow.field(name).type for name in names]
        is_as_stored = not self.where and (names, types) == (self.columns.names, self.columns.types)
        is_as_stored = is_as_stored and types == [kind for _, kind in columns.values()]
        layout = (range_rows.total, rows)
        wanted = (first, layout[0] if last is None else last)
        batches = (
            cut_batches(file, groups, names, rows=rows, wanted=wanted)
            if self.share >= 1
            else sample_batches(file, groups, names, rows=rows, ends=range_rows.sample_ends(self.share))
        )
        if limit is not None and self.share >= 1 and not all(map(pa.types.is_primitive, types)):
            batches = (part for whole, end in batches for part in cut_by_bytes(whole, end, limit))
        for batch, end in batches:
            kept = range_rows.find_kept(end - batch.num_rows, end)
            live = batch if kept is None else batch.filter(kept)
            chosen = live.select(self._output_names) if is_as_stored else self._select_rows(live, opened, columns)
            yield RangeBatch(chosen, end, layout, range_rows, batch.num_rows, kept)

    def _find_batch_limits(
        self, metadata: pq.FileMetaData, groups: list[int], names: list[str]
    ) -> tuple[int, int | None]:
        """How many rows are read at once, and at most how many bytes of them are given back together."""
        if self.batch_rows is not None and self.batch_bytes is None:
            return self.batch_rows, None
        rows, limit = self.batch_rows or BATCH_ROWS, self.batch_bytes or BATCH_BYTES
        return choose_batch_rows(metadata, groups, names, most_rows=rows, most_bytes=limit), limit

    @property
    def _output_names(self) -> list[str]:
        return list(self.columns.names[: self.output_columns])

    def _find_file_columns(self, file: pq.ParquetFile) -> dict[str, tuple[str, pa.DataType]]:
        """Of each column that the file has: its name and its type there, as far as names go."""
        stored = self.columns if self.stored is None else find_stored_names(file, self.stored)
        partitions = [
            name for name, own in zip(stored.names, self.columns.names, strict=True) if own in self.partitions
        ]
        found = find_file_columns(file, stored, partitions)
        return {
            own: (field.name, field.type)
            for own, field in zip(self.columns.names, stored, strict=True)
            if field.name in found
        }

    def _select_rows(
        self, batch: pa.RecordBatch, opened: "_OpenRange", stored: Mapping[str, tuple[str, pa.DataType]]
    ) -> pa.RecordBatch:
        columns = {field.name: self._conform_field(batch, opened.file_range, field, stored) for field in self.columns}
        names = self._output_names
        rows = pa.record_batch([columns[name] for name in names], names=names)
        return rows.filter(evaluate_arrow_conditions(self.where, columns, batch.num_rows)) if self.where else rows

    def _conform_field(
        self,
        batch: pa.RecordBatch,
        file_range: Mapping[str, Any],
        field: pa.Field,
        stored: Mapping[str, tuple[str, pa.DataType]],
    ) -> pa.Array:
        if field.name in self.partitions:
            return pa.repeat(pa.scalar(file_range[f"partition.{field.name}"], field.type), batch.num_rows)
        if field.name not in stored:
            return pa.nulls(batch.num_rows, field.type)
        name, kind = stored[field.name]
        return conform_column(batch.column(batch.schema.get_field_index(name)), field.type, kind)


@dataclass(frozen=True, slots=True)
class _OpenRange:
    file: pq.ParquetFile
    file_range: Mapping[str, Any]
    groups: list[int]
    rows: RangeRows


def _decode_split_ranges(split: bytes) -> list[dict[str, Any]]:
    with pa.ipc.open_stream(split) as stream:
        ranges: list[dict[str, Any]] = stream.read_all().to_pylist()
        return ranges


def _data_file_name(file_range: Mapping[str, Any]) -> str:
    return str(file_range["path"]).rpartition("/")[2]
