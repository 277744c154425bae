"""The sums of two classes, by Spark: rows are counted by score, then each slice's scores are walked once in order."""

from collections.abc import Iterator
from typing import Any

import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from sparkscore.monitor.quality.binary_quality import (
    BIN_EDGES,
    SMALLEST_PROBABILITY,
    BinarySums,
    BinSums,
    measure_binary,
)
from sparkscore.pipelines.evaluation.evaluation_plan import EvaluationPlan
from sparkscore.pipelines.evaluation.prediction_frames import GROUP, list_slices
from sparkscore.pipelines.evaluation.slice_quality import SliceKey, SliceQuality, collect_rows, group_key
from sparkscore.spark.active_session import create_frame
from sparkscore.spark.sql_texts import double_literal

_TOTALS = ("rows", "null_predictions", "positives", "negatives")
_SUMS = (
    "above_positives",
    "above_positives_squared",
    "above_negatives",
    "above_negatives_squared",
    "precisions",
    "log_losses",
    "log_losses_squared",
    "squared_errors",
    "squared_errors_squared",
    "outside",
    "true_positives",
    "false_positives",
    "scores",
)


def measure_binary_slices(plan: EvaluationPlan, joined: DataFrame) -> Iterator[SliceQuality]:
    """The metrics of each slice, from exact sums: a slice with many scores is one sort, which spills to disk.

    Slices are numbered first: rows of five columns of text are sorted and sent several times as slowly as numbers.

    Jobs:    two; the first reads no truth.
    """
    slices = collect_rows(list_slices(plan), plan)
    by_score = _count_by_score(_number_slices(joined, slices))
    walked = by_score.selectExpr(
        "slice",
        "score",
        *_TOTALS,
        f"{_running('positives')} - positives AS positives_above",
        f"{_running('negatives')} - negatives AS negatives_above",
    )
    sums = [F.expr(f"sum({expression}) AS {name}") for name, expression in _sum_expressions(plan.threshold).items()]
    totals = [F.expr(f"sum({name}) AS {name}") for name in _TOTALS]
    binned = walked.selectExpr("*", f"{_bin_expression()} AS bin").groupBy("slice", "bin").agg(*totals, *sums)
    found: dict[int, list[dict[str, Any]]] = {}
    for row in collect_rows(binned, plan):
        found.setdefault(row["slice"], []).append(row)
    for number, rows in found.items():
        yield _measure_slice(group_key(slices[number]), rows, has_threshold=plan.threshold is not None)


def _number_slices(joined: DataFrame, slices: list[dict[str, Any]]) -> DataFrame:
    """The rows with `slice`, the number of theirs, in place of `GROUP`. The numbers travel with the tasks."""
    names = [f"of_{name}" for name in GROUP]
    types = [pa.int64(), *(pa.string() for _ in GROUP[1:])]
    columns = {
        name: pa.array([one[column] for one in slices], kind)
        for name, column, kind in zip(names, GROUP, types, strict=True)
    }
    numbers = create_frame(
        joined.sparkSession, pa.table({**columns, "slice": pa.array(range(len(slices)), pa.int32())})
    )
    same = [F.col(name).eqNullSafe(F.col(column)) for name, column in zip(names, GROUP, strict=True)]
    return joined.join(F.broadcast(numbers), same).select("slice", "predicted", "truth")


def _count_by_score(joined: DataFrame) -> DataFrame:
    """Positives and negatives of each score of each slice; all rows without truth or prediction are one row more."""
    usable = "truth IS NOT NULL AND predicted IS NOT NULL"
    return (
        joined.selectExpr("slice", f"CASE WHEN {usable} THEN predicted END AS score", "truth", "predicted")
        .groupBy("slice", "score")
        .agg(
            F.expr("count(1) AS rows"),
            F.expr("count_if(truth IS NOT NULL AND predicted IS NULL) AS null_predictions"),
            F.expr(f"CAST(count_if({usable} AND truth = 1) AS DOUBLE) AS positives"),
            F.expr(f"CAST(count_if({usable} AND truth = 0) AS DOUBLE) AS negatives"),
        )
    )


def _running(name: str) -> str:
    """The sum from the greatest score down to this one."""
    return (
        f"sum({name}) OVER (PARTITION BY slice ORDER BY score DESC NULLS LAST"
        " ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)"
    )


def _sum_expressions(threshold: float | None) -> dict[str, str]:
    """As `sum_binary_scores` has them."""
    above_positive, above_negative = "(negatives_above + negatives / 2)", "(positives_above + positives / 2)"
    eps = double_literal(SMALLEST_PROBABILITY)
    losses = [f"ln(greatest({eps}, least(1 - {eps}, {side})))" for side in ("score", "1 - score")]
    error, square = "(1 - score)", "score * score"
    is_on = "false" if threshold is None else f"score >= {double_literal(threshold)}"
    return {
        "above_positives": f"positives * {above_positive}",
        "above_positives_squared": f"positives * {above_positive} * {above_positive}",
        "above_negatives": f"negatives * {above_negative}",
        "above_negatives_squared": f"negatives * {above_negative} * {above_negative}",
        "precisions": "positives * (positives_above + positives)"
        " / nullif(positives_above + positives + negatives_above + negatives, 0)",
        "log_losses": f"- positives * {losses[0]} - negatives * {losses[1]}",
        "log_losses_squared": f"positives * {losses[0]} * {losses[0]} + negatives * {losses[1]} * {losses[1]}",
        "squared_errors": f"positives * {error} * {error} + negatives * {square}",
        "squared_errors_squared": f"positives * pow({error}, 4) + negatives * pow(score, 4)",
        "outside": "CASE WHEN score < 0 OR score > 1 THEN positives + negatives ELSE 0 END",
        "true_positives": f"CASE WHEN {is_on} THEN positives ELSE 0 END",
        "false_positives": f"CASE WHEN {is_on} THEN negatives ELSE 0 END",
        "scores": "score * (positives + negatives)",
    }


def _bin_expression() -> str:
    """The bin of a score; NULL without one."""
    inner = "".join(f" WHEN score <= {double_literal(edge)} THEN {index}" for index, edge in enumerate(BIN_EDGES[1:-1]))
    return f"CASE WHEN score IS NULL THEN NULL{inner} ELSE {len(BIN_EDGES) - 2} END"


def _measure_slice(key: SliceKey, rows: list[dict[str, Any]], *, has_threshold: bool) -> SliceQuality:
    total = {name: sum(float(row[name] or 0) for row in rows) for name in (*_TOTALS, *_SUMS)}
    bins = {row["bin"]: row for row in rows if row["bin"] is not None}
    sums = BinarySums(
        **{name: total[name] for name in ("positives", "negatives", *_SUMS[:10])},
        true_positives=total["true_positives"] if has_threshold else None,
        false_positives=total["false_positives"] if has_threshold else None,
        bins=tuple(_to_bin(bins.get(index)) for index in range(len(BIN_EDGES) - 1)),
    )
    return SliceQuality(key, int(total["rows"]), int(total["null_predictions"]), measure_binary(sums))


def _to_bin(row: dict[str, Any] | None) -> BinSums:
    return BinSums() if row is None else BinSums(row["positives"] + row["negatives"], row["scores"], row["positives"])
