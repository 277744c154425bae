"""The part of a stage that one task writes itself. Runs on executors."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import chain
from uuid import uuid4

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from sparkscore.errors import AccessDenied, TemporaryError
from sparkscore.scoring.rows import REJECT_COLUMN

_GROUP_ROWS = 1 << 20


def told_schema(key: pa.DataType) -> pa.Schema:
    """What a task tells of its file: no row for a task without rows.

    Grain:   one row per file. `first` and `last`: the leading key of its first and last row, where `ascending`: each
             row's is greater than that of the row before.
    """
    numbers = [(name, pa.int64()) for name in ("rows", "rejected", "bytes")]
    return pa.schema([("path", pa.string()), *numbers, ("ascending", pa.bool_()), ("first", key), ("last", key)])


def written(batches: Iterator[pa.RecordBatch], schema: pa.Schema, folder: str, key: str) -> pa.RecordBatch:
    """Writes the batches to one new file in the folder; nothing for no rows.

    The file is in no table until the driver commits it: what a failed or a speculative task leaves is never read.

    Raises:  AccessDenied, TemporaryError where there is no space, whatever the batches raise.
    """
    told = told_schema(schema.field(key).type)
    first = next(batches, None)
    if first is None:
        return pa.RecordBatch.from_pylist([], schema=told)
    name = f"part-{uuid4().hex}.parquet"
    path = os.path.join(folder, name)  # noqa: PTH118  a string goes to pyarrow
    rows = rejected = 0
    order = _Order()
    with _removed_on_failure(path), _writer(path, schema) as writer:
        for batch in chain([first], batches):
            writer.write_batch(batch, row_group_size=_GROUP_ROWS)
            rows += batch.num_rows
            rejected += batch.num_rows - batch.column(REJECT_COLUMN).null_count
            order.follow(batch.column(key))
    size = os.stat(path).st_size  # noqa: PTH116
    counted = {"path": name, "rows": rows, "rejected": rejected, "bytes": size}
    return pa.RecordBatch.from_pylist([counted | order.told()], schema=told)


class _Order:
    """Whether a column ascends strictly, batch after batch. NULL and NaN do not."""

    def __init__(self) -> None:
        self._ascending = True
        self._first: pa.Scalar | None = None
        self._last: pa.Scalar | None = None

    def follow(self, column: pa.Array) -> None:
        if not self._ascending or not len(column):
            return
        if self._last is None:
            self._first = column[0]
        else:
            self._ascending = pc.less(self._last, column[0]).as_py() is True
        inside = pc.all(pc.less(column[:-1], column[1:]), skip_nulls=False, min_count=0).as_py()
        self._ascending = self._ascending and inside is True and column[0].is_valid
        self._last = column[-1]

    def told(self) -> dict[str, object]:
        """Native values; no first and last where the column does not ascend."""
        first, last = (self._first, self._last) if self._ascending else (None, None)
        return {"ascending": self._ascending, "first": first, "last": last}


def _writer(path: str, schema: pa.Schema) -> pq.ParquetWriter:
    # Only text repeats itself; statistics are for readers that skip, and a stage is read whole.
    texts = [field.name for field in schema if pa.types.is_string(field.type)]
    return pq.ParquetWriter(path, schema, compression="snappy", use_dictionary=texts, write_statistics=False)


@contextmanager
def _removed_on_failure(path: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        _remove(path)
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise TemporaryError(
                f"no space left for the stage at {path}", "space for the files", "free space and run it again"
            ) from error
        if isinstance(error, PermissionError | FileNotFoundError | NotADirectoryError):
            raise AccessDenied(
                f"no writing to the stage at {path}",
                "a folder that the executors can write to",
                "check its owner and mode, or set output.stage",
            ) from error
        raise
    except BaseException:
        _remove(path)
        raise


def _remove(path: str) -> None:
    with suppress(OSError):
        os.unlink(path)  # noqa: PTH108
