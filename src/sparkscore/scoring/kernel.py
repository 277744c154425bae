"""The kernel: a batch of inputs -> a batch of predictions. A plain function on Arrow batches, for every transport.

Bisection finds the rows that the model fails on, so one bad row does not end a run.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from sparkscore.errors import SparkscoreError
from sparkscore.model.distribution.shipped_model import ShippedModel
from sparkscore.model.runtimes.scorer import Scorer, to_load_error, visible_cause
from sparkscore.model.signature.missing_values import count_filled_values
from sparkscore.schemas import PREDICTION_COLUMN, REJECT_COLUMN
from sparkscore.scoring.missing_predictions import reject_missing_predictions
from sparkscore.scoring.reject_bisection import ScoredBatch, score_by_bisection
from sparkscore.scoring.repeated_rows import count_unstable_rows, should_repeat_rows

KEEP_COLUMN = "_keep"


@dataclass(frozen=True, slots=True)
class Kernel:
    """Scores batches with one model. `load` is called when the first row needs the model, never for no rows."""

    model: ShippedModel
    load: Callable[[], Scorer]
    on_batch: Callable[[int, float], None]
    """Called with the number of rows of a batch that the model has predicted, and the seconds that it took."""
    on_repeat: Callable[[int, int], None] | None = None
    """Called with the number of rows that were predicted twice more, and how many of them differed; None: none are."""
    collect_rejects: bool = True
    """Whether rows that the model fails on become rejects; else the first failure of a batch is raised."""
    on_filled: Callable[[int], None] | None = None
    """Called with the number of missing values of a batch that `model.missing` replaces."""

    def __call__(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """One prediction, or the reason why there is none, per row of the batch, in its order.

        Needs:   the model's inputs, in its order; before them, optionally, `_keep`: only rows where it is true reach
                 the model.
        Adds:    `prediction`, of the model's output type; NULL for rows that were not kept or were rejected. `_reject`,
                 of type `schemas.REJECT`, NULL for rows with a prediction: the column is there only where some row of
                 the batch was rejected.
        Runs on: executor.
        Raises:  SignatureError, DigestMismatch; PredictError for what the model returned; RowsNotPredicted where it
                 fails on too many rows of a batch; BatchTimeout. They hold values only if the model's own message does.
        """
        has_keep_column = batch.num_columns == len(self.model.inputs) + 1 and batch.schema.names[0] == KEEP_COLUMN
        columns, keep = batch.columns[has_keep_column:], batch.column(0).fill_null(False) if has_keep_column else None
        if keep is not None and pc.all(keep, min_count=0).as_py():
            keep = None  # nearly always: no copies then
        if keep is not None:
            columns = [column.filter(keep) for column in columns]
        rows = batch.num_rows if keep is None else pc.sum(keep, min_count=0).as_py()
        scored = self._score_columns(columns, rows) if rows else ScoredBatch(pa.nulls(0, self.model.output))
        arrays = [scored.predictions] if scored.rejects is None else [scored.predictions, scored.rejects]
        if keep is not None:
            arrays = [_spread_kept_rows(array, keep) for array in arrays]
        return pa.record_batch(arrays, [PREDICTION_COLUMN, REJECT_COLUMN][: len(arrays)])

    def _score_columns(self, columns: list[pa.Array], rows: int) -> ScoredBatch:
        score, output, started = self._load_scorer(), self.model.output, time.monotonic()
        filled = 0 if self.on_filled is None else count_filled_values(columns, self.model.inputs)
        if filled and self.on_filled is not None:
            self.on_filled(filled)
        if self.collect_rejects:
            scored = score_by_bisection(score, columns, output, has_own_process=self.model.residency == "executor")
        else:
            scored = ScoredBatch(score(columns))
        if self.model.nullable is not None:
            scored = reject_missing_predictions(scored, self.model.nullable)
        self.on_batch(rows if scored.rejects is None else scored.rejects.null_count, time.monotonic() - started)
        if self.on_repeat is not None and should_repeat_rows(self.model):
            self._repeat_rows(score, columns, scored.rejects, self.on_repeat)
        return scored

    def _repeat_rows(
        self,
        score: Scorer,
        columns: list[pa.Array],
        rejects: pa.Array | None,
        on_repeat: Callable[[int, int], None],
    ) -> None:
        predicted = columns if rejects is None else [column.filter(rejects.is_null()) for column in columns]
        few = [column.slice(0, self.model.repeat_rows) for column in predicted]
        unstable = count_unstable_rows(score, few) if len(few[0]) else None
        if unstable is not None:
            on_repeat(len(few[0]), unstable)

    def _load_scorer(self) -> Scorer:
        try:
            return self.load()
        except SparkscoreError:
            raise
        except Exception as error:  # noqa: BLE001 - whatever a model raises, `from` is there
            raise to_load_error(error, sensitive=self.model.sensitive) from visible_cause(error, self.model)


def _spread_kept_rows(values: pa.Array, keep: pa.Array) -> pa.Array:
    """The values of the kept rows at their positions, NULL elsewhere."""
    indexes = pc.subtract(pc.cumulative_sum(keep.cast(pa.int64())), 1)
    return values.take(pc.if_else(keep, indexes, pa.scalar(None, pa.int64())))
