"""The size of a model's batches in one process: found by trying, bounded in bytes, halved where memory runs out.

What it finds changes no row; of values what any other batch size changes, the last bits. Runs on executors.
"""

import math
from collections.abc import Iterable, Iterator, Sequence

import pyarrow as pa

from sparkscore.records import BatchLimits
from sparkscore.scoring.batch_climb import FIRST_ROWS, MAX_CLIMB_ROWS, BatchClimb
from sparkscore.scoring.batch_memory import MemoryWatch

_NEAR = 0.75
"""A group of so many of the wanted rows is full."""
_ALL_ROWS = 1 << 62
_SHORT_BATCHES = 8
"""After so many batches that had fewer rows than the size that is tried, it is not waited for any more."""


class BatchSizer:
    """How many rows the model gets next."""

    def __init__(
        self,
        limits: BatchLimits,
        *,
        max_bytes: int | None = None,
        max_batch_s: float | None = None,
        memory: MemoryWatch | None = None,
    ) -> None:
        """`max_bytes`: of the inputs of a batch, where the settings say nothing about its size.

        `max_batch_s`: no size is tried that would take longer, and batches are not brought together: where one takes
        too long, its rows are rejected.
        """
        self._max_rows = limits.rows or min(MAX_CLIMB_ROWS, limits.most_rows or MAX_CLIMB_ROWS)
        self._max_bytes = max_bytes if limits.rows is None and limits.bytes is None else limits.bytes
        self._memory, self._joins = memory, max_batch_s is None
        self._climb: BatchClimb | None = None
        if limits.rows is None:
            self._climb = BatchClimb.begin(
                known_rows=limits.known_rows, ceiling=self._max_rows, max_batch_s=max_batch_s
            )
        self._before_halving = (self._max_rows, self._climb, False)
        self._is_halved = False
        self._short = list[int]()

    @property
    def wanted_rows(self) -> int:
        """As many as the next batch should have."""
        return self._max_rows if self._climb is None else self._climb.rows

    @property
    def chosen_rows(self) -> int | None:
        """What was found to be the best, or all that the settings or the memory allow; None while sizes are tried."""
        if self._climb is None or self._is_halved:
            return min(self._max_rows, self.wanted_rows)
        return self._climb.rows if self._climb.is_settled else None

    @property
    def is_searching(self) -> bool:
        """Whether it learns from the next batch."""
        return self._climb is not None and not self._climb.is_settled

    def choose_rows(self, remaining: int, row_bytes: float) -> int:
        """How many of the remaining rows are the next batch, at least one; what is left is no tiny rest."""
        most = self._max_rows
        if self._max_bytes is not None and row_bytes > 0:
            most = min(most, max(1, int(self._max_bytes / row_bytes)))
        wanted = min(self.wanted_rows, most)
        if self.is_searching:
            if min(remaining, wanted) < _NEAR * self.wanted_rows:
                self._count_short_batch(min(remaining, wanted))
            if remaining > wanted:
                return wanted  # this very size is tried
        parts = max(round(remaining / wanted), math.ceil(remaining / most), 1)
        return math.ceil(remaining / parts)

    def exceeds_bytes(self, columns: Sequence[pa.Array]) -> bool:
        """Whether these inputs are more than a batch may have."""
        return self._max_bytes is not None and sum(column.nbytes for column in columns) > self._max_bytes

    def add_batch(self, rows: int, seconds: float) -> None:
        """Learn from a batch that the model has predicted, without a failure."""
        if self._climb is None or self._climb.is_settled:
            return
        before, self._climb = self._climb.trials, self._climb.add_batch(rows, seconds)
        if self._climb.trials > before:
            self._short.clear()
        if self._memory is not None and not self._memory.has_room_for_more(is_first=before == 0):
            self._limit_rows(rows)

    def halve_rows(self, rows: int) -> None:
        """From now on no batch has more than half of these rows, for which there was no memory."""
        self._limit_rows(max(1, rows // 2))
        self._is_halved = True

    def begin_group(self) -> None:
        """Remember the limits as they are before these rows."""
        self._before_halving = (self._max_rows, self._climb, self._is_halved)

    def forgive_row(self) -> None:
        """A single row had no room: the batches that it was in say nothing about the size of others."""
        self._max_rows, self._climb, self._is_halved = self._before_halving

    def group_batches(self, batches: Iterable[pa.RecordBatch]) -> Iterator[list[pa.RecordBatch]]:
        """The batches in order, brought together where the model wants more rows than one of them has."""
        group, rows, size = list[pa.RecordBatch](), 0, 0
        for batch in batches:
            batch_size = 0 if self._max_bytes is None else batch.nbytes
            if group and not self._has_room(rows + batch.num_rows, size + batch_size):
                yield group
                group, rows, size = [], 0, 0
            group.append(batch)
            rows, size = rows + batch.num_rows, size + batch_size
            if not self._joins or rows >= _NEAR * self.wanted_rows:
                yield group
                group, rows, size = [], 0, 0
        if group:
            yield group

    def _has_room(self, rows: int, size: int) -> bool:
        """Whether so many rows, and bytes, may be in one group."""
        return rows <= self.wanted_rows / _NEAR and (self._max_bytes is None or size <= self._max_bytes)

    def _count_short_batch(self, rows: int) -> None:
        """After some of them the largest is as large as batches get here: by the files, or by their bytes."""
        self._short.append(rows)
        if self._climb is not None and len(self._short) == _SHORT_BATCHES:
            if max(self._short) >= FIRST_ROWS:
                self._climb = self._climb.lower_ceiling(max(self._short))
            self._short.clear()

    def _limit_rows(self, rows: int) -> None:
        self._max_rows = min(self._max_rows, rows)
        if self._climb is not None:
            self._climb = self._climb.lower_ceiling(self._max_rows)


def make_unlimited_sizer() -> BatchSizer:
    """One that gives the model all rows that come together, until memory runs out."""
    return BatchSizer(BatchLimits(rows=_ALL_ROWS))
