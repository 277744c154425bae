"""The pandas_udf transport: Spark hands batches of pandas columns to its Python workers.

pandas cannot tell NULL from NaN in doubles. Integers with NULLs are exact only where the session says
`spark.sql.execution.pythonUDF.pandas.preferIntExtensionDtype=true`.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import cache
from typing import Any, Union

import pandas as pd
import pyarrow as pa
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.pandas.functions import pandas_udf
from pyspark.sql.pandas.types import from_arrow_type

from sparkscore.model.resident import resident
from sparkscore.model.shipped import ShippedModel
from sparkscore.scoring.counters import Counters
from sparkscore.scoring.exchange import record_batch, to_pandas
from sparkscore.scoring.failures import marked
from sparkscore.scoring.kernel import PREDICTION, Kernel
from sparkscore.store.names import quoted

Columns = Union[pd.Series, pd.DataFrame]  # noqa: UP007
"""What Spark hands over for one argument. In typing's old words: pandas_udf reads no others."""


def scored(
    frame: DataFrame, model: ShippedModel, *, columns: Sequence[str], counters: Counters, keep: Column | None = None
) -> DataFrame:
    """The frame with the model's predictions.

    Needs:   `columns`: one per model input, in its order.
    Adds:    `prediction`, of the model's output type; NULL where `keep` is not true, and where the model returned NaN,
             which Spark takes for NULL.
    Jobs:    none.
    Runs on: driver; the model runs on executors, once per row each time that the frame is computed. Sorting computes it
             twice (Spark samples first): write it, then sort.
    """
    # not deterministic: else Spark may push a filter on the prediction below it, and predict again
    predict = udf_of(model, counters.add_rows, counters.add_load, kept=keep is not None).asNondeterministic()
    inputs = [F.col(quoted(name)) for name in columns]
    if keep is None:
        return frame.withColumn(PREDICTION, predict(*inputs))
    kept = F.coalesce(keep, F.lit(False))
    return frame.withColumn(PREDICTION, F.when(kept, predict(kept, *inputs)))  # `when`: a struct of NULLs becomes NULL


def udf_of(
    model: ShippedModel, on_rows: Callable[[int], None], on_load: Callable[[], None], *, kept: bool = False
) -> Any:
    """The iterator pandas_udf that scores batches of the model's inputs; with `kept`, of a boolean column before them.

    The model is taken at the first batch, never for an empty partition.
    Runs on: driver; its body runs on executors.
    """

    def predictions(batches: Iterator[Any]) -> Iterator[Any]:
        kernel = Kernel(model, load=cache(lambda: resident(model, on_load)), on_rows=on_rows)
        with marked():
            for batch in batches:
                parts = batch if isinstance(batch, tuple) else (batch,)
                yield to_pandas(kernel(record_batch(parts, model.inputs, kept=kept)).column(0))

    def series(batches: Iterator[tuple[Columns, ...]]) -> Iterator[pd.Series]:
        yield from predictions(batches)

    def frames(batches: Iterator[tuple[Columns, ...]]) -> Iterator[pd.DataFrame]:
        yield from predictions(batches)

    body: Any = frames if pa.types.is_struct(model.output) else series
    return pandas_udf(body, from_arrow_type(model.output))  # type: ignore[call-overload]
