"""The kernel: a batch of inputs -> a batch of predictions. A plain function on Arrow batches, for every transport."""

from collections.abc import Callable
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from sparkscore.errors import SparkscoreError
from sparkscore.model.scorer import Scorer, not_loaded
from sparkscore.model.shipped import ShippedModel

KEEP = "_keep"
PREDICTION = "prediction"


@dataclass(frozen=True, slots=True)
class Kernel:
    """Scores batches with one model. `load` is called when the first row needs the model, never for no rows."""

    model: ShippedModel
    load: Callable[[], Scorer]
    on_rows: Callable[[int], None]
    """Told how many rows the model has predicted."""

    def __call__(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """One prediction per row of the batch, in its order.

        Needs:   the model's inputs, in its order; before them, optionally, `_keep`: only rows where it is true reach
                 the model.
        Adds:    `prediction`, of the model's output type; NULL for rows that were not kept.
        Runs on: executor.
        Raises:  SignatureError, PredictError, DigestMismatch; of values they hold what the model's own message says.
        """
        marked = batch.num_columns == len(self.model.inputs) + 1 and batch.schema.names[0] == KEEP
        keep = batch.column(0).fill_null(False) if marked else None
        columns = batch.columns if keep is None else [column.filter(keep) for column in batch.columns[1:]]
        rows = batch.num_rows if keep is None else pc.sum(keep, min_count=0).as_py()
        scored = self._scored(columns, rows) if rows else pa.nulls(0, self.model.output)
        return pa.record_batch([scored if keep is None else _spread(scored, keep)], [PREDICTION])

    def _scored(self, columns: list[pa.Array], rows: int) -> pa.Array:
        scored = self._loaded()(columns)
        self.on_rows(rows)
        return scored

    def _loaded(self) -> Scorer:
        try:
            return self.load()
        except SparkscoreError:
            raise
        except Exception as error:
            raise not_loaded(error) from error


def _spread(scored: pa.Array, keep: pa.Array) -> pa.Array:
    """The predictions at the places of the kept rows, NULL elsewhere."""
    places = pc.subtract(pc.cumulative_sum(keep.cast(pa.int64())), 1)
    return scored.take(pc.if_else(keep, places, pa.scalar(None, pa.int64())))
