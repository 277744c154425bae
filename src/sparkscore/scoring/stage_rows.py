"""Source rows -> stage rows, in Arrow: row rules, kernel, and the columns that are carried along. Runs on executors."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import pyarrow as pa
import pyarrow.compute as pc

from sparkscore.model.distribution.shipped_model import ShippedModel
from sparkscore.records import PassSummaries
from sparkscore.schemas import PREDICTION_COLUMN, REJECT_COLUMN, REJECT_TYPE
from sparkscore.scoring.counted_kernel import build_counted_kernel
from sparkscore.scoring.counters import Counters
from sparkscore.scoring.kernel import KEEP_COLUMN, Kernel
from sparkscore.scoring.resident_sizers import get_batch_sizer
from sparkscore.scoring.task_errors import mark_task_errors
from sparkscore.scoring.task_models import ending_models
from sparkscore.scoring.travelling_counts import COUNTS_COLUMN, append_counts

BatchFunction = Callable[[Iterator[pa.RecordBatch]], Iterator[pa.RecordBatch]]
RejectFunction = Callable[[pa.RecordBatch], pa.Array | None]
"""A batch of source rows -> why a row must not be scored, NULL for the others; None if all may be scored."""

DeriveFunction = Callable[[pa.RecordBatch], pa.RecordBatch]


@dataclass(frozen=True, slots=True)
class StageRowScorer:
    """What a task does with the rows of its part of the source. Pickled into every task."""

    model: ShippedModel
    input_columns: Sequence[str | None]
    """The column of each model input, of the source or computed, in the model's order; None: NULL in every row."""
    find_rejects: RejectFunction
    schema: pa.Schema
    """The stage: source columns that are carried along, `prediction`, `_reject`; any order."""
    counters: Counters
    source_columns: Mapping[str, str] = field(default_factory=dict)
    """Column of the stage -> the source column that it is, where their names differ."""
    summaries: PassSummaries = field(default_factory=PassSummaries)
    """What tasks that write the stage's files themselves compute of the rows beside scoring them."""
    derive: DeriveFunction | None = None
    """Adds the columns that are computed, where Spark has not done so."""
    beside: tuple[str, ...] = ()
    """Fields of what the model returns that are columns of their own beside `prediction`, another field of it."""

    def __call__(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """One stage batch per source batch with rows. The model is loaded at the first row that needs it.

        Raises:  SignatureError, PredictError, RowsNotPredicted, BatchTimeout, DigestMismatch.
        """
        sizer = get_batch_sizer(self.model)
        kernel = build_counted_kernel(self.model, self.counters, sizer)
        with self.counters.measure_task(), mark_task_errors(self.model.secret, sensitive=self.model.sensitive):
            for group in sizer.group_batches(batch for batch in batches if batch.num_rows):
                yield from self._score_group(kernel, group)
            self.counters.add_chosen_rows(sizer.chosen_rows)

    def score_task(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """The same for all rows of a task: at its end the model hears of it."""
        with ending_models(self.counters):
            yield from self(batches)

    def score_with_counts(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """The same with the column of counts."""
        return append_counts(self.score_task(batches), self.counters.take_travelling, self.schema_with_counts)

    @property
    def schema_with_counts(self) -> pa.Schema:
        """The stage and the column of counts."""
        return self.schema.append(pa.field(COUNTS_COLUMN, pa.string()))

    def _score_group(self, kernel: Kernel, group: Sequence[pa.RecordBatch]) -> list[pa.RecordBatch]:
        group = group if self.derive is None else [self.derive(batch) for batch in group]
        return self.score_judged(kernel, group, [self.find_rejects(batch) for batch in group])

    def score_judged(
        self, kernel: Kernel, group: Sequence[pa.RecordBatch], reasons: Sequence[pa.Array | None]
    ) -> list[pa.RecordBatch]:
        """The stage's rows of batches of which it is known why rows must not be scored."""
        scored = kernel.score_group([self._to_kernel_batch(*one) for one in zip(group, reasons, strict=True)])
        return [self._to_stage_batch(*one) for one in zip(group, reasons, scored, strict=True)]

    def _to_kernel_batch(self, batch: pa.RecordBatch, reject: pa.Array | None) -> pa.RecordBatch:
        inputs = [pa.nulls(batch.num_rows) if name is None else batch.column(name) for name in self.input_columns]
        names = [str(index) for index in range(len(inputs))]
        if reject is not None:
            inputs, names = [reject.is_null(), *inputs], [KEEP_COLUMN, *names]
        return pa.record_batch(inputs, names)

    def _to_stage_batch(self, batch: pa.RecordBatch, reject: pa.Array | None, scored: pa.RecordBatch) -> pa.RecordBatch:
        failed = scored.column(1) if scored.num_columns > 1 else None
        rejects = first_reject(reject, failed)
        columns = {
            **split_executed_prediction(scored.column(0), self.beside),
            REJECT_COLUMN: pa.nulls(batch.num_rows, REJECT_TYPE) if rejects is None else rejects,
        }
        arrays = [
            columns[name] if name in columns else batch.column(self.source_columns.get(name, name))
            for name in self.schema.names
        ]
        return pa.record_batch(
            [_cast_array(array, kind) for array, kind in zip(arrays, self.schema.types, strict=True)],
            schema=self.schema,
        )


def split_executed_prediction(returned: pa.Array, beside: Sequence[str]) -> dict[str, pa.Array]:
    """`prediction`, and the columns beside it; NULL in all of them where the model has returned nothing."""
    if not beside:
        return {PREDICTION_COLUMN: returned}
    return {name: pc.struct_field(returned, [name]) for name in (PREDICTION_COLUMN, *beside)}


def first_reject(reject: pa.Array | None, failed: pa.Array | None) -> pa.Array | None:
    """Why each row is rejected: by a rule, or else by the model, which saw no row that a rule had rejected."""
    if reject is None or failed is None:
        return failed if reject is None else reject
    return pc.if_else(reject.is_valid(), reject, failed)


def _cast_array(array: pa.Array, kind: pa.DataType) -> pa.Array:
    return array if array.type == kind else array.cast(kind)
