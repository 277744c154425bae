"""Reads the ranges of a split one after the other, and says how far it has come. Runs on executors."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import pyarrow as pa

from sparkscore.ingest.batch_cutting import KeptRows, RangeRows, find_sample_slices
from sparkscore.records import SplitPosition


@dataclass(frozen=True, slots=True)
class RangeBatch:
    """Rows of a range that meet the filter."""

    batch: pa.RecordBatch
    end: int
    """How many of the range's rows lie before the next batch."""
    layout: tuple[int, int]
    """The range's rows, and those of a batch."""
    range_rows: RangeRows | None = None
    """None where no sample is asked for."""
    covers: int = 0
    """How many of the range's rows it is of, deleted ones too."""
    kept: KeptRows | None = None
    """Which of them are not deleted; None: all."""


ReadRange: TypeAlias = Callable[[Mapping[str, Any], int, int | None], Iterator[RangeBatch]]
"""A range, its first row and the one after its last (None: its end) -> its batches."""


class PartReader:
    """The rows of a part of a split, batch by batch, and how far the reading has come: `records.PartRows`."""

    def __init__(
        self, read: ReadRange, ranges: Sequence[Mapping[str, Any]], first: SplitPosition, last: SplitPosition | None
    ) -> None:
        self._read, self._ranges = read, ranges
        self.ranges = len(self._ranges)
        self._first, self._last = first, last or (self.ranges, 0)
        self.position = first
        self.layout = (0, 0)
        self._last_batch: RangeBatch | None = None

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        """The rows that meet the filter."""
        for index in range(self._first[0], self.ranges):
            if (index, 0) >= self._last:
                return
            first = self._first[1] if index == self._first[0] else 0
            last = self._last[1] if index == self._last[0] else None
            for found in self._read(self._ranges[index], first, last):
                self.layout, self._last_batch = found.layout, found
                self.position = (index, found.end) if found.end < found.layout[0] else (index + 1, 0)
                if found.batch.num_rows:
                    yield found.batch
            self.position = max(self.position, (index + 1, 0) if last is None else (index, last))

    @property
    def share_read(self) -> float:
        """How much of the part was read, 0 to 1, by the bytes of its ranges."""
        if self.position >= self._last:
            return 1.0
        begin, now, end = (self._bytes_before(position) for position in (self._first, self.position, self._last))
        return (now - begin) / (end - begin) if end > begin else 0.0

    def sample_slices(self, share: float) -> list[tuple[int, int]]:
        """Which rows of the last batch a reader of this share would have given: (first, how many).

        Needs:   a reader without a filter, of all rows.
        """
        found = self._last_batch
        if found is None or found.range_rows is None:
            return []
        return find_sample_slices(found.range_rows, found.end, found.covers, found.kept, share=share)

    def _bytes_before(self, position: SplitPosition) -> float:
        """Rows of a range of which nothing was read yet count as if it had `layout`'s."""
        index, row = position
        before = float(sum(file_range["length"] for file_range in self._ranges[:index]))
        return before + (float(self._ranges[index]["length"]) * row / max(self.layout[0], row) if row else 0.0)
