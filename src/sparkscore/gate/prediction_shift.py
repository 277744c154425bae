"""Compares predictions with those of the last published run: the shift of their mean and of their labels."""

import math
import time
from collections.abc import Mapping
from typing import Any

from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import NumericType

from sparkscore.gate.verdict_formatting import format_verdict_number
from sparkscore.records import RuleVerdict, Verdict
from sparkscore.schemas import LABEL_COLUMN, PREDICTION_COLUMN
from sparkscore.settings import Settings

_MAX_SHIFT_LABELS = 1_000
"""Greatest number of labels; the rarest are dropped."""


def judge_prediction_shift(now: DataFrame, before: DataFrame, settings: Settings) -> Verdict:
    """Whether predictions are as those before, by `gate.mean_shift` and `gate.label_shift`.

    The mean moves in standard deviations of the predictions before; a mix of labels by its total variation distance:
    half of the sum of all differences of shares, 0 where it is equal, 1 where no label is in both.

    Needs:   `prediction`, and `label` where there is a threshold; else predictions of text or whole numbers are labels.
             Labels are compared where the last run had any.
    Jobs:    one for each frame and rule.
    """
    started, gate = time.monotonic(), settings.gate
    rules: list[RuleVerdict] = []
    if gate.mean_shift is not None and isinstance(now.schema[PREDICTION_COLUMN].dataType, NumericType):
        rules.append(
            _mean_shift_verdict(
                _measure_mean_and_stddev(now), _measure_mean_and_stddev(before), gate.mean_shift, gate.shift_severity
            )
        )
    label = _label_column_name(now)
    if gate.label_shift is not None and label is not None and _has_labels(before, label):
        rules.append(
            _label_shift_verdict(
                _measure_label_shares(now, label),
                _measure_label_shares(before, label),
                gate.label_shift,
                gate.shift_severity,
            )
        )
    return Verdict("output", "last run", tuple(rules), round(time.monotonic() - started, 3))


def _label_column_name(frame: DataFrame) -> str | None:
    if LABEL_COLUMN in frame.columns:
        return LABEL_COLUMN
    kind = frame.schema[PREDICTION_COLUMN].dataType.typeName()
    return PREDICTION_COLUMN if kind in ("string", "boolean", "byte", "short", "integer", "long") else None


def _has_labels(before: DataFrame, label: str) -> bool:
    """Whether the last run has labels: where the table has got the column since, there is nothing to compare with."""
    return label in before.columns and not before.where(F.col(label).isNotNull()).isEmpty()


def _measure_mean_and_stddev(frame: DataFrame) -> Any:
    prediction = F.when(~F.isnan(F.col(PREDICTION_COLUMN).cast("double")), F.col(PREDICTION_COLUMN))
    return frame.agg(F.mean(prediction).alias("mean"), F.stddev_pop(prediction).alias("stddev")).collect()[0]


def _mean_shift_verdict(now: Any, before: Any, most: float, severity: Any) -> RuleVerdict:
    wanted = f"at most {format_verdict_number(most)} standard deviations from the last published run"
    if now["mean"] is None or before["mean"] is None:
        found, passed = "no mean: one of the runs has no predictions", before["mean"] is None
    else:
        moved, stddev = abs(now["mean"] - before["mean"]), before["stddev"]
        distance = moved / stddev if stddev else (0.0 if moved == 0 else math.inf)
        passed = distance <= most
        means = [format_verdict_number(run["mean"]) for run in (now, before)]
        found = f"{format_verdict_number(distance)}: a mean of {means[0]} after {means[1]}"
    return RuleVerdict("mean of predictions against the last run", passed, found, wanted, severity=severity)


def _measure_label_shares(frame: DataFrame, label: str) -> Mapping[Any, float]:
    counted = frame.groupBy(label).count().orderBy(F.desc("count"), label).limit(_MAX_SHIFT_LABELS).collect()
    total = sum(row["count"] for row in counted)
    return {row[label]: row["count"] / total for row in counted}


def _label_shift_verdict(
    now: Mapping[Any, float], before: Mapping[Any, float], most: float, severity: Any
) -> RuleVerdict:
    distance = sum(abs(now.get(label, 0) - before.get(label, 0)) for label in {*now, *before}) / 2
    moved = max({*now, *before}, key=lambda label: abs(now.get(label, 0) - before.get(label, 0)), default=None)
    found = f"{format_verdict_number(distance)}: {moved} had {before.get(moved, 0):.1%}, has {now.get(moved, 0):.1%}"
    wanted = f"a distance of at most {format_verdict_number(most)} from the last published run"
    return RuleVerdict("shares of labels against the last run", distance <= most, found, wanted, severity=severity)
