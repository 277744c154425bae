"""The quickstart's suites: true of October to December, and every rule able to fail."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyspark.sql import DataFrame, SparkSession

from sparkscore.demo import contracts
from sparkscore.demo.flights import FlightTables, arrow_table
from sparkscore.demo.recipe import LAST_TRAINING_MONTH, flight_inputs
from sparkscore.demo.registry import Candidate
from sparkscore.gate.suite_loading import load_suite
from sparkscore.gate.suites import Suite
from sparkscore.gate.verdicts import judge_suite
from sparkscore.records import Verdict

SUITES = Path(__file__).parents[2] / "conf" / "expectations"


@pytest.fixture(scope="module")
def quarter(frames: FlightTables) -> pd.DataFrame:
    return frames.flights[frames.flights["month"] > LAST_TRAINING_MONTH]


@pytest.fixture(scope="module")
def probabilities(quarter: pd.DataFrame, candidate: Candidate) -> list[float]:
    found: list[float] = candidate.model.predict_proba(flight_inputs(quarter))[:, 1].tolist()
    return found


@pytest.fixture(scope="module")
def flights_suite() -> Suite:
    return load_suite(str(SUITES / "flights.json"))


@pytest.fixture(scope="module")
def predictions_suite() -> Suite:
    return load_suite(str(SUITES / "predictions.json"))


def staged(
    spark: SparkSession, keys: Sequence[int | None], predictions: Sequence[float | None], labels: Sequence[int | None]
) -> DataFrame:
    """Predictions as they lie in the stage, with a carrier where there is a label."""
    carriers = pa.array([None if label is None else "UA" for label in labels], pa.string())
    columns = {"flight_id": pa.array(keys, pa.int64()), "prediction": pa.array(predictions, pa.float64())}
    return spark.createDataFrame(pa.table({**columns, "label": pa.array(labels, pa.int32()), "carrier": carriers}))


def broken(verdict: Verdict) -> list[str]:
    return [rule.rule for rule in verdict.rules if not rule.passed]


def all_of(suite: Suite) -> list[str]:
    return [expectation.rule for expectation in suite.expectations]


def test_the_flights_of_the_quarter_meet_every_rule(
    spark: SparkSession, quarter: pd.DataFrame, flights_suite: Suite, tmp_path: Path
) -> None:
    # From a file, of which each of the many Spark jobs reads only its columns.
    pq.write_table(arrow_table(quarter, contracts.FLIGHTS), tmp_path / "flights.parquet")
    frame = spark.read.parquet(str(tmp_path))
    assert broken(judge_suite(frame, flights_suite, gate="input")) == []


def test_every_rule_over_the_flights_can_fail(spark: SparkSession, quarter: pd.DataFrame, flights_suite: Suite) -> None:
    rows = quarter.head(40)
    bad: dict[str, Any] = {"flight_id": 1, "flight": 1, "time_hour": rows["time_hour"].iloc[0]}
    bad |= {"origin": "BOS", "dest": "Boston", "hour": 24, "day_of_week": 0, "distance": 9000}
    bad |= {"dewp": 20.0, "wind_speed": 1048.0, "temp": [-40.0, None] * 20, "pressure": [1.0, None] * 20}
    bad |= {"carrier": ["??"] * 20 + [None] * 20}
    frame = spark.createDataFrame(arrow_table(rows.assign(**bad), contracts.FLIGHTS))
    assert broken(judge_suite(frame, flights_suite, gate="input")) == all_of(flights_suite)


def test_the_predictions_of_the_quarter_meet_every_rule(
    spark: SparkSession, quarter: pd.DataFrame, probabilities: list[float], predictions_suite: Suite
) -> None:
    labels = [int(probability >= 0.34) for probability in probabilities]
    frame = staged(spark, quarter["flight_id"].tolist(), probabilities, labels)
    assert broken(judge_suite(frame, predictions_suite, gate="output")) == []


def test_every_rule_over_the_predictions_can_fail(spark: SparkSession, predictions_suite: Suite) -> None:
    frame = staged(spark, [None, 1, 1, 2], [None, 1.5, 1.5, 1.5], [None, 2, 2, 2])
    assert broken(judge_suite(frame, predictions_suite, gate="output")) == all_of(predictions_suite)


def test_one_prediction_that_is_nan_breaks_the_range(
    spark: SparkSession, quarter: pd.DataFrame, probabilities: list[float], predictions_suite: Suite
) -> None:
    frame = staged(spark, quarter["flight_id"].tolist(), [float("nan"), *probabilities[1:]], [0] * len(quarter))
    found = broken(judge_suite(frame, predictions_suite, gate="output"))
    assert "expect_column_values_to_be_between(prediction)" in found
