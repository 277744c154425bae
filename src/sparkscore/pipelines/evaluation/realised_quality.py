"""Truths joined with what was published, and the metrics of every slice of the windows of a plan."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from pyspark.sql import DataFrame, SparkSession

from sparkscore.monitor.quality.evaluation_windows import EvaluationWindow
from sparkscore.pipelines.evaluation.binary_sums import measure_binary_slices
from sparkscore.pipelines.evaluation.evaluation_plan import EvaluationPlan
from sparkscore.pipelines.evaluation.label_frames import (
    count_truths,
    key_names,
    load_labels,
    match_labels,
    settle_labels,
)
from sparkscore.pipelines.evaluation.other_sums import (
    measure_class_slices,
    measure_number_slices,
    measure_ranking_slices,
)
from sparkscore.pipelines.evaluation.prediction_frames import join_truths, load_publications
from sparkscore.pipelines.evaluation.slice_quality import SliceQuality
from sparkscore.records import LabelCounts
from sparkscore.settings import Settings
from sparkscore.spark.identifiers import quote_identifier

_MEASURES: Mapping[str, Callable[[EvaluationPlan, DataFrame], Iterator[SliceQuality]]] = {
    "binary": measure_binary_slices,
    "numbers": measure_number_slices,
    "classes": measure_class_slices,
    "ranking": measure_ranking_slices,
}


@dataclass(frozen=True, slots=True)
class PredictionTruths:
    """The one truth of each prediction that has one."""

    rows: DataFrame
    """Columns `by`, and `truth`: 0 or 1, a number, a class as text, or a list of relevant items as text."""
    by: tuple[str, ...]
    """What predictions are joined with: the keys of the prediction table, and as_of unless all of a key are meant."""
    problem: str
    """What is predicted: binary, classes, numbers or ranking."""


def load_prediction_truths(
    spark: SparkSession, settings: Settings, as_ofs: Sequence[datetime], *, now: datetime
) -> PredictionTruths:
    """The truths of the predictions of these as_ofs, as `evaluate` joins them.

    Needs:   a config with labels; one as_of or more.
    Jobs:    none.
    Raises:  as `EvaluationPlan.open`.
    """
    windows = {EvaluationWindow.of(as_of, None, ""): (as_of,) for as_of in as_ofs}
    plan = replace(EvaluationPlan.open(spark, settings, now=now), windows=windows)
    labels, by = match_labels(plan, load_labels(plan), load_publications(plan))
    names = dict(zip(key_names(plan), plan.keys, strict=True)) | {"as_of": "as_of"}
    columns = [f"{name} AS {quote_identifier(names[name])}" for name in by]
    rows = settle_labels(plan, labels, by).where("truth IS NOT NULL").selectExpr(*columns, "truth")
    return PredictionTruths(rows, tuple(names[name] for name in by), plan.problem)


def measure_realised_quality(plan: EvaluationPlan) -> tuple[list[SliceQuality], LabelCounts]:
    """The metrics of every slice, and what became of the truths.

    Needs:   a plan with windows.
    Jobs:    two: one over the predictions and their truths, one over the keys of both; for two classes one more, which
             lists the slices. No row comes to the driver.
    """
    publications = load_publications(plan)
    labels, by = match_labels(plan, load_labels(plan), publications)
    settled = settle_labels(plan, labels, by)
    found = list(_MEASURES[plan.problem](plan, join_truths(plan, settled, by)))
    return found, count_truths(plan, settled, publications, by)
