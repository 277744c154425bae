"""The pandas_udf transport: Spark passes batches of pandas columns to its Python workers.

pandas cannot tell NULL from NaN in doubles. Integers with NULLs are exact only where the session says
`spark.sql.execution.pythonUDF.pandas.preferIntExtensionDtype=true`.
"""

from collections.abc import Iterator, Sequence
from typing import Any, Union

import pandas as pd
import pyarrow as pa
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.pandas.functions import pandas_udf
from pyspark.sql.pandas.types import from_arrow_type
from pyspark.sql.types import StringType, StructField, StructType

from sparkscore.model.distribution.shipped_model import ShippedModel
from sparkscore.schemas import PREDICTION_COLUMN, REJECT_COLUMN
from sparkscore.scoring.batch_sizer import BatchSizer
from sparkscore.scoring.counted_kernel import build_counted_kernel
from sparkscore.scoring.counters import Counters
from sparkscore.scoring.kernel import Kernel
from sparkscore.scoring.pandas_conversion import (
    NO_ANSWER,
    REASON_SEPARATOR,
    to_kernel_batch,
    to_pandas_result,
)
from sparkscore.scoring.resident_sizers import get_batch_sizer
from sparkscore.scoring.task_errors import mark_task_errors
from sparkscore.scoring.task_models import ending_models
from sparkscore.scoring.travelling_counts import COUNTS_COLUMN, counts_array, mark_last
from sparkscore.spark.identifiers import quote_identifier
from sparkscore.spark.reject_column import reject_column

UdfArgument = Union[pd.Series, pd.DataFrame]  # noqa: UP007
"""What Spark passes for one argument, in typing's old notation: pandas_udf reads no other."""

_RESULT_COLUMN = "_sparkscore_made"


def score_with_pandas_udf(
    frame: DataFrame,
    model: ShippedModel,
    *,
    columns: Sequence[str | None],
    counters: Counters,
    keep: Column | None = None,
) -> DataFrame:
    """The frame with the model's predictions, and with why it has none of a row.

    Needs:   `columns`: one per model input, in its order; None: NULL in every row.
    Adds:    `prediction`, of the model's output type; NULL where `keep` is not true, where the row was rejected, and
             where the model returned NaN, which Spark takes for NULL. `_reject`, of `schemas.REJECT`, NULL elsewhere.
    Jobs:    none.
    Runs on: driver; the model runs on executors, once per row each time that the frame is computed. Sorting computes it
             twice (Spark samples first): write it, then sort.
    """
    # not deterministic: else Spark may push a filter on the prediction below it, and predict again
    predict = _make_rejecting_udf(model, counters, has_keep_column=keep is not None).asNondeterministic()
    inputs = [
        F.lit(None).cast(from_arrow_type(one.type)) if name is None else F.col(quote_identifier(name))
        for name, one in zip(columns, model.inputs, strict=True)
    ]
    is_kept = F.lit(True) if keep is None else F.coalesce(keep, F.lit(False))
    scored_frame = frame.withColumn(_RESULT_COLUMN, predict(*inputs) if keep is None else predict(is_kept, *inputs))
    scored_frame = counters.observe_travelling(scored_frame, f"{_RESULT_COLUMN}.{COUNTS_COLUMN}")
    reason = F.col(f"{_RESULT_COLUMN}.reason")
    parts = F.split(reason, REASON_SEPARATOR, 3)  # the last one may hold such lines itself
    code, message, error = (F.get(parts, index) for index in range(3))
    is_rejected = reason.isNotNull() & (reason != F.lit(NO_ANSWER))
    reject = F.when(is_rejected, reject_column(code, F.nullif(error, F.lit("")), message))
    # `when`: a struct of NULLs becomes NULL
    scored_rows = {
        PREDICTION_COLUMN: F.when(is_kept & reason.isNull(), _assemble_prediction(model.output)),
        REJECT_COLUMN: reject,
    }
    return scored_frame.withColumns(scored_rows).drop(_RESULT_COLUMN)


def _make_rejecting_udf(model: ShippedModel, counters: Counters, *, has_keep_column: bool) -> Any:
    """The iterator pandas_udf that predicts batches of the model's inputs: a struct of the prediction's parts, then
    `reason`; with `has_keep_column`, of a boolean column before the inputs."""

    def frames(batches: Iterator[tuple[UdfArgument, ...]]) -> Iterator[pd.DataFrame]:
        sizer = get_batch_sizer(model)
        kernel = build_counted_kernel(model, counters, sizer)
        scored = _measure_task(counters, _run_kernel(kernel, batches, has_keep_column=has_keep_column), sizer)
        if counters.is_travelling:
            yield from _add_counts(counters, scored)
        else:
            yield from map(to_pandas_result, scored)

    types = [field.type for field in model.output] if pa.types.is_struct(model.output) else [model.output]
    fields = [StructField(str(index), from_arrow_type(kind)) for index, kind in enumerate(types)]
    fields += [StructField("reason", StringType())]
    fields += [StructField(COUNTS_COLUMN, StringType())] if counters.is_travelling else []
    return pandas_udf(frames, StructType(fields))  # type: ignore[call-overload]


def _measure_task(counters: Counters, batches: Iterator[pa.RecordBatch], sizer: BatchSizer) -> Iterator[pa.RecordBatch]:
    with counters.measure_task(), ending_models(counters):
        yield from batches
        counters.add_chosen_rows(sizer.chosen_rows)


def _add_counts(counters: Counters, batches: Iterator[pa.RecordBatch]) -> Iterator[pd.DataFrame]:
    """The results, the last one with the counts: nothing is counted any more when it is known to be the last."""
    for scored, is_last in mark_last(batches):
        result = to_pandas_result(scored)
        if scored.num_rows:
            text = counters.take_travelling() if is_last else None
            result[COUNTS_COLUMN] = counts_array(text, scored.num_rows).to_pandas()
        else:
            result[COUNTS_COLUMN] = pd.Series([], dtype=object)
        yield result


def _run_kernel(kernel: Kernel, batches: Iterator[Any], *, has_keep_column: bool) -> Iterator[pa.RecordBatch]:
    with mark_task_errors(kernel.model.secret, sensitive=kernel.model.sensitive):
        given = (
            to_kernel_batch(
                batch if isinstance(batch, tuple) else (batch,), kernel.model.inputs, has_keep_column=has_keep_column
            )
            for batch in batches
        )
        for group in kernel.sizer.group_batches(given):
            yield from kernel.score_group(group)


def _assemble_prediction(output: pa.DataType) -> Column:
    """The prediction of its parts."""
    if not pa.types.is_struct(output):
        return F.col(f"{_RESULT_COLUMN}.0")
    return F.struct(*(F.col(f"{_RESULT_COLUMN}.{index}").alias(field.name) for index, field in enumerate(output)))
