"""The flights of 2013 day by day: increments, a stream, back-fills, late truths, a challenger that wins and one that
must not. One in forty flights of each day, and never fewer days. `docs/over-time.md` tells it."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest
from mlflow import MlflowClient
from pyspark.sql import SparkSession
from sklearn.metrics import log_loss, roc_auc_score

from sparkscore import BackfillReport, RunReport, backfill, evaluate, score
from sparkscore.demo.flights import FlightTables
from sparkscore.demo.registry import MODEL_NAME
from sparkscore.pipelines.compare import compare
from sparkscore.pipelines.stream import stream
from sparkscore.records import EvaluationReport, StreamReport
from sparkscore.settings import Settings
from tests.demo.replayed_flights import TRUTH_AFTER, Replay, replay_flights

pytestmark = pytest.mark.slow
YEAR = [date(2013, 1, 1) + timedelta(days=number) for number in range(365)]
AUTUMN, PROMOTED = date(2013, 9, 1), date(2013, 10, 28)
"""From when on challengers score beside the champion, and the day on which one of them takes its place."""
_TOLERANCE = 1e-12


@pytest.fixture(scope="module")
def replay(spark: SparkSession, frames: FlightTables, tmp_path_factory: pytest.TempPathFactory) -> Replay:
    return replay_flights(spark, tmp_path_factory.mktemp("year") / "home", frames.flights.iloc[::40], YEAR)


@pytest.fixture(scope="module")
def winter(replay: Replay) -> BackfillReport:
    """The increments of half a year, one a day."""
    return score_days(replay, daily_settings(replay), YEAR[0], YEAR[181])


@pytest.fixture(scope="module")
def whole(replay: Replay) -> RunReport:
    """One run over all flights as they are at the end of the year."""
    return score(replay.spark, replay.settings("whole"), as_of=YEAR[-1].isoformat())


def daily_settings(replay: Replay, table: str = "daily", **groups: Any) -> Settings:
    """A job that scores what has changed since the day before."""
    return replay.settings(table, source={"read": "changes", **groups.pop("source", {})}, **groups)


def score_days(replay: Replay, settings: Settings, first: date, last: date) -> BackfillReport:
    """Each day scored with the flights as they were: as a scheduler would have done it day by day."""
    return backfill(replay.spark, settings, first=first, last=last, source="as_it_was", model="as_it_is")


def days_of(table: pd.DataFrame) -> pd.Series:
    """The as_of of each row as a date."""
    days: pd.Series = table["as_of"].dt.tz_convert("UTC").dt.date
    return days


@pytest.fixture(scope="module")
def autumn(replay: Replay) -> Settings:
    return daily_settings(
        replay,
        "autumn",
        source={"on_new_model": "from_now"},
        model={"uri": f"models:/{MODEL_NAME}@champion"},
        challengers=[{"uri": f"models:/{MODEL_NAME}/{version}"} for version in (2, 3)],
        labels={
            "table": "truths",
            "truth": "late",
            "time": "happened",
            "known_at": "known_at",
            "window": "7d",
            "delay": "7d",
        },
        promotion={"metric": "roc_auc", "min_gain": 0.005, "min_rows": 500},
    )


@pytest.fixture(scope="module")
def scored(replay: Replay, autumn: Settings) -> BackfillReport:
    return score_days(replay, autumn, AUTUMN, PROMOTED - timedelta(days=1))


@pytest.fixture(scope="module")
def joined(replay: Replay, scored: BackfillReport) -> pd.DataFrame:
    """What was published of each flight on its day, with the truth of it."""
    assert scored.counts == {"published": 57}
    found = replay.rows("autumn", "flight_id", "as_of", "prediction").assign(date=days_of)
    truths = replay.rows("truths").assign(date=lambda rows: rows["happened"].dt.tz_convert("UTC").dt.date)
    return found.merge(truths[["flight_id", "date", "late"]], on=["flight_id", "date"])


class TestTheYear:
    def test_a_year_of_increments_equals_one_whole_run(
        self, replay: Replay, winter: BackfillReport, whole: RunReport
    ) -> None:
        summer = score_days(replay, daily_settings(replay), YEAR[182], YEAR[-1])
        assert (winter.counts, summer.counts) == ({"published": 182}, {"published": 183})
        assert winter.model_loads + summer.model_loads <= replay.spark.sparkContext.defaultParallelism
        found, rows = replay.rows("daily", "flight_id", "as_of"), replay.source_now()
        assert len(found) == winter.rows_scored + summer.rows_scored > len(replay.flights)
        first = found.sort_values("as_of").drop_duplicates("flight_id").sort_values("flight_id")
        assert days_of(first).tolist() == replay.flights.sort_values("flight_id")["date"].tolist()
        np.testing.assert_array_equal(replay.latest("daily").index, rows["flight_id"])
        np.testing.assert_allclose(replay.latest("daily"), replay.latest("whole"), rtol=0, atol=_TOLERANCE)
        np.testing.assert_allclose(replay.latest("whole"), replay.oracle(rows), rtol=0, atol=_TOLERANCE)
        assert whole.rows_scored == len(rows)

    def test_a_stream_over_the_same_days_equals_both(self, replay: Replay, whole: RunReport) -> None:
        from_first = {"on_update": "changes", "starting_version": 0, "max_files_per_trigger": 7}
        report: StreamReport = stream(replay.spark, replay.settings("streamed", stream=from_first))
        assert (report.status, report.batches > 10) == ("finished", True)
        assert report.model_loads <= replay.spark.sparkContext.defaultParallelism
        np.testing.assert_array_equal(replay.latest("streamed").index, replay.latest("whole").index)
        np.testing.assert_allclose(replay.latest("streamed"), replay.latest("whole"), rtol=0, atol=_TOLERANCE)

    def test_a_backfill_of_a_month_equals_what_was_published_then(self, replay: Replay, winter: BackfillReport) -> None:
        report = score_days(replay, daily_settings(replay, "again"), date(2013, 4, 30), date(2013, 5, 31))
        assert report.counts == {"published": 32}
        columns = ("flight_id", "as_of", "prediction", "model_version", "source_version")
        both = [replay.rows(table, *columns) for table in ("daily", "again")]
        then, now = (
            rows[(days_of(rows) >= date(2013, 5, 1)) & (days_of(rows) <= date(2013, 5, 31))]
            .sort_values(["as_of", "flight_id"])
            .reset_index(drop=True)
            for rows in both
        )
        assert len(then) > 600
        pd.testing.assert_frame_equal(then, now, check_exact=True)
        assert score_days(replay, daily_settings(replay), YEAR[0], YEAR[181]).counts == {"already_published": 182}


class TestTheAutumn:
    """Two challengers beside the champion, the truth a week later, and what becomes of them."""

    def test_the_truth_of_each_day_is_joined_when_it_is_known_a_week_later(
        self, replay: Replay, autumn: Settings, joined: pd.DataFrame
    ) -> None:
        early = datetime(2013, 10, 6, tzinfo=UTC)
        report: EvaluationReport = evaluate(replay.spark, autumn, now=early)
        assert report.exit_code == 0
        known = joined[joined["date"] + TRUTH_AFTER <= early.date()]
        assert 0 < self.windows(replay)["labelled_count"].sum() == len(known) < len(joined)
        later = datetime(2013, 11, 10, tzinfo=UTC)
        evaluate(replay.spark, autumn, now=later)
        windows = self.windows(replay)
        assert windows["labelled_count"].sum() == len(joined)
        week = joined["date"].map(lambda day: day - timedelta(days=day.weekday()))
        for start, rows in joined.groupby(week):
            (found,) = windows[windows["start"] == start].to_dict("records")
            assert found["roc_auc_score"] == pytest.approx(roc_auc_score(rows["late"], rows["prediction"]), abs=1e-12)
            assert found["log_loss"] == pytest.approx(log_loss(rows["late"], rows["prediction"]), abs=1e-9)
        assert evaluate(replay.spark, autumn, now=later).status == "nothing_new"

    def test_a_challenger_that_has_learned_the_opposite_is_not_promoted_and_a_better_one_is(
        self, replay: Replay, autumn: Settings, joined: pd.DataFrame
    ) -> None:
        first, last = AUTUMN.isoformat(), (PROMOTED - timedelta(days=1)).isoformat()
        client = MlflowClient(replay.registry_uri, registry_uri=replay.registry_uri)

        def champion() -> str:
            return str(client.get_model_version_by_alias(MODEL_NAME, "champion").version)

        worse = compare(replay.spark, autumn, first=first, last=last, challenger="3", promote=True)
        assert (worse.status, worse.exit_code, champion()) == ("not_promoted", 5, "1")
        better = compare(replay.spark, autumn, first=first, last=last, challenger="2", promote=True)
        assert (better.status, better.exit_code, champion()) == ("promoted", 0, "2")
        again = score_days(replay, autumn, PROMOTED, PROMOTED + timedelta(days=2))
        assert {run.model_version for run in again.runs} == {"2"}
        found = replay.rows("autumn", "flight_id", "as_of", "prediction", "model_version")
        after = days_of(found) >= PROMOTED
        assert (set(found[after]["model_version"]), set(found[~after]["model_version"])) == ({"2"}, {"1"})
        flights = replay.flights[replay.flights["date"] == PROMOTED].sort_values("flight_id")
        today = found[days_of(found) == PROMOTED].sort_values("flight_id")
        np.testing.assert_allclose(today["prediction"], replay.oracle(flights, version=2), rtol=0, atol=_TOLERANCE)

    @staticmethod
    def windows(replay: Replay) -> pd.DataFrame:
        rows = replay.rows("autumn_performance")
        rows = rows[rows["slice_key"].isna() & (rows["granularity"] == "7d") & (rows["model_version"] == "1")]
        return rows.assign(start=days_of(rows))
