"""Arrow batches as values of one binary column, so that the driver can take them from a frame one after the other.

Executors use it: pyarrow only.
"""

from collections.abc import Iterable, Iterator

import pyarrow as pa

BATCH_COLUMN = "batch"


def serialize_batches(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Each batch as a row of one column: for `mapInArrow`.

    Runs on: executor.
    """
    for batch in batches:
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, batch.schema) as stream:
            stream.write_batch(batch)
        yield pa.record_batch([pa.array([sink.getvalue().to_pybytes()], pa.binary())], names=[BATCH_COLUMN])


def deserialize_batches(content: bytes) -> Iterator[pa.RecordBatch]:
    """The batches of one of its rows."""
    with pa.ipc.open_stream(content) as stream:
        yield from stream
