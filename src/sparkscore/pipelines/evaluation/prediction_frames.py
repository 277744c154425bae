"""What was published, as frames: the rows of the evaluated windows, each beside its truth, in every slice."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from pyspark.sql import DataFrame
from pyspark.sql.types import DoubleType, FloatType, StructType

from sparkscore.monitor.quality.evaluation_windows import ORIGIN
from sparkscore.pipelines.evaluation.evaluation_plan import EvaluationPlan, quote_field
from sparkscore.pipelines.evaluation.label_frames import key_names
from sparkscore.publish.prediction_rows import select_predictions
from sparkscore.spark.identifiers import quote_identifier
from sparkscore.spark.sql_texts import date_literal, text_literal, timestamp_literal

GROUP = ("window_start", "model_name", "model_version", "slice_key", "slice_value")
"""One row of the performance table, for the one granularity."""


def load_publications(plan: EvaluationPlan) -> DataFrame:
    """Keys and as_of of every row from which a truth may take its prediction: of the evaluated as_ofs, and of later
    ones, since a later prediction takes the truths that come after it.

    Jobs:    none.
    """
    rows = select_predictions(plan.predictions.load_rows(plan.predictions_version))
    first = min(as_of for as_ofs in plan.windows.values() for as_of in as_ofs)
    return rows.where(_since_condition(first)).selectExpr(*_key_columns(plan), "as_of")


def load_predictions(plan: EvaluationPlan) -> DataFrame:
    """The rows of the evaluated windows: keys, as_of, `window_start`, model, segments s0, s1, …, and `predicted`.

    Jobs:    none.
    """
    rows = select_predictions(plan.predictions.load_rows(plan.predictions_version))
    as_ofs = sorted(as_of for own in plan.windows.values() for as_of in own)
    listed = ", ".join(timestamp_literal(as_of) for as_of in as_ofs)
    chosen = rows.where(f"{_span_condition(as_ofs[0], as_ofs[-1])} AND as_of IN ({listed})")
    segments = [f"CAST({quote_identifier(name)} AS STRING) AS s{index}" for index, name in enumerate(plan.segments)]
    return chosen.selectExpr(
        *_key_columns(plan),
        "as_of",
        f"{_window_start(plan.settings.labels.window_size)} AS window_start",
        "model_name",
        "model_version",
        *segments,
        f"{_predicted_expression(plan, rows.schema)} AS predicted",
    )


def join_truths(plan: EvaluationPlan, truths: DataFrame, by: Sequence[str]) -> DataFrame:
    """Every row of the evaluated windows with its truth, NULL where none is known; once for all rows and once for
    each segment.

    Jobs:    none.
    """
    joined = load_predictions(plan).join(truths.select(*by, "truth"), on=list(by), how="left")
    return _repeat_for_segments(plan, joined, "predicted", "truth")


def list_slices(plan: EvaluationPlan) -> DataFrame:
    """Each slice of the evaluated windows once: `GROUP`. No truth is read.

    Jobs:    none.
    """
    return _repeat_for_segments(plan, load_predictions(plan)).distinct()


def _repeat_for_segments(plan: EvaluationPlan, rows: DataFrame, *columns: str) -> DataFrame:
    """These columns of each row, once for all rows and once for each segment: with `GROUP`."""
    slices = ["struct(CAST(NULL AS STRING) AS slice_key, CAST(NULL AS STRING) AS slice_value)"]
    slices += [
        f"struct({text_literal(name)} AS slice_key, s{index} AS slice_value)"
        for index, name in enumerate(plan.segments)
    ]
    own = ("window_start", "model_name", "model_version")
    exploded = rows.selectExpr(*own, *columns, f"explode(array({', '.join(slices)})) AS one")
    return exploded.selectExpr(*own, "one.slice_key", "one.slice_value", *columns)


def _key_columns(plan: EvaluationPlan) -> list[str]:
    pairs = zip(plan.keys, key_names(plan), strict=True)
    return [f"{quote_identifier(key)} AS {name}" for key, name in pairs]


def _window_start(size: timedelta | None) -> str:
    """The start of an as_of's window in microseconds since 1970, as `EvaluationWindow.of` has it."""
    moment = "unix_micros(as_of)"
    if size is None:
        return moment
    origin, length = round(ORIGIN.timestamp() * 1_000_000), round(size.total_seconds() * 1_000_000)
    return f"{moment} - pmod({moment} - {origin}, {length})"


def _predicted_expression(plan: EvaluationPlan, schema: StructType) -> str:
    """The prediction; NULL for a number that is none, or infinite."""
    path = plan.settings.performance.prediction
    quoted = quote_field(schema, path)
    if plan.problem in ("binary", "numbers"):
        number = f"CAST({quoted} AS DOUBLE)"
        return f"CASE WHEN abs({number}) < CAST('Infinity' AS DOUBLE) THEN {number} END"
    if path in schema.names and isinstance(schema[path].dataType, FloatType | DoubleType):
        return f"CASE WHEN NOT isnan({quoted}) THEN {quoted} END"
    return quoted


def _since_condition(first: datetime) -> str:
    return f"as_of_date >= {date_literal(first.date())} AND as_of >= {timestamp_literal(first)}"


def _span_condition(first: datetime, last: datetime) -> str:
    return f"as_of_date BETWEEN {date_literal(first.date())} AND {date_literal(last.date())}"
