"""The pandas_udf transport: Spark hands batches of pandas columns to its Python workers.

pandas cannot tell NULL from NaN in doubles. Integers with NULLs are exact only where the session says
`spark.sql.execution.pythonUDF.pandas.preferIntExtensionDtype=true`.
"""

from collections.abc import Iterator, Sequence
from functools import cache, reduce
from typing import Any, Union

import pandas as pd
import pyarrow as pa
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.pandas.functions import pandas_udf
from pyspark.sql.pandas.types import from_arrow_type
from pyspark.sql.types import StringType, StructField, StructType

from sparkscore.model.shipped import ShippedModel
from sparkscore.scoring.bisect import MESSAGES
from sparkscore.scoring.counters import Counters, loading
from sparkscore.scoring.exchange import REASON_LINES, parts_of, record_batch, to_pandas
from sparkscore.scoring.failures import marked
from sparkscore.scoring.kernel import PREDICTION, REJECT_COLUMN, Kernel
from sparkscore.store.names import quoted

Columns = Union[pd.Series, pd.DataFrame]  # noqa: UP007
"""What Spark hands over for one argument. In typing's old words: pandas_udf reads no others."""

_MADE = "_sparkscore_made"


def scored(
    frame: DataFrame, model: ShippedModel, *, columns: Sequence[str], counters: Counters, keep: Column | None = None
) -> DataFrame:
    """The frame with the model's predictions, and with why it has none of a row.

    Needs:   `columns`: one per model input, in its order.
    Adds:    `prediction`, of the model's output type; NULL where `keep` is not true, where the row was rejected, and
             where the model returned NaN, which Spark takes for NULL. `_reject`, of `schemas.REJECT`, NULL elsewhere.
    Jobs:    none.
    Runs on: driver; the model runs on executors, once per row each time that the frame is computed. Sorting computes it
             twice (Spark samples first): write it, then sort.
    """
    # not deterministic: else Spark may push a filter on the prediction below it, and predict again
    predict = _rejecting_udf(model, counters, kept=keep is not None).asNondeterministic()
    inputs = [F.col(quoted(name)) for name in columns]
    kept = F.lit(True) if keep is None else F.coalesce(keep, F.lit(False))
    made = frame.withColumn(_MADE, predict(*inputs) if keep is None else predict(kept, *inputs))
    reason = F.col(f"{_MADE}.reason")
    code = F.substring_index(reason, REASON_LINES, 1)
    error = reason.substr(F.length(code) + F.lit(1 + len(REASON_LINES)), F.length(reason))  # may hold such lines itself
    told = F.struct(code.alias("code"), F.nullif(error, F.lit("")).alias("error"), _message(code).alias("message"))
    reject = F.when(reason.isNotNull(), told)
    # `when`: a struct of NULLs becomes NULL
    scored_rows = {PREDICTION: F.when(kept & reason.isNull(), _prediction(model.output)), REJECT_COLUMN: reject}
    return made.withColumns(scored_rows).drop(_MADE)


def udf_of(model: ShippedModel) -> Any:
    """The iterator pandas_udf that predicts batches of the model's inputs: a row that the model fails on ends it.

    Nobody counts what it does: whoever calls it has no end at which to ask.

    The model is taken at the first batch, never for an empty partition.
    Runs on: driver; its body runs on executors.
    """

    def predictions(batches: Iterator[Any]) -> Iterator[Any]:
        kernel = Kernel(model, load=cache(loading(model, _uncounted)), on_batch=_uncounted, rejects=False)
        for made in _made(kernel, batches, kept=False):
            yield to_pandas(made.column(0))

    def series(batches: Iterator[tuple[Columns, ...]]) -> Iterator[pd.Series]:
        yield from predictions(batches)

    def frames(batches: Iterator[tuple[Columns, ...]]) -> Iterator[pd.DataFrame]:
        yield from predictions(batches)

    body: Any = frames if pa.types.is_struct(model.output) else series
    return pandas_udf(body, from_arrow_type(model.output))  # type: ignore[call-overload]


def _rejecting_udf(model: ShippedModel, counters: Counters, *, kept: bool) -> Any:
    """The same with rejects: a struct of the prediction's parts, then `reason`; with `kept`, of a boolean column before
    the inputs."""

    def frames(batches: Iterator[tuple[Columns, ...]]) -> Iterator[pd.DataFrame]:
        load = cache(loading(model, counters.add_load))
        with counters.task():
            for made in _made(Kernel(model, load=load, on_batch=counters.add_batch), batches, kept=kept):
                yield parts_of(made)

    kinds = [field.type for field in model.output] if pa.types.is_struct(model.output) else [model.output]
    fields = [StructField(str(place), from_arrow_type(kind)) for place, kind in enumerate(kinds)]
    fields += [StructField("reason", StringType())]
    return pandas_udf(frames, StructType(fields))  # type: ignore[call-overload]


def _made(kernel: Kernel, batches: Iterator[Any], *, kept: bool) -> Iterator[pa.RecordBatch]:
    with marked(kernel.model.secret, sensitive=kernel.model.sensitive):
        for batch in batches:
            parts = batch if isinstance(batch, tuple) else (batch,)
            yield kernel(record_batch(parts, kernel.model.inputs, kept=kept))


def _uncounted(*_: float) -> None:
    """Nobody asks."""


def _prediction(output: pa.DataType) -> Column:
    """The prediction of its parts."""
    if not pa.types.is_struct(output):
        return F.col(f"{_MADE}.0")
    return F.struct(*(F.col(f"{_MADE}.{place}").alias(field.name) for place, field in enumerate(output)))


def _message(code: Column) -> Column:
    """What a reject says by its code."""
    words = [(code == known, F.lit(message)) for known, message in MESSAGES.items()]
    return reduce(lambda before, word: before.when(*word), words[1:], F.when(*words[0]))
