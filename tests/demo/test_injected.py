"""Real flights with errors put in at known rates: exactly those are rejected, or the run stops."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pyspark.sql import SparkSession

from sparkscore import Settings, score
from sparkscore.demo import flights
from sparkscore.demo.flights import FlightTables
from sparkscore.demo.recipe import LAST_TRAINING_MONTH
from sparkscore.demo.train import train_champion
from sparkscore.errors import GateFailed
from sparkscore.records import TableRef
from sparkscore.store.table import Table

AS_OF = "2013-12-31"
CONF = Path(__file__).parents[2] / "conf"
RULES = ("between(hour)", "in_set(carrier)", "between(distance)")
RATES = {"hour": 0.01, "carrier": 0.02, "distance": 0.005}
WRONG: dict[str, Any] = {"hour": 25, "carrier": "ZZ", "distance": -1.0}


@pytest.fixture(scope="module")
def injected(
    spark: SparkSession, frames: FlightTables, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, dict[int, str]]:
    """A home with the quickstart's tables and model; the flights that were made impossible, and in which column."""
    home = tmp_path_factory.mktemp("injected")
    train_champion(frames.flights, tracking_uri=f"sqlite:///{home}/mlflow.db", artifact_root=f"{home}/mlartifacts")
    table = frames.flights.copy()
    scored = table.index[table["month"] > LAST_TRAINING_MONTH].to_numpy()
    chosen = np.random.default_rng(6).permutation(scored)
    wrong: dict[int, str] = {}
    for column, rate in RATES.items():
        some, chosen = np.split(chosen, [int(rate * len(scored))])
        table[column] = table[column].astype(object).where(~table.index.isin(some), WRONG[column])
        table[column] = table[column].astype(frames.flights[column].dtype)
        wrong |= dict.fromkeys(table.loc[some, "flight_id"].tolist(), column)
    flights.write_tables(spark, str(home), frames=replace(frames, flights=table))
    return home, wrong


def settings(home: Path, *, rejects: bool) -> Settings:
    suite = json.loads((CONF / "expectations" / "flights.json").read_text())
    for rule in suite["expectations"]:
        kind = f"{rule['type'].removeprefix('expect_column_values_to_be_')}({rule['kwargs'].get('column')})"
        if rejects and kind in RULES:
            rule["kwargs"].pop("mostly", None)
            rule["meta"] = {"action": "reject"}
    file = home / f"suite-{rejects}.json"
    file.write_text(json.dumps(suite))
    flags = {"home": str(home), "gate.input": str(file)}
    return Settings.load(CONF / "quickstart.yaml", flags=flags, environ={})


def test_the_run_stops_where_the_rules_only_judge(spark: SparkSession, injected: tuple[Path, dict[int, str]]) -> None:
    with pytest.raises(GateFailed) as caught:
        score(spark, settings(injected[0], rejects=False), as_of=AS_OF)
    assert all(rule in caught.value.found for rule in RULES)
    assert not (injected[0] / "tables" / "flight_delay_predictions" / "_delta_log").exists()


def test_exactly_the_wrong_flights_are_rejected_where_the_rules_reject(
    spark: SparkSession, injected: tuple[Path, dict[int, str]]
) -> None:
    home, wrong = injected
    report = score(spark, settings(home, rejects=True), as_of=AS_OF)
    assert (report.status, report.transport, report.rows_rejected) == ("published", "scan", len(wrong))
    rows = Table(spark, TableRef("r", str(home / "tables" / "flight_delay_predictions_rejects"))).load_rows().collect()
    found = {int(json.loads(row["key"])["flight_id"]): row["code"] for row in rows}
    assert set(found) == set(wrong)
    assert all(code.endswith(f"({wrong[key]})") for key, code in found.items())
