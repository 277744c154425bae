"""Cuts rows into the batches that the model gets, and scores these one after the other. Runs on executors.

Where memory runs out, the batch is halved, and stays halved; no row is at fault before it has failed alone.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import pyarrow as pa

from sparkscore.errors import BatchOutOfMemory, RowsNotPredicted
from sparkscore.model.runtimes.memory_errors import release_cached_memory
from sparkscore.model.runtimes.scored_batch import ScoredBatch
from sparkscore.scoring.batch_sizer import BatchSizer
from sparkscore.scoring.queue_time import read_queued_s
from sparkscore.scoring.reject_bisection import (
    OUT_OF_MEMORY,
    FailureBudget,
    concat_scored_batches,
    drop_traceback,
)

PartScorer = Callable[[Sequence[pa.Array], FailureBudget | None], ScoredBatch]
"""Some rows -> what became of them; `FailureBudget`: of the batch of the source that they are of, None: of several.

Raises:  BatchOutOfMemory where fewer rows may fit; RowsNotPredicted.
"""


@dataclass(frozen=True, slots=True)
class JoinedRows:
    """The rows of one or more batches of the source, column by column, as the model takes them."""

    columns: Sequence[pa.Array]
    sizes: Sequence[int]
    """How many rows each batch of the source has: as many of each may fail, whatever batches the model gets."""
    budgets: Sequence[FailureBudget]
    join_s: float
    """Seconds that it took to bring them together: what larger batches gain has to exceed it."""

    @classmethod
    def join(cls, batches: Sequence[Sequence[pa.Array]]) -> "JoinedRows":
        """The rows of these batches in order.

        Needs:   at least one, of at least one row; equal types.
        """
        started, sizes = time.monotonic(), [len(columns[0]) for columns in batches]
        columns = batches[0] if len(batches) == 1 else [pa.concat_arrays(parts) for parts in zip(*batches, strict=True)]
        join_s = 0.0 if len(batches) == 1 else time.monotonic() - started
        return cls(columns, sizes, [FailureBudget(size) for size in sizes], join_s)

    @property
    def rows(self) -> int:
        """How many there are."""
        return sum(self.sizes)

    def slice_columns(self, first: int, rows: int) -> Sequence[pa.Array]:
        """Some of the rows; all of them as they are."""
        return self.columns if rows == self.rows else [column.slice(first, rows) for column in self.columns]

    def split_by_source(self, first: int, rows: int) -> Iterator[tuple[int, int, FailureBudget]]:
        """The parts of these rows that each lie in one batch of the source: first row, rows, and its budget."""
        begin = 0
        for size, budget in zip(self.sizes, self.budgets, strict=True):
            low, high = max(first, begin), min(first + rows, begin + size)
            if low < high:
                yield low, high - low, budget
            begin += size


@dataclass(frozen=True, slots=True)
class ModelBatches:
    """Scores rows in batches of the model's size."""

    sizer: BatchSizer
    score_part: PartScorer
    on_batch: Callable[[int, float], None]
    """Called with the number of rows of a batch that the model has predicted, and the seconds that it took."""
    on_halved: Callable[[], None]
    """Called where memory ran out, and batches became half as large."""

    def score_rows(self, source: JoinedRows) -> ScoredBatch:
        """What became of the rows, in their order.

        Raises:  what `score_part` raises; BatchOutOfMemory for no more than one row.
        """
        self.sizer.begin_group()
        total, row_bytes = source.rows, sum(column.nbytes for column in source.columns) / source.rows
        exact = any(not pa.types.is_primitive(column.type) for column in source.columns)
        parts: list[ScoredBatch] = []
        done = 0
        while done < total:
            rows = self.sizer.choose_rows(total - done, row_bytes)
            while exact and rows > 1 and self.sizer.exceeds_bytes(source.slice_columns(done, rows)):
                rows //= 2
            scored = self._try_batch(source, done, rows)
            if scored is not None:
                parts.append(scored)
                done += rows
        return concat_scored_batches(parts)

    def _try_batch(self, source: JoinedRows, first: int, rows: int) -> ScoredBatch | None:
        """What became of these rows; None where there was no memory for so many."""
        started = time.monotonic()
        queued = read_queued_s() if self.sizer.is_searching else 0.0
        try:
            scored = self._score_batch(source, first, rows)
        except BatchOutOfMemory:
            if rows == 1:
                raise
            self.sizer.halve_rows(rows)
            self.on_halved()
            scored = None
        if scored is None:
            release_cached_memory()
            return None
        # Others that have the cores say nothing about the size. Whoever asks may have to wait, too: within the seconds.
        queued_s = read_queued_s() - queued if self.sizer.is_searching else 0.0
        seconds = time.monotonic() - started
        self.on_batch(rows if scored.rejects is None else scored.rejects.null_count, seconds)
        if scored.is_one_answer:
            self.sizer.add_batch(rows, seconds - queued_s + source.join_s * rows / source.rows)
        elif rows == 1 and scored.rejects is not None and scored.rejects[0]["code"].as_py() == OUT_OF_MEMORY:
            self.sizer.forgive_row()
        return scored

    def _score_batch(self, source: JoinedRows, first: int, rows: int) -> ScoredBatch:
        parts = list(source.split_by_source(first, rows))
        if len(parts) == 1:
            return self.score_part(source.slice_columns(first, rows), parts[0][2])
        try:
            return self.score_part(source.slice_columns(first, rows), None)
        except BatchOutOfMemory as error:
            raise drop_traceback(error) from None
        except RowsNotPredicted:
            pass
        return concat_scored_batches(
            [self.score_part(source.slice_columns(low, size), budget) for low, size, budget in parts]
        )
