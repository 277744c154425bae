"""The part of a stage that one task writes itself. Runs on executors."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from uuid import uuid4

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pyarrow import fs

from sparkscore.errors import AccessDenied, TemporaryError, is_disk_full
from sparkscore.records import StagedFile, TableLocation
from sparkscore.schemas import REJECT_COLUMN
from sparkscore.stage.part_summaries import to_sibling_notes
from sparkscore.storage_errors import find_storage_error

_GROUP_ROWS = 1 << 20


def write_stage_files(
    batches: Iterator[pa.RecordBatch],
    schema: pa.Schema,
    stage: TableLocation,
    key: str,
    notes: Callable[[], Mapping[str, str]] = dict,
) -> list[StagedFile]:
    """Write the batches to new files of the stage: one for batches without rejects, one for those with some.

    A file belongs to no table until the driver commits it: files of failed or speculative tasks are never read.

    `notes`: what the batches' files hold in their metadata; asked for when all batches are written.

    Raises:  AccessDenied, TemporaryError where there is no space, whatever the batches raise.
    """
    files = StageFiles(schema, stage, key)
    try:
        for batch in batches:
            files.add(batch)
        return files.close(notes())
    except BaseException:
        files.remove()
        raise


class StageFiles:
    """The files of one part: one for batches without rejects, one for those with some."""

    def __init__(self, schema: pa.Schema, stage: TableLocation, key: str) -> None:
        self._index = schema.get_field_index(REJECT_COLUMN)
        self._plain = _StageFile(schema.remove(self._index), stage, key)
        self._mixed = _StageFile(schema, stage, key)

    def add(self, batch: pa.RecordBatch) -> None:
        """Write a batch.

        Raises:  AccessDenied, TemporaryError where there is no space.
        """
        if batch.column(self._index).null_count == batch.num_rows:
            self._plain.add(batch.remove_column(self._index))  # an absent column reads as NULL, and costs nothing
        else:
            self._mixed.add(batch)

    def close(self, notes: Mapping[str, str]) -> list[StagedFile]:
        """End the files, with notes in their metadata; the records of those that have rows."""
        files = [file for file in (self._plain, self._mixed) if file.rows]
        return [file.close(notes if file is files[0] else to_sibling_notes(notes)) for file in files]

    def remove(self) -> None:
        """Remove what was written: it is of no use."""
        self._plain.remove()
        self._mixed.remove()


class _StageFile:
    """One Parquet file, created with its first batch."""

    def __init__(self, schema: pa.Schema, stage: TableLocation, key: str) -> None:
        self.rows = self._rejected = 0
        self._schema, self._key = schema, key
        self._files = stage.files
        self._name = f"part-{uuid4().hex}.parquet"
        self._path = f"{stage.root}/{self._name}"
        self._order = _KeyOrder()
        self._writer: pq.ParquetWriter | None = None

    def add(self, batch: pa.RecordBatch) -> None:
        with _translate_write_errors(self._path):
            if self._writer is None:
                self._writer = _open_parquet_writer(self._path, self._schema, self._files)
            self._writer.write_batch(batch, row_group_size=_GROUP_ROWS)
        self.rows += batch.num_rows
        if REJECT_COLUMN in batch.schema.names:
            self._rejected += batch.num_rows - batch.column(REJECT_COLUMN).null_count
        self._order.follow(batch.column(self._key))

    def close(self, notes: Mapping[str, str]) -> StagedFile:
        """End the file, with notes in its metadata; the record of it."""
        assert self._writer is not None  # noqa: S101  it has rows
        with _translate_write_errors(self._path):
            self._writer.add_key_value_metadata(notes)
            self._writer.close()
            size = self._files.get_file_info(self._path).size
        order = self._order
        return StagedFile(
            self._name, self.rows, self._rejected, size, ascending=order.ascending, first=order.first, last=order.last
        )

    def remove(self) -> None:
        if self._writer is not None:
            with suppress(OSError):
                self._writer.close()
            with suppress(OSError):
                self._files.delete_file(self._path)


class _KeyOrder:
    """Whether a column ascends strictly, batch after batch. NULL and NaN do not."""

    def __init__(self) -> None:
        self.ascending = True
        self._first: pa.Scalar | None = None
        self._last: pa.Scalar | None = None

    def follow(self, column: pa.Array) -> None:
        if not self.ascending or not len(column):
            return
        if self._last is None:
            self._first = column[0]
        else:
            self.ascending = pc.less(self._last, column[0]).as_py() is True
        inside = pc.all(pc.less(column[:-1], column[1:]), skip_nulls=False, min_count=0).as_py()
        self.ascending = self.ascending and inside is True and column[0].is_valid
        self._last = column[-1]

    @property
    def first(self) -> object:
        """The first value, as Python has it; None where the column does not ascend."""
        return None if self._first is None or not self.ascending else self._first.as_py()

    @property
    def last(self) -> object:
        """The last value, likewise."""
        return None if self._last is None or not self.ascending else self._last.as_py()


def _open_parquet_writer(path: str, schema: pa.Schema, files: fs.FileSystem) -> pq.ParquetWriter:
    # Only text repeats itself. Whole numbers as differences: 12 ns a row instead of 17, and half the size (ascending
    # keys and floats). Statistics are for readers that skip, and a stage is read whole.
    texts = [field.name for field in schema if pa.types.is_string(field.type)]
    numbers = {field.name: "DELTA_BINARY_PACKED" for field in schema if field.type in (pa.int32(), pa.int64())}
    return pq.ParquetWriter(
        path,
        schema,
        filesystem=files,
        compression="snappy",
        use_dictionary=texts,
        column_encoding=numbers or None,
        write_statistics=False,
    )


@contextmanager
def _translate_write_errors(path: str) -> Iterator[None]:
    """Turn failures to write into errors that name the path."""
    try:
        yield
    except OSError as error:
        if is_disk_full(error):
            raise TemporaryError(
                f"no space left for the stage at {path}", "space for the files", "free space and run it again"
            ) from error
        if isinstance(error, PermissionError | FileNotFoundError | NotADirectoryError):
            raise AccessDenied(
                f"cannot write to the stage at {path}",
                "a folder that the executors can write to",
                "check its owner and mode, or set output.stage",
            ) from error
        refused = find_storage_error(str(error), f"writing the stage at {path}")
        if refused is not None:
            raise refused from error
        raise
