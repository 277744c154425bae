"""Rows with a known truth: a bounded sample of the rows that both models have predicted, as arrays."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from sparkscore.monitor.comparison.model_gains import BINARY_GAINS, CLASS_GAINS, NUMBER_GAINS, measure_gains
from sparkscore.pipelines.comparison.compared_runs import ComparedRuns
from sparkscore.pipelines.comparison.paired_rows import CHALLENGER_VALUE, CHAMPION_VALUE
from sparkscore.pipelines.evaluation.realised_quality import PredictionTruths, load_prediction_truths
from sparkscore.records import ModelAgreement, ModelGain
from sparkscore.settings import Settings
from sparkscore.spark.error_translation import translate_spark_errors
from sparkscore.spark.identifiers import quote_identifier

MAX_TRUTHS = 200_000
"""Rows that reach the driver, three values each: the difference of two models is known by then. Chosen by a hash of the
key, so that the same rows are chosen again."""
_GAINS: Mapping[str, tuple[str, ...]] = {"binary": BINARY_GAINS, "numbers": NUMBER_GAINS, "classes": CLASS_GAINS}
_PROBABILITY_GAINS = ("log_loss", "brier")
_TRUTH, _ORDER = "_sparkscore_truth", "_sparkscore_order"
Values = npt.NDArray[Any]
SliceKey = tuple[str | None, str | None]


@dataclass(frozen=True, slots=True)
class TruthSample:
    """Rows with a known truth that both models have predicted."""

    known_rows: int
    """Of all of them; the arrays may hold a part."""
    metrics: tuple[str, ...]
    threshold: float | None
    truths: Values
    champion: Values
    challenger: Values
    slices: Mapping[str, Values] = field(default_factory=dict)
    """Of each segment its value in each row."""

    def measure(
        self, metrics: Sequence[str], confidence: float, rows: npt.NDArray[np.bool_] | None = None
    ) -> tuple[ModelGain, ...]:
        """The gains over all rows, or over some."""
        chosen: Any = slice(None) if rows is None else rows
        sides = self.champion[chosen], self.challenger[chosen]
        return measure_gains(metrics, self.truths[chosen], sides, threshold=self.threshold, confidence=confidence)


def load_truth_sample(
    spark: SparkSession, settings: Settings, runs: ComparedRuns, pairs: DataFrame, segments: Sequence[str]
) -> TruthSample | None:
    """None where the config names no labels, and where no metric of two models is for what is predicted.

    Jobs:    one, and one that counts where there are more rows than `MAX_TRUTHS`.
    Raises:  ConfigError for labels that do not fit the predictions, TableNotFound.
    """
    if settings.labels.table is None:
        return None
    truths = load_prediction_truths(spark, settings, runs.as_ofs, now=datetime.now(UTC))
    metrics = _GAINS.get(truths.problem, ())
    if not metrics:
        return None
    known = _join_pair_truths(truths, pairs, settings.output_keys, segments)
    with translate_spark_errors("holding two models against the truth"):
        found = known.orderBy(_ORDER).limit(MAX_TRUTHS).drop(_ORDER).toArrow()
        rows = found.num_rows if found.num_rows < MAX_TRUTHS else known.count()
    return _to_sample(found, rows, truths.problem, metrics, settings, segments)


def measure_sample_gains(
    sample: TruthSample, settings: Settings, segments: Sequence[ModelAgreement]
) -> tuple[tuple[ModelGain, ...], Mapping[SliceKey, ModelGain]]:
    """Every metric over all rows; and the one that decides a promotion, else the first, in each of these segments."""
    confidence, metric = settings.promotion.confidence, settings.promotion.metric
    overall = sample.measure(sample.metrics, confidence)
    decisive = metric if metric in sample.metrics else sample.metrics[0]
    by_slice: dict[SliceKey, ModelGain] = {}
    for one in segments:
        rows = np.asarray(sample.slices[str(one.slice_key)] == one.slice_value, dtype=np.bool_)
        (by_slice[one.slice_key, one.slice_value],) = sample.measure([decisive], confidence, rows)
    return overall, by_slice


def _join_pair_truths(
    truths: PredictionTruths, pairs: DataFrame, keys: Sequence[str], segments: Sequence[str]
) -> DataFrame:
    known = truths.rows.select(*map(quote_identifier, truths.by), F.col("truth").alias(_TRUTH))
    rows = pairs.where(f"{CHAMPION_VALUE} IS NOT NULL AND {CHALLENGER_VALUE} IS NOT NULL")
    joined = rows.join(known, on=list(truths.by), how="inner")
    order = F.xxhash64(*(F.col(quote_identifier(name)) for name in (*keys, "as_of")))
    named = [F.col(quote_identifier(name)).cast("string").alias(f"s{index}") for index, name in enumerate(segments)]
    sides = [F.expr(_value_expression(truths.problem, name)).alias(name) for name in (CHAMPION_VALUE, CHALLENGER_VALUE)]
    chosen = joined.select(*sides, _TRUTH, *named, order.alias(_ORDER))
    return chosen.where(f"{CHAMPION_VALUE} IS NOT NULL AND {CHALLENGER_VALUE} IS NOT NULL")


def _value_expression(problem: str, name: str) -> str:
    if problem == "classes":
        return f"CAST({name} AS STRING)"
    number = f"CAST({name} AS DOUBLE)"
    return f"CASE WHEN abs({number}) < CAST('Infinity' AS DOUBLE) THEN {number} END"


def _to_sample(
    found: pa.Table,
    rows: int,
    problem: str,
    metrics: tuple[str, ...],
    settings: Settings,
    segments: Sequence[str],
) -> TruthSample:
    truths, champion, challenger = (
        found[name].to_numpy(zero_copy_only=False) for name in (_TRUTH, CHAMPION_VALUE, CHALLENGER_VALUE)
    )
    slices = {name: found[f"s{index}"].to_numpy(zero_copy_only=False) for index, name in enumerate(segments)}
    if problem != "binary":
        return TruthSample(rows, metrics, None, truths, champion, challenger, slices)
    own = settings.performance.threshold
    threshold = settings.output.threshold if own is None else own
    is_probability = all(((side >= 0) & (side <= 1)).all() for side in (champion, challenger))
    kept = [one for one in metrics if is_probability or one not in _PROBABILITY_GAINS]
    kept = [one for one in kept if threshold is not None or one != "accuracy"]
    return TruthSample(rows, tuple(kept), threshold, truths.astype(np.bool_), champion, challenger, slices)
