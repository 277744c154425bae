"""Two models whose code has the same names, in one query."""

from pathlib import Path

from pyspark.sql import SparkSession

from sparkscore.scoring.score_udf import score_udf
from tests.model.coded import offset, put_coded
from tests.model.shelf import Shelf


def test_models_with_modules_of_the_same_names_in_one_query_each_run_their_own(
    spark: SparkSession, shelf: Shelf, tmp_path: Path
) -> None:
    uris = [put_coded(shelf, tmp_path, version, name="coded-udf") for version in (1, 2)]
    first, second = (score_udf(spark, uri, tracking_uri=shelf.uri) for uri in uris)
    frame = spark.createDataFrame([(0.25,)], "x1 double").coalesce(1)
    # one task, and one worker after the other: Spark gives the second function the worker that the first has left
    one_by_one = frame.select(first().alias("p")).union(frame.select(second().alias("p"))).coalesce(1)
    assert [row["p"] for row in one_by_one.collect()] == [offset(1) + 0.25, offset(2) + 0.25]
    beside = frame.select(first().alias("a"), second().alias("b"), (first() - second()).alias("c"))
    assert beside.collect() == [(offset(1) + 0.25, offset(2) + 0.25, offset(1) - offset(2))]
