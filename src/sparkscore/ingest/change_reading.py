"""Rows of a change range, each with what it does: brought by a commit, or taken. Executors use it: pyarrow only."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from sparkscore.ingest.split_reader import ParquetSplitReader
from sparkscore.spark.split_frame import iterate_splits

CHANGE_TYPE_COLUMN = "_change_type"
"""Of change data: insert, update_preimage, update_postimage or delete."""
SIGN_COLUMN, ORDER_COLUMN = "_sparkscore_sign", "_sparkscore_order"
"""1 for a row that a commit brings, -1 for one that it takes; the commit's version."""
TAKING_CHANGES = ("delete", "update_preimage")
_SIGN_TYPE, _ORDER_TYPE = pa.int8(), pa.int64()


@dataclass(frozen=True, slots=True)
class SignedReader:
    """Reads splits of files of one kind and commit."""

    reader: ParquetSplitReader
    sign: int
    """0: each row says so itself."""
    order: int

    def __call__(self, split: bytes) -> Iterator[pa.RecordBatch]:
        """The rows that meet the filter, with sign and order behind their columns.

        Runs on: executor | driver.
        Raises:  as `ParquetSplitReader`.
        """
        for batch in self.reader(split):
            yield self._add_sign(batch)

    def _add_sign(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        if self.sign:
            signs = pa.repeat(pa.scalar(self.sign, _SIGN_TYPE), batch.num_rows)
        else:
            kinds = batch.column(batch.num_columns - 1)
            taking = pc.is_in(kinds, pa.array(TAKING_CHANGES))
            signs = pc.if_else(taking, pa.scalar(-1, _SIGN_TYPE), pa.scalar(1, _SIGN_TYPE))
            batch = batch.select(batch.schema.names[:-1])
        order = pa.repeat(pa.scalar(self.order, _ORDER_TYPE), batch.num_rows)
        names = [*batch.schema.names, SIGN_COLUMN, ORDER_COLUMN]
        return pa.RecordBatch.from_arrays([*batch.columns, signs, order], names=names)


@dataclass(frozen=True, slots=True)
class SignedSplits:
    """What tasks do with the splits of several readers: they tell by its number which reader a split is for."""

    readers: Sequence[SignedReader]
    owners: Sequence[int]
    """Of each split: the place of its reader."""

    def __call__(self, parts: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """The rows of a task's splits. Runs on: executor."""
        for number, content in iterate_splits(parts):
            yield from self.readers[self.owners[number]](content)
