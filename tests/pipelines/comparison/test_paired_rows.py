"""What Spark sums of pairs of predictions, for each kind of prediction."""

import math
from typing import Any

import numpy as np
import pytest
from pyspark.sql import SparkSession

from sparkscore.monitor.comparison.prediction_cells import read_cells
from sparkscore.pipelines.comparison.paired_rows import describe_cells, sum_cells
from sparkscore.records import ComparedPredictions

COLUMNS = "shop string, p string, _sparkscore_p {kind}, _sparkscore_q {kind}"


def compared(
    spark: SparkSession, kind: str, pairs: list[tuple[Any, Any]], *, segments: tuple[str, ...] = ()
) -> ComparedPredictions:
    """Rows whose shop is a or b in turn; `p` is a column of the source that is called as a sum is."""
    rows = [("ab"[number % 2], "x", *pair) for number, pair in enumerate(pairs)]
    frame = spark.createDataFrame(rows, COLUMNS.format(kind=kind))
    layout = describe_cells(frame)
    return read_cells(sum_cells(frame, layout, segments), layout)


def test_numbers_of_any_size_keep_their_sums_and_nearly_their_ranks(spark: SparkSession) -> None:
    random = np.random.default_rng(3)
    champion = np.concatenate([random.lognormal(0, 6, 300), -random.lognormal(0, 6, 100), [0.0]])
    challenger = champion * random.normal(1, 0.1, 401)
    pairs = list(zip(champion.tolist(), challenger.tolist(), strict=True))
    found = compared(spark, "double", [*pairs, (math.nan, 1.0), (None, 1.0), (math.inf, 2.0)], segments=("shop", "p"))
    whole = found.agreements[0]
    assert whole.rows == 404
    assert whole.champion_mean == pytest.approx(champion.mean())
    assert whole.mean_absolute_difference == pytest.approx(np.abs(champion - challenger).mean())
    assert whole.correlation == pytest.approx(np.corrcoef(champion, challenger)[0, 1])
    assert whole.flips_up is None
    profile = found.champion[0]
    assert (profile.nulls, sum(profile.weights)) == (3, 401)
    assert (profile.min, profile.max) == (champion.min(), champion.max())
    below = np.searchsorted(np.sort(champion), profile.points, side="right") / 401
    assert np.abs(np.cumsum(profile.weights) / 401 - below).max() < 0.03
    assert [(one.slice_key, one.slice_value, one.rows) for one in found.agreements[1:]] == [
        ("p", "x", 404),
        ("shop", "a", 202),
        ("shop", "b", 202),
    ]


def test_classes_and_lists_are_equal_or_not(spark: SparkSession) -> None:
    words = compared(spark, "string", [("a", "a"), ("a", "b"), (None, None), (None, "b")])
    assert words.agreements[0].equal_share == pytest.approx(2 / 4)
    assert words.champion[0].top == (("a", 2),)
    lists = compared(spark, "array<double>", [([0.1, 0.9], [0.1, 0.9]), ([0.1, 0.9], [0.2, 0.8])])
    assert lists.agreements[0].equal_share == pytest.approx(1 / 2)
    assert lists.champion[0].top == ()
    whole = compared(spark, "int", [(1, 1), (2, 3), (3, 3)])
    assert (whole.agreements[0].equal_share, whole.agreements[0].max_absolute_difference) == pytest.approx((2 / 3, 1.0))
