"""What the prediction table holds of a stage's batch, in Arrow. Runs on executors: pyarrow only.

`publish.postprocessing` says the same of Spark's columns.
"""

from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from sparkscore.records import RowSummary, RowSummaryState, json_digest
from sparkscore.schemas import BINARY_CLASSES, LABEL_COLUMN, PREDICTION_COLUMN


@dataclass(frozen=True, slots=True)
class OutputColumns:
    """Turns `prediction` as the model returned it into `prediction` and `label` as they are published."""

    threshold: float | None = None
    is_nan_null: bool = False
    """NaN means that there is no answer: the prediction may be NULL."""

    def __call__(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """The batch with the published columns in place of `prediction`; the other columns as they are."""
        columns = {name: batch.column(name) for name in batch.schema.names}
        columns |= self.build_columns(columns[PREDICTION_COLUMN])
        return pa.record_batch(list(columns.values()), list(columns))

    def build_columns(self, prediction: pa.Array) -> dict[str, pa.Array]:
        """`prediction`, and `label` with a threshold.

        Needs:   with a threshold numbers, or lists of one or two; of other lists nothing is known: NULL.
        """
        if self.threshold is None:
            return {PREDICTION_COLUMN: self._replace_nan(prediction)}
        probability = self._replace_nan(to_probability(prediction))
        # Spark orders NaN above every number
        is_above = pc.or_(pc.greater_equal(probability, self.threshold), pc.is_nan(probability))
        return {PREDICTION_COLUMN: probability, LABEL_COLUMN: is_above.cast(pa.int32())}

    def _replace_nan(self, values: pa.Array) -> pa.Array:
        if not self.is_nan_null or not pa.types.is_floating(values.type):
            return values
        return pc.if_else(pc.is_nan(values), pa.scalar(None, values.type), values)


def to_probability(prediction: pa.Array) -> pa.Array:
    """The probability of the positive class: the only number, or the second of two. NULL for other lists."""
    if pa.types.is_floating(prediction.type):
        return prediction.cast(pa.float64())
    lengths = pc.list_value_length(prediction).fill_null(0)
    ends = pc.subtract(pc.cumulative_sum(lengths), 1)
    has_last = pc.is_in(lengths, pa.array([1, BINARY_CLASSES], lengths.type))
    return prediction.flatten().take(pc.if_else(has_last, ends, pa.scalar(None, ends.type))).cast(pa.float64())


def other_probabilities_mask(prediction: pa.Array) -> pa.Array:
    """Whether each prediction is a list of neither one nor two numbers."""
    if pa.types.is_floating(prediction.type):
        return pa.repeat(False, len(prediction))
    lengths = pc.list_value_length(prediction)
    is_probability = pc.is_in(lengths, pa.array([1, BINARY_CLASSES], lengths.type))
    return pc.and_(prediction.is_valid(), pc.invert(is_probability))


@dataclass(frozen=True, slots=True)
class OutputSummary:
    """A summary of what is published of the stage's rows, taken while the stage is written: a `RowSummary`."""

    summary: RowSummary
    published: OutputColumns

    @property
    def name(self) -> str:
        """That of the summary."""
        return self.summary.name

    @property
    def fingerprint(self) -> str:
        """Another threshold is another summary."""
        return json_digest([self.summary.fingerprint, repr(self.published)])

    @property
    def columns(self) -> tuple[str, ...]:
        """The stage's columns that it reads."""
        read = dict.fromkeys(PREDICTION_COLUMN if name == LABEL_COLUMN else name for name in self.summary.columns)
        return tuple(dict.fromkeys((*read, PREDICTION_COLUMN)))

    def start(self) -> RowSummaryState:
        """A state without rows. Runs on: executor."""
        return _OutputSummaryState(self.summary.start(), self.published)


class _OutputSummaryState:
    def __init__(self, state: RowSummaryState, published: OutputColumns) -> None:
        self._state, self._published = state, published

    def add(self, batch: pa.RecordBatch) -> None:
        self._state.add(self._published(batch))

    def to_bytes(self) -> bytes:
        return self._state.to_bytes()
