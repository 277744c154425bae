"""Jobs that profile: where their states are large, tasks merge them, and the profiles are the same."""

import numpy as np
import pyarrow as pa
import pytest
from pyspark.sql import DataFrame, SparkSession

from sparkscore.monitor import profile_jobs
from sparkscore.monitor.column_profiles import read_summaries
from sparkscore.monitor.profile_jobs import count_merge_tasks, profile_rows
from sparkscore.monitor.profile_state import ProfileRequest

REQUEST = ProfileRequest(("x", "word"), ("carrier",))


@pytest.fixture(scope="module")
def frame(spark: SparkSession) -> DataFrame:
    ids = np.arange(1_200)
    columns = {"x": ids % 40 * 1.5, "word": [f"w{at % 7}" for at in ids], "carrier": [f"c{at % 30}" for at in ids]}
    return spark.createDataFrame(pa.table(columns)).repartitionByRange(4, "x")


def test_states_that_tasks_merge_give_the_profiles_that_the_driver_merges(
    frame: DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert count_merge_tasks(REQUEST, 4) == 0
    on_driver = read_summaries(profile_rows(frame, REQUEST))
    monkeypatch.setattr(profile_jobs, "_MAX_DRIVER_BYTES", 1 << 20)
    assert count_merge_tasks(REQUEST, 4) > 1
    state = profile_rows(frame, REQUEST)
    assert read_summaries(state) == on_driver
    assert profile_rows(frame, REQUEST) == state
    assert on_driver["x", (None, None)].count == 1_200
    assert {slice_ for _, slice_ in on_driver if slice_[0]} == {("carrier", f"c{at}") for at in range(30)}


def test_states_of_many_slots_are_merged_by_tasks() -> None:
    wide = ProfileRequest(tuple(f"c{at}" for at in range(20)), ("a", "b"))
    assert count_merge_tasks(wide, 128) > 8
    assert count_merge_tasks(wide, 10_000) == 64
    assert count_merge_tasks(ProfileRequest(("x",)), 128) == 0
