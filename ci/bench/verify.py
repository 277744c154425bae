"""Every output is checked: all keys once, and the predictions of a sample against the oracle."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
from deltalake import DeltaTable

from bench.data import KEY
from bench.engines import ContenderError

TOLERANCE = 1e-6
"""ONNX models compute in float32."""

Expected = tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]


def verified(output: dict[str, Any], rows: int, expected: Expected, gone: Sequence[int] = ()) -> float | None:
    """The largest difference to the oracle; None where the contender writes nothing.

    `gone`: ids below `rows` that the table lacks.

    Raises:  ContenderError for a key that is missing or there twice, or a prediction that is off.
    """
    if output["kind"] == "none":
        return None
    table = _read(output)
    ids = table[KEY].to_numpy()
    if len(ids) != rows - len(gone):
        raise ContenderError(f"wrong: {len(ids):,} rows written, {rows - len(gone):,} expected")
    if ids.min() < 0 or ids.max() >= rows:
        raise ContenderError(f"wrong: keys from {ids.min():,} to {ids.max():,}, 0 to {rows - 1:,} expected")
    order = np.full(rows, -1)
    order[ids] = np.arange(len(ids))
    missing = int((order < 0).sum()) - len(gone)
    if missing or (order[np.asarray(gone, np.int64)] >= 0).any():
        raise ContenderError(f"wrong: {missing:,} keys are missing, or deleted ones are there")
    is_left = order[expected[0]] >= 0
    sample, oracle = (part[is_left] for part in expected)
    found = _numbers(table["prediction"].take(pa.array(order[sample])))
    off = float(np.max(np.abs(found - oracle)))
    if not off <= TOLERANCE:  # NaN is off, too
        raise ContenderError(f"wrong: predictions differ by {off:.2g} from the oracle's")
    return off


def _read(output: dict[str, Any]) -> pa.Table:
    tables = [pq.ParquetFile(name).read([KEY, "prediction"]) for name in _files(output)]
    if not tables:
        raise ContenderError(f"wrong: nothing written to {output['path']}")
    kind = tables[0].schema
    return pa.concat_tables([table.cast(kind) for table in tables])


def _files(output: dict[str, Any]) -> list[str]:
    path = Path(output["path"])
    if output["kind"] == "parquet":
        return [str(file) for file in sorted(path.rglob("*.parquet"))]
    day = output.get("as_of_date")
    table = DeltaTable(str(path), version=output.get("version"))
    return table.file_uris(partition_filters=[("as_of_date", "=", day)] if day else None)


def _numbers(column: pa.ChunkedArray) -> npt.NDArray[np.float64]:
    """The positive class's probability where both classes' are there."""
    array = column.combine_chunks()
    if pa.types.is_list(array.type) or pa.types.is_large_list(array.type):
        return np.asarray(array.flatten().to_numpy(zero_copy_only=False), np.float64).reshape(len(array), -1)[:, 1]
    return np.asarray(array.to_numpy(zero_copy_only=False), np.float64)
