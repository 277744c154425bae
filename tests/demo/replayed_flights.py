"""The flights of 2013 as they came: a table with a version for each day, and jobs that follow it day by day."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
from deltalake import DeltaTable, write_deltalake
from mlflow import MlflowClient
from pyspark.sql import SparkSession
from sklearn.pipeline import Pipeline

from sparkscore import Settings
from sparkscore.demo.recipe import INPUTS, LATE_MINUTES, delay_pipeline, flight_inputs, late_labels, with_outcome
from sparkscore.demo.registry import MODEL_NAME, Candidate, register_candidate
from tests.world import UNWATCHED

TRUTH_AFTER = timedelta(days=7)
"""So long after a flight its delay is known."""
_CORRECTED = 7
"""On the first of a month every so-manyth flight of the month before gets another temperature."""


@dataclass(frozen=True)
class Replay:
    """A home folder with a year, or some days of it: flights as they came, when each was late, three models."""

    spark: SparkSession
    home: Path
    flights: pd.DataFrame
    """All of them, as they came first; `date` is the day of each."""
    models: Sequence[Pipeline]
    """By version: the first is the champion."""

    @property
    def days(self) -> list[date]:
        """Each day with flights."""
        return sorted(set(self.flights["date"]))

    @property
    def registry_uri(self) -> str:
        """The models' registry."""
        return f"sqlite:///{self.home}/mlflow.db"

    def path(self, table: str) -> str:
        """Where a plain name's table lies."""
        return str(self.home / "tables" / table)

    def settings(self, table: str, **groups: Any) -> Settings:
        """A job of its own over the flights, with a table of this name."""
        values: dict[str, Any] = {
            "job": table,
            "home": str(self.home),
            "source": {"table": "flights", "keys": ["flight_id"], "passthrough": ["carrier", "month"]},
            "model": {"uri": f"models:/{MODEL_NAME}/1", "tracking_uri": self.registry_uri},
            "output": {"table": table, "threshold": 0.34},
            **UNWATCHED,
        }
        for name, value in groups.items():
            values[name] = {**values.get(name, {}), **value} if isinstance(value, dict) else value
        return Settings(**values)

    def rows(self, table: str, *columns: str) -> pd.DataFrame:
        """What a table holds, as a reader without Spark sees it."""
        read: pd.DataFrame = DeltaTable(self.path(table)).to_pyarrow_table(columns=list(columns) or None).to_pandas()
        return read

    def latest(self, table: str) -> pd.Series:
        """The prediction of each key, of its greatest as_of."""
        rows = self.rows(table, "flight_id", "as_of", "prediction").sort_values("as_of")
        return rows.drop_duplicates("flight_id", keep="last").set_index("flight_id")["prediction"].sort_index()

    def source_now(self) -> pd.DataFrame:
        """The flights as they are after all corrections."""
        return self.rows("flights").sort_values("flight_id")

    def oracle(self, rows: pd.DataFrame, *, version: int = 1) -> npt.NDArray[np.float64]:
        """What a model predicts for rows, computed without Spark."""
        return np.asarray(self.models[version - 1].predict_proba(flight_inputs(rows))[:, 1])


def replay_flights(spark: SparkSession, home: Path, flights: pd.DataFrame, days: Sequence[date]) -> Replay:
    """A replay of these days: the tables and the models are there, and nothing is scored.

    Needs:   flights as `demo.flights.load_tables` gives them, or a sample of them.
    """
    dates = pd.to_datetime(flights[["year", "month", "day"]].astype("int64")).dt.date
    dated = flights.assign(date=dates)
    replay = Replay(spark, home, dated[dated["date"].isin(set(days))], _train_models(dated))
    (home / "tables").mkdir(parents=True)
    _write_flights(replay)
    _write_truths(replay)
    _register_models(replay)
    return replay


def _write_flights(replay: Replay) -> None:
    """A version for the flights of each day, at its midnight; on the first of a month one more, with corrections."""
    where, columns = replay.path("flights"), ["flight_id", *INPUTS, "month"]
    # whoever writes a checkpoint removes what is older than 30 days of the log: here all of it
    properties = {"delta.enableChangeDataFeed": "true", "delta.enableExpiredLogCleanup": "false"}
    for day in replay.days:
        rows = replay.flights[replay.flights["date"] == day]
        table = pa.Table.from_pandas(rows[columns], preserve_index=False).replace_schema_metadata()
        write_deltalake(where, table, mode="append", configuration=properties)
        before = day.replace(day=1) - timedelta(days=1)
        if day.day == 1 and before in set(replay.days):
            chosen = f"month = {before.month} AND flight_id % {_CORRECTED} = 0"
            DeltaTable(where).update(predicate=chosen, updates={"temp": "temp + 1"})
        _date_commits(Path(where), day)


def _date_commits(table: Path, day: date) -> None:
    """The commits that were made just now were made at the midnight with which the day begins."""
    midnight = datetime.combine(day, time(), UTC).timestamp()
    for commit in sorted((table / "_delta_log").glob("*.json")):
        if commit.stat().st_mtime > midnight + 86_400:
            os.utime(commit, (midnight, midnight))


def _write_truths(replay: Replay) -> None:
    """Whether each flight was late: known a week later."""
    known = with_outcome(replay.flights)
    happened = pd.to_datetime(known["date"]).dt.tz_localize("UTC")
    truths = pd.DataFrame(
        {
            "flight_id": known["flight_id"],
            "late": (known["arr_delay"] >= LATE_MINUTES).astype("int64"),
            "happened": happened,
            "known_at": happened + TRUTH_AFTER,
        }
    )
    write_deltalake(replay.path("truths"), pa.Table.from_pandas(truths, preserve_index=False).replace_schema_metadata())


def _train_models(flights: pd.DataFrame) -> list[Pipeline]:
    """A champion that has seen January, one that has seen eight months, and one whose truths were turned around."""
    known = with_outcome(flights)
    winter, most = known[known["month"] == 1], known[known["month"] <= 8]
    return [
        delay_pipeline().fit(flight_inputs(winter), late_labels(winter)),
        delay_pipeline().fit(flight_inputs(most), late_labels(most)),
        delay_pipeline().fit(flight_inputs(most), 1 - late_labels(most)),
    ]


def _register_models(replay: Replay) -> None:
    client = MlflowClient(replay.registry_uri, registry_uri=replay.registry_uri)
    for number, model in enumerate(replay.models, 1):
        candidate = Candidate(model, flight_inputs(replay.flights.head(5)), {}, f"model {number}")
        register_candidate(client, candidate, artifact_root=str(replay.home / "artifacts"))
    client.set_registered_model_alias(MODEL_NAME, "champion", "1")
