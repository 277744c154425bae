"""The column function behind `score_udf`: Spark passes batches of Arrow columns to its Python workers.

As Arrow they arrive as they are: integers beside NULL stay integers, whatever the session says of pandas.
"""

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, cast

import pyarrow as pa
from pyspark import TaskContext
from pyspark.sql.pandas.types import from_arrow_type

from sparkscore.errors import ConfigError
from sparkscore.model.distribution.shipped_model import ShippedModel
from sparkscore.scoring.kernel import Kernel
from sparkscore.scoring.resident_sizers import get_batch_sizer
from sparkscore.scoring.task_errors import mark_task_errors
from sparkscore.scoring.task_models import ending_models, make_model_loader
from sparkscore.scoring.udf_arguments import to_udf_batch
from sparkscore.scoring.udf_results import to_udf_result


class _Nobody:
    """Counts nothing: nobody asks."""

    def add_load(self, seconds: float) -> None:
        pass

    def add_model_counts(self, counts: Mapping[str, float]) -> None:
        pass

    def add_task_end_error(self) -> None:
        pass


_NOBODY = _Nobody()
TIME_ZONE_CONF = "spark.sql.session.timeZone"


def make_prediction_udf(model: ShippedModel, time_zone: str = "UTC") -> Any:
    """The iterator arrow_udf that predicts batches of the model's inputs: a row that the model fails on ends it.

    Its work is not counted: a caller has no point at which it could ask. The model is taken at the first batch, never
    for an empty partition.

    Needs:   `time_zone`: the session's, for times that the model returns; one that the session has set since wins.
    Runs on: driver; its body runs on executors.
    Raises:  ConfigError where Spark is older than 4.1.
    """

    def predictions(batches: Iterator[tuple[pa.Array, ...]]) -> Iterator[pa.Array]:
        kernel = Kernel(
            model,
            load=cache(make_model_loader(model, _NOBODY)),
            on_batch=lambda rows, seconds: None,
            collect_rejects=False,
            sizer=get_batch_sizer(model),
        )
        zone = _session_time_zone(time_zone)
        with ending_models(_NOBODY), mark_task_errors(model.secret, sensitive=model.sensitive):
            given = (
                to_udf_batch(batch if isinstance(batch, tuple) else (batch,), model.inputs, is_tensor=model.tensor)
                for batch in cast("Iterator[Any]", batches)  # of one argument it is no tuple
            )
            for group in kernel.sizer.group_batches(given):
                for scored in kernel.score_group(group):
                    yield to_udf_result(scored.column(0), zone)

    return _import_arrow_udf()(predictions, from_arrow_type(model.output, prefer_timestamp_ntz=True))


def _import_arrow_udf() -> Any:
    try:
        from pyspark.sql.pandas.functions import arrow_udf
    except ImportError as error:
        raise ConfigError(
            "score_udf in a Spark without arrow_udf", "Spark 4.1 or newer", "run the job `score`, or a newer Spark"
        ) from error
    return arrow_udf


def _session_time_zone(known: str) -> str:
    """The zone of the session that runs the query, as Spark tells its tasks; else the known one. Runs on: executor."""
    task = TaskContext.get()
    return (task.getLocalProperty(TIME_ZONE_CONF) if task is not None else None) or known
