"""The kernel: a batch of inputs -> a batch of predictions. A plain function on Arrow batches, for every transport.

Bisection finds the rows that the model fails on, so one bad row does not end a run.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

import pyarrow as pa
import pyarrow.compute as pc

from sparkscore.errors import SparkscoreError
from sparkscore.model.distribution.shipped_model import ShippedModel
from sparkscore.model.runtimes.scored_batch import NO_COUNTS, ScoredBatch
from sparkscore.model.runtimes.scorer import Scorer, to_load_error, visible_cause
from sparkscore.model.signature.missing_values import count_filled_values
from sparkscore.schemas import PREDICTION_COLUMN, REJECT_COLUMN
from sparkscore.scoring.batch_sizer import BatchSizer, make_unlimited_sizer
from sparkscore.scoring.missing_predictions import reject_missing_predictions
from sparkscore.scoring.model_batches import JoinedRows, ModelBatches
from sparkscore.scoring.reject_bisection import FailureBudget, score_by_bisection
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
    sizer: BatchSizer = field(default_factory=make_unlimited_sizer)
    """How many rows the model gets at once; by default all that come together."""
    on_halved: Callable[[], None] = lambda: None
    """Called where memory ran out, and batches became half as large."""
    on_counts: Callable[[Mapping[str, float]], None] | None = None
    """Called with what the model itself has counted in a call, as soon as it has answered; None: nobody asks."""

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
        return self.score_group([batch])[0]

    def score_group(self, batches: Sequence[pa.RecordBatch]) -> list[pa.RecordBatch]:
        """The same for batches whose rows the model may get together, one result for each."""
        kept = [_KeptRows.of_batch(batch, len(self.model.inputs)) for batch in batches]
        scored = iter(self._score_columns([rows.columns for rows in kept if rows.count]))
        none = ScoredBatch(pa.nulls(0, self.model.output))
        return [rows.spread_scored(next(scored) if rows.count else none) for rows in kept]

    def _score_columns(self, batches: Sequence[Sequence[pa.Array]]) -> list[ScoredBatch]:
        if len({tuple(column.type for column in columns) for columns in batches}) > 1:
            return [self._score_columns([columns])[0] for columns in batches]  # of pandas: types follow the values
        if not batches:
            return []
        score, source = self._pass_on_counts(self._load_scorer()), JoinedRows.join(batches)
        filled = 0 if self.on_filled is None else count_filled_values(source.columns, self.model.inputs)
        if filled and self.on_filled is not None:
            self.on_filled(filled)
        model_batches = ModelBatches(self.sizer, partial(self._score_part, score), self.on_batch, self.on_halved)
        scored = model_batches.score_rows(source)
        if self.on_repeat is not None and should_repeat_rows(self.model):
            self._repeat_rows(score, list(source.columns), scored.rejects, self.on_repeat)
        return scored.split_rows(source.sizes)

    def _score_part(self, score: Scorer, columns: Sequence[pa.Array], budget: FailureBudget | None) -> ScoredBatch:
        if budget is None or not self.collect_rejects:
            scored = score(columns)
        else:
            has_own_process = self.model.residency == "executor"
            scored = score_by_bisection(
                score, columns, self.model.output, has_own_process=has_own_process, budget=budget
            )
        return scored if self.model.nullable is None else reject_missing_predictions(scored, self.model.nullable)

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

    def _pass_on_counts(self, score: Scorer) -> Scorer:
        """The scorer, whose counts are told at once: those of a part are kept where another part fails."""

        def score_counted(columns: Sequence[pa.Array]) -> ScoredBatch:
            scored = score(columns)
            if not scored.counts:
                return scored
            if self.on_counts is not None:
                self.on_counts(scored.counts)
            return replace(scored, counts=NO_COUNTS)

        return score_counted

    def _load_scorer(self) -> Scorer:
        try:
            return self.load()
        except SparkscoreError:
            raise
        except Exception as error:  # noqa: BLE001 - whatever a model raises, `from` is there
            raise to_load_error(error, sensitive=self.model.sensitive) from visible_cause(error, self.model)


@dataclass(frozen=True, slots=True)
class _KeptRows:
    """The rows of a batch that the model gets."""

    columns: Sequence[pa.Array]
    count: int
    keep: pa.Array | None
    """Of all rows of the batch, whether it gets them; None: it gets all."""

    @classmethod
    def of_batch(cls, batch: pa.RecordBatch, inputs: int) -> "_KeptRows":
        has_keep_column = batch.num_columns == inputs + 1 and batch.schema.names[0] == KEEP_COLUMN
        columns, keep = batch.columns[has_keep_column:], batch.column(0).fill_null(False) if has_keep_column else None
        if keep is None or pc.all(keep, min_count=0).as_py():
            return cls(columns, batch.num_rows, None)  # nearly always: no copies then
        return cls([column.filter(keep) for column in columns], pc.sum(keep, min_count=0).as_py(), keep)

    def spread_scored(self, scored: ScoredBatch) -> pa.RecordBatch:
        """What became of them, at the places that they have in the batch."""
        arrays = [scored.predictions] if scored.rejects is None else [scored.predictions, scored.rejects]
        if self.keep is not None:
            arrays = [_spread_kept_values(array, self.keep) for array in arrays]
        return pa.record_batch(arrays, [PREDICTION_COLUMN, REJECT_COLUMN][: len(arrays)])


def _spread_kept_values(values: pa.Array, keep: pa.Array) -> pa.Array:
    """The values of the kept rows at their positions, NULL elsewhere."""
    indexes = pc.subtract(pc.cumulative_sum(keep.cast(pa.int64())), 1)
    return values.take(pc.if_else(keep, indexes, pa.scalar(None, pa.int64())))
