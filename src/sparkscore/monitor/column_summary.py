"""What one column holds, in a form that merges: moments, weighted points, smallest hashes, most frequent values.

Executors and the driver use it: numpy, pandas and pyarrow only. Spark's own sketches are fed row by row (see
docs/decisions/profile.md). Tasks hold summaries as Arrow rows; here is one of them as an object.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from sparkscore.monitor.group_summaries import summarise_cells
from sparkscore.monitor.summary_merge import merge_summary_rows
from sparkscore.monitor.summary_rows import SUMMARY_SCHEMA
from sparkscore.monitor.value_cells import count_cells, encode_column

_HASH_RANGE, _HASH_SHIFT = float(2**64), 2**63


@dataclass(frozen=True, slots=True)
class ColumnSummary:
    """A column, or a part of it. `size` points stand for its values: a rank is off by at most 1 / size.

    Source:  smallest hashes: Bar-Yossef et al., Counting distinct elements in a data stream, 2002; moments: Chan,
             Golub and LeVeque, Algorithms for computing the sample variance, 1983.
    """

    size: int
    count: int = 0
    nulls: int = 0
    nans: int = 0
    finite: int = 0
    """Rows with a finite number: those of the moments."""
    min: float | None = None
    max: float | None = None
    mean: float = 0.0
    squares: float = 0.0
    """Sum of squared differences from the mean."""
    points: tuple[float, ...] = ()
    weights: tuple[float, ...] = ()
    hashes: tuple[int, ...] = ()
    """The smallest ones, at most `size`, ascending, less 2^63."""
    top: tuple[tuple[str, int], ...] = ()

    @property
    def values(self) -> int:
        """Rows with a value."""
        return self.count - self.nulls - self.nans

    @property
    def distinct(self) -> float | None:
        """Different values: exact where there are fewer than `size`, else estimated to about 1 / sqrt(size)."""
        if not self.hashes:
            return 0.0 if self.values == 0 else None
        if len(self.hashes) < self.size:
            return float(len(self.hashes))
        return (self.size - 1) / ((self.hashes[-1] + _HASH_SHIFT + 1) / _HASH_RANGE)


def summarise_column(values: pa.Array, *, size: int) -> ColumnSummary:
    """The summary of one column's values; of nested and binary ones only how many there are.

    Needs:   numbers, booleans, text, dates or timestamps for more than counts.
    """
    column = encode_column(values)
    (summary,) = from_summary_rows(summarise_cells(column, count_cells(column), np.array([size])))
    return summary


def merge_summaries(parts: Iterable[ColumnSummary]) -> ColumnSummary:
    """The summary of all parts together.

    Needs:   at least one part, all of one `size`.
    """
    rows = to_summary_rows(list(parts))
    (merged,) = from_summary_rows(merge_summary_rows(rows, np.zeros(rows.num_rows, np.int64), 1))
    return merged


def to_summary_rows(summaries: Sequence[ColumnSummary]) -> pa.RecordBatch:
    """The Arrow rows of summaries, as `SUMMARY_SCHEMA` says."""
    columns: dict[str, list[Any]] = {name: [getattr(one, name) for one in summaries] for name in SUMMARY_SCHEMA.names}
    columns["top"] = [[{"value": value, "rows": rows} for value, rows in counts] for counts in columns["top"]]
    return pa.record_batch(columns, schema=SUMMARY_SCHEMA)


def from_summary_rows(rows: pa.RecordBatch | pa.Table) -> list[ColumnSummary]:
    """The summaries of Arrow rows."""
    columns = {name: rows[name].to_pylist() for name in SUMMARY_SCHEMA.names}
    for name in ("points", "weights", "hashes"):
        columns[name] = [tuple(one) for one in columns[name]]
    columns["top"] = [tuple((one["value"], one["rows"]) for one in counts) for counts in columns["top"]]
    return [ColumnSummary(*one) for one in zip(*columns.values(), strict=True)]
