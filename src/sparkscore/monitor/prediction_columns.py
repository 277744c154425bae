"""Converts the stage's columns to the prediction columns that are profiled. Runs on executors."""

from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from sparkscore.records import DerivedColumn
from sparkscore.schemas import LABEL_COLUMN, PREDICTION_COLUMN, REJECT_COLUMN
from sparkscore.stage.output_columns import OutputColumns

_MAX_DERIVED = 100
"""Of derived columns that are profiled: each costs as much as the prediction."""


def prediction_columns(
    output: pa.DataType, *, threshold: float | None, derived: Sequence[DerivedColumn] = ()
) -> dict[str, pa.DataType]:
    """The profiled columns of predictions: `prediction`, the parts of a struct, `label` with a threshold, and the first
    derived columns with numbers, texts or booleans."""
    computed = {one.name: one.type for one in select_profiled_columns(derived)}
    if threshold is not None:
        return {PREDICTION_COLUMN: pa.float64(), LABEL_COLUMN: pa.int32(), **computed}
    if pa.types.is_struct(output):
        return {**{f"{PREDICTION_COLUMN}.{field.name}": field.type for field in output}, **computed}
    return {PREDICTION_COLUMN: output, **computed}


def select_profiled_columns(derived: Sequence[DerivedColumn]) -> tuple[DerivedColumn, ...]:
    """Those of the derived columns that are profiled."""
    return tuple(one for one in derived if not pa.types.is_nested(one.type))[:_MAX_DERIVED]


@dataclass(frozen=True, slots=True, repr=False)
class PredictionSelector:
    """Turns batches of the stage into those columns and the segments; rejected rows are left out."""

    threshold: float | None
    segments: tuple[str, ...]
    may_be_null: bool = False
    """Whether a prediction may be NULL: only `_reject` tells it from a rejected row then."""
    derived: tuple[DerivedColumn, ...] = ()
    """What the derived columns need, and those that are profiled."""

    def __repr__(self) -> str:
        """Names the derived columns only where there are some: states that older versions have kept are named by it."""
        known = f"threshold={self.threshold!r}, segments={self.segments!r}, may_be_null={self.may_be_null!r}"
        return f"PredictionSelector({known}{f', derived={self.derived!r}' if self.derived else ''})"

    def __call__(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Needs:   `prediction` as the model returned it, the segments; `_reject` where predictions may be NULL."""
        is_scored = (
            batch.column(REJECT_COLUMN).is_null() if self.may_be_null else batch.column(PREDICTION_COLUMN).is_valid()
        )
        predicted = batch.filter(is_scored)
        columns = self._build_columns(predicted.column(PREDICTION_COLUMN))
        if self.derived:
            published = OutputColumns(self.threshold, self.may_be_null, self.derived)(predicted)
            columns |= {one.name: published.column(one.name) for one in select_profiled_columns(self.derived)}
        columns |= {name: predicted.column(name) for name in self.segments if name not in columns}
        return pa.record_batch(list(columns.values()), list(columns))

    def _build_columns(self, prediction: pa.Array) -> dict[str, pa.Array]:
        kind = prediction.type
        if pa.types.is_struct(kind):
            fields = [(field.name, kind.get_field_index(field.name)) for field in kind]
            return {f"{PREDICTION_COLUMN}.{name}": pc.struct_field(prediction, [index]) for name, index in fields}
        if self.threshold is None:
            return {PREDICTION_COLUMN: prediction}
        return OutputColumns(self.threshold, self.may_be_null).build_columns(prediction)
