"""What Spark's sums of a slice become."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from pyspark.sql import DataFrame

from sparkscore.errors import ConfigError
from sparkscore.pipelines.evaluation.evaluation_plan import EvaluationPlan
from sparkscore.records import Quality
from sparkscore.spark.error_translation import translate_spark_errors

MOST_SUMS = 500_000
"""Rows of sums that the driver takes: some dozens for each slice, never one for each row."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class SliceKey:
    """Which rows: of one window, of one model version, and of one value of a segment or all."""

    start: datetime
    model_name: str
    model_version: str
    slice_key: str | None
    slice_value: str | None


@dataclass(frozen=True, slots=True)
class SliceQuality:
    """The metrics of one slice."""

    key: SliceKey
    rows: int
    null_predictions: int
    quality: Quality


def collect_rows(sums: DataFrame, plan: EvaluationPlan) -> list[dict[str, Any]]:
    """The sums, as Python has them.

    Raises:  ConfigError for so many slices, or classes, that sums become data.
    """
    with translate_spark_errors(f"evaluating {plan.predictions.name}"):
        found = sums.limit(MOST_SUMS + 1).toArrow()
    if found.num_rows > MOST_SUMS:
        raise ConfigError(
            f"more than {MOST_SUMS:,} sums of windows, segments and classes",
            "segments with few values, and classes that repeat",
            "leave segments out of performance.segments, evaluate fewer windows (--from, --to), or set"
            " performance.problem",
        )
    rows: list[dict[str, Any]] = found.to_pylist()
    return rows


def group_key(row: dict[str, Any]) -> SliceKey:
    """Which slice a row of sums is of."""
    start = _EPOCH + timedelta(microseconds=row["window_start"])
    return SliceKey(start, row["model_name"], row["model_version"], row["slice_key"], row["slice_value"])
