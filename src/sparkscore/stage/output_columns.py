"""What the prediction table holds of a stage's batch, in Arrow. Runs on executors: pyarrow only.

`publish.postprocessing` says the same of Spark's columns.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

import pyarrow as pa
import pyarrow.compute as pc

from sparkscore.records import (
    DerivedColumn,
    RowSummary,
    RowSummaryState,
    json_digest,
    select_needed_outputs,
)
from sparkscore.schemas import BINARY_CLASSES, LABEL_COLUMN, PREDICTION_COLUMN
from sparkscore.stage.column_arrays import add_derived_columns


@dataclass(frozen=True, slots=True, repr=False)
class OutputColumns:
    """Turns `prediction` as the model returned it into `prediction`, `label` and the derived columns as they are
    published."""

    threshold: float | None = None
    is_nan_null: bool = False
    """NaN means that there is no answer: the prediction may be NULL."""
    derived: tuple[DerivedColumn, ...] = ()
    """What is computed from these and from what else the stage has."""

    def __repr__(self) -> str:
        """Names the derived columns only where there are some: states that older versions have kept are named by it."""
        more = f", derived={self.derived!r}" if self.derived else ""
        return f"OutputColumns(threshold={self.threshold!r}, is_nan_null={self.is_nan_null!r}{more})"

    def __call__(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """The batch with the published columns in place of `prediction`; the other columns as they are."""
        columns = {name: batch.column(name) for name in batch.schema.names}
        columns |= self.build_columns(columns[PREDICTION_COLUMN])
        columns = add_derived_columns(columns, self.derived)
        return pa.record_batch(list(columns.values()), list(columns))

    def select_needed(self, names: Iterable[str]) -> "OutputColumns":
        """The same with the derived columns that are needed for columns of these names, and no others."""
        return replace(self, derived=select_needed_outputs(self.derived, names))

    def list_stage_columns(self, names: Iterable[str]) -> tuple[str, ...]:
        """The stage's columns that published columns of these names are made from, and `prediction`."""
        needed = select_needed_outputs(self.derived, names)
        made = {one.name for one in needed} | {LABEL_COLUMN}
        read = (*names, *(name for one in needed for name in one.reads))
        return tuple(dict.fromkeys((*(name for name in read if name not in made), PREDICTION_COLUMN)))

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
        return json_digest([self.summary.fingerprint, repr(self._needed)])

    @property
    def columns(self) -> tuple[str, ...]:
        """The stage's columns that it reads."""
        return self.published.list_stage_columns(self.summary.columns)

    def start(self) -> RowSummaryState:
        """A state without rows. Runs on: executor."""
        return _OutputSummaryState(self.summary.start(), self._needed)

    @property
    def _needed(self) -> OutputColumns:
        return self.published.select_needed(self.summary.columns)


class _OutputSummaryState:
    def __init__(self, state: RowSummaryState, published: OutputColumns) -> None:
        self._state, self._published = state, published

    def add(self, batch: pa.RecordBatch) -> None:
        self._state.add(self._published(batch))

    def to_bytes(self) -> bytes:
        return self._state.to_bytes()
