"""The kernel: a batch of inputs -> a batch of predictions. A plain function on Arrow batches, for every transport."""

from collections.abc import Callable
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from sparkscore.errors import PredictError, SparkscoreError
from sparkscore.model.resident import ShippedModel
from sparkscore.model.runtimes import Features, Predictor
from sparkscore.scoring.inputs import features
from sparkscore.scoring.outputs import predictions

KEEP = "_keep"
PREDICTION = "prediction"

_MESSAGE = 300


@dataclass(frozen=True, slots=True)
class Kernel:
    """Scores batches with one model. `load` is called when the first row needs the model, never for no rows."""

    model: ShippedModel
    load: Callable[[], Predictor]
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
        given = features(columns, self.model)
        scored = predictions(self._predicted(given, rows), rows, self.model.output)
        self.on_rows(rows)
        return scored

    def _predicted(self, given: Features, rows: int) -> object:
        predict = self._loaded()
        try:
            return predict(given)
        except Exception as error:
            raise PredictError(
                f"the model raised {_gist(error)} on a batch of {rows} rows",
                "a model that predicts every row that its signature allows",
                "run it on such rows by hand; keep rows that it cannot take out by a filter",
            ) from error

    def _loaded(self) -> Predictor:
        try:
            return self.load()
        except SparkscoreError:
            raise
        except Exception as error:
            raise PredictError(
                f"the model could not be loaded on an executor: {_gist(error)}",
                "the packages that the model was logged with",
                "install what its requirements.txt lists on the executors",
            ) from error


def _gist(error: Exception) -> str:
    return f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0][:_MESSAGE]}"


def _spread(scored: pa.Array, keep: pa.Array) -> pa.Array:
    """The predictions at the places of the kept rows, NULL elsewhere."""
    places = pc.subtract(pc.cumulative_sum(keep.cast(pa.int64())), 1)
    return scored.take(pc.if_else(keep, places, pa.scalar(None, pa.int64())))
