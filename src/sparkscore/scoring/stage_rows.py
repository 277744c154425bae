"""Source rows -> stage rows, in Arrow: row rules, kernel, and the columns that are carried along. Runs on executors."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache

import pyarrow as pa
import pyarrow.compute as pc

from sparkscore.model.distribution.shipped_model import ShippedModel
from sparkscore.records import PassSummaries
from sparkscore.schemas import PREDICTION_COLUMN, REJECT_COLUMN, REJECT_TYPE
from sparkscore.scoring.counters import Counters, make_model_loader
from sparkscore.scoring.kernel import KEEP_COLUMN, Kernel
from sparkscore.scoring.task_errors import mark_task_errors
from sparkscore.scoring.travelling_counts import COUNTS_COLUMN, counts_array, mark_last

BatchFunction = Callable[[Iterator[pa.RecordBatch]], Iterator[pa.RecordBatch]]
RejectFunction = Callable[[pa.RecordBatch], pa.Array | None]
"""A batch of source rows -> why a row must not be scored, NULL for the others; None if all may be scored."""


@dataclass(frozen=True, slots=True)
class StageRowScorer:
    """What a task does with the rows of its part of the source. Pickled into every task."""

    model: ShippedModel
    input_columns: Sequence[str | None]
    """The source column of each model input, in the model's order; None: NULL in every row."""
    find_rejects: RejectFunction
    schema: pa.Schema
    """The stage: source columns that are carried along, `prediction`, `_reject`; any order."""
    counters: Counters
    source_columns: Mapping[str, str] = field(default_factory=dict)
    """Column of the stage -> the source column that it is, where their names differ."""
    summaries: PassSummaries = field(default_factory=PassSummaries)
    """What tasks that write the stage's files themselves compute of the rows beside scoring them."""

    def __call__(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """One stage batch per source batch with rows. The model is loaded at the first row that needs it.

        Raises:  SignatureError, PredictError, RowsNotPredicted, BatchTimeout, DigestMismatch.
        """
        load = make_model_loader(self.model, self.counters.add_load)
        kernel = Kernel(
            self.model,
            load=cache(load),
            on_batch=self.counters.add_batch,
            on_repeat=self.counters.add_repeat,
            on_filled=self.counters.add_filled_values,
        )
        with self.counters.measure_task(), mark_task_errors(self.model.secret, sensitive=self.model.sensitive):
            for batch in batches:
                if batch.num_rows:
                    yield self._score_batch(kernel, batch)

    def score_with_counts(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """The same with the column of counts, which travel with the last batch: when nothing is counted any more."""
        for scored, is_last in mark_last(self(batches)):
            counts = counts_array(self.counters.take_travelling() if is_last else None, scored.num_rows)
            yield pa.record_batch([*scored.columns, counts], schema=self.schema_with_counts)

    @property
    def schema_with_counts(self) -> pa.Schema:
        """The stage and the column of counts."""
        return self.schema.append(pa.field(COUNTS_COLUMN, pa.string()))

    def _score_batch(self, kernel: Kernel, batch: pa.RecordBatch) -> pa.RecordBatch:
        reject = self.find_rejects(batch)
        inputs = [pa.nulls(batch.num_rows) if name is None else batch.column(name) for name in self.input_columns]
        names = [str(index) for index in range(len(inputs))]
        if reject is not None:
            inputs, names = [reject.is_null(), *inputs], [KEEP_COLUMN, *names]
        scored = kernel(pa.record_batch(inputs, names))
        failed = scored.column(1) if scored.num_columns > 1 else None
        rejects = _first_reject(reject, failed)
        columns = {
            PREDICTION_COLUMN: scored.column(0),
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


def _first_reject(reject: pa.Array | None, failed: pa.Array | None) -> pa.Array | None:
    """Why each row is rejected: by a rule, or else by the model, which saw no row that a rule had rejected."""
    if reject is None or failed is None:
        return failed if reject is None else reject
    return pc.if_else(reject.is_valid(), reject, failed)


def _cast_array(array: pa.Array, kind: pa.DataType) -> pa.Array:
    return array if array.type == kind else array.cast(kind)
