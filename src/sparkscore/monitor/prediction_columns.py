"""Converts the stage's columns to the prediction columns that are profiled. Runs on executors."""

from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from sparkscore.schemas import LABEL_COLUMN, PREDICTION_COLUMN


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

    def __call__(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Needs:   `prediction` as the model returned it, the segments."""
        predicted = batch.filter(batch.column(PREDICTION_COLUMN).is_valid())
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
        nested = not pa.types.is_floating(kind)  # the probabilities of two classes
        probability = (pc.list_element(prediction, 1) if nested else prediction).cast(pa.float64())
        return {
            PREDICTION_COLUMN: probability,
            LABEL_COLUMN: pc.greater_equal(probability, self.threshold).cast(pa.int32()),
        }
