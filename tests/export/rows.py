"""Runs and their rows, for exports without Spark."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import pyarrow as pa

from sparkscore.records import ExportedRun, ExportRows

AS_OF = datetime(2013, 12, 31, tzinfo=UTC)


def published(
    rows: int,
    *,
    revision: int = 1,
    as_of: datetime = AS_OF,
    job: str = "late",
    then: Callable[[], object] = lambda: None,
) -> tuple[ExportedRun, ExportRows]:
    """A publication of so many rows; `then` is called when half of them have been read."""
    run_id = f"{revision:064x}"
    table = pa.table(
        {
            "id": pa.array(range(rows), pa.int64()),
            'Order "No': [f"o{number}" if number % 3 else None for number in range(rows)],
            "prediction": [number / 7 for number in range(rows)],
            "run_id": [run_id] * rows,
            "as_of": pa.array([as_of] * rows, pa.timestamp("us", "UTC")),
        }
    )

    def batches() -> Iterator[pa.RecordBatch]:
        yield from table.slice(0, rows // 2).to_batches(max_chunksize=1000)
        then()
        yield from table.slice(rows // 2).to_batches(max_chunksize=1000)

    return ExportedRun(job, as_of, run_id, revision, rows, ("id",)), ExportRows(table.schema, batches)
