"""Converts the stage's columns to the prediction columns that are profiled. Runs on executors."""

from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from sparkscore.schemas import LABEL_COLUMN, PREDICTION_COLUMN, REJECT_COLUMN
from sparkscore.stage.output_columns import OutputColumns


def prediction_columns(output: pa.DataType, *, threshold: float | None) -> dict[str, pa.DataType]:
    """The profiled columns of predictions: `prediction`, the parts of a struct, `label` with a threshold."""
    if threshold is not None:
        return {PREDICTION_COLUMN: pa.float64(), LABEL_COLUMN: pa.int32()}
    if pa.types.is_struct(output):
        return {f"{PREDICTION_COLUMN}.{field.name}": field.type for field in output}
    return {PREDICTION_COLUMN: output}


@dataclass(frozen=True, slots=True)
class PredictionSelector:
    """Turns batches of the stage into those columns and the segments; rejected rows are left out."""

    threshold: float | None
    segments: tuple[str, ...]
    may_be_null: bool = False
    """Whether a prediction may be NULL: only `_reject` tells it from a rejected row then."""

    def __call__(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Needs:   `prediction` as the model returned it, the segments; `_reject` where predictions may be NULL."""
        is_scored = (
            batch.column(REJECT_COLUMN).is_null() if self.may_be_null else batch.column(PREDICTION_COLUMN).is_valid()
        )
        predicted = batch.filter(is_scored)
        columns = self._build_columns(predicted.column(PREDICTION_COLUMN))
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
