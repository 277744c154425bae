"""A few days of flights, as they came: increments, a stream and one whole run say the same of each flight."""

from datetime import date, timedelta

import numpy as np
import pandas as pd
import pytest
from pyspark.sql import SparkSession

from sparkscore import backfill, score
from sparkscore.pipelines.stream import stream
from tests.demo.replayed_flights import Replay, replay_flights

DAYS = [date(2013, 1, 29) + timedelta(days=number) for number in range(5)]
"""With the first of a month, on which flights of the month before are corrected."""


@pytest.fixture(scope="module")
def replay(spark: SparkSession, sample: pd.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> Replay:
    return replay_flights(spark, tmp_path_factory.mktemp("days") / "home", sample, DAYS)


def test_increments_and_a_stream_over_the_same_days_equal_one_whole_run(replay: Replay) -> None:
    daily = replay.settings("daily", source={"read": "changes"})
    report = backfill(
        replay.spark, daily, first=DAYS[0], last=DAYS[-1], source="as_it_was", model="as_it_is", parallel=1
    )
    assert report.counts == {"published": 5}
    streamed = stream(replay.spark, replay.settings("streamed", stream={"on_update": "changes"}))
    score(replay.spark, replay.settings("whole"), as_of=DAYS[-1].isoformat())
    corrected = report.rows_scored - len(replay.flights)
    assert corrected > 0
    assert streamed.rows_scored >= len(replay.flights)
    oracle = replay.oracle(replay.source_now())
    for table in ("whole", "daily", "streamed"):
        found = replay.latest(table)
        assert found.index.tolist() == sorted(replay.flights["flight_id"])
        np.testing.assert_allclose(found, oracle, rtol=0, atol=1e-12)
