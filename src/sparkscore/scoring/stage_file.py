"""The part of a stage that one task writes itself. Runs on executors."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from uuid import uuid4

import pyarrow as pa
import pyarrow.parquet as pq

from sparkscore.errors import AccessDenied, TemporaryError
from sparkscore.scoring.rows import REJECT_COLUMN

WRITTEN = pa.schema([("path", pa.string()), ("rows", pa.int64()), ("rejected", pa.int64()), ("bytes", pa.int64())])
"""What a task tells of its file; no row for a task without rows."""

_GROUP_ROWS = 1 << 20


def written(batches: Iterator[pa.RecordBatch], schema: pa.Schema, folder: str) -> pa.RecordBatch:
    """Writes the batches to one new file in the folder; nothing for no rows.

    The file is in no table until the driver commits it: what a failed or a speculative task leaves is never read.

    Raises:  AccessDenied, TemporaryError where there is no space, whatever the batches raise.
    """
    first = next(batches, None)
    if first is None:
        return _told([])
    name = f"part-{uuid4().hex}.parquet"
    path = os.path.join(folder, name)  # noqa: PTH118  a string goes to pyarrow
    rows = rejected = 0
    with _removed_on_failure(path), _writer(path, schema) as writer:
        for batch in _chained(first, batches):
            writer.write_batch(batch, row_group_size=_GROUP_ROWS)
            rows += batch.num_rows
            rejected += batch.num_rows - batch.column(REJECT_COLUMN).null_count
    return _told([{"path": name, "rows": rows, "rejected": rejected, "bytes": os.stat(path).st_size}])  # noqa: PTH116


def _told(parts: list[dict[str, object]]) -> pa.RecordBatch:
    return pa.RecordBatch.from_pylist(parts, schema=WRITTEN)


def _chained(first: pa.RecordBatch, others: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    yield first
    yield from others


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
