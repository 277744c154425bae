"""Writes rows to files, a new one after so many rows."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import pyarrow as pa
import pyarrow.csv as pcsv
import pyarrow.parquet as pq

from sparkscore.export.exported_batches import ExportedBatches
from sparkscore.export.target_files import TargetFiles

_FILE_ROWS = 5_000_000
_GROUP_ROWS = 1 << 18
"""Rows of a row group, which the writer holds in memory."""


def write_export_files(batches: ExportedBatches, files: TargetFiles, folder: str, kind: str) -> list[dict[str, Any]]:
    """The files that hold the rows: name, rows and bytes of each; one without rows where there are none."""
    written: list[dict[str, Any]] = []
    source = iter(batches)
    following = next(source, None)
    while following is not None or not written:
        name, rows = f"part-{len(written):05}.{kind}", 0
        with files.open_output(f"{folder}/{name}") as sink, _open_writer(sink, batches.schema, kind) as write:
            while following is not None and rows < _FILE_ROWS:
                write(following)
                rows += following.num_rows
                following = next(source, None)
        written.append({"name": name, "rows": rows, "bytes": files.size_of(f"{folder}/{name}")})
    return written


@contextmanager
def _open_writer(sink: Any, schema: pa.Schema, kind: str) -> Iterator[Callable[[pa.RecordBatch], None]]:
    if kind == "csv":
        with pcsv.CSVWriter(sink, schema) as writer:
            yield writer.write
    else:
        with pq.ParquetWriter(sink, schema, compression="zstd") as writer:
            yield partial(writer.write_batch, row_group_size=_GROUP_ROWS)
