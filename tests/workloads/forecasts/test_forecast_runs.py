"""Whole jobs over series: steps with intervals are published, a view has a row per step; one model or many."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake
from pyspark.sql import SparkSession

from sparkscore import Settings, log_forecaster, register_tables, score
from sparkscore.demo.flight_forecasts import HORIZON, count_departures
from sparkscore.demo.flights import load_tables
from tests import world
from tests.warm_daemon import MORE
from tests.world import UNWATCHED

pytest.importorskip("statsmodels", reason="the extra forecasts is not installed")
ROOT = Path(__file__).resolve().parents[3]
DAYS = np.arange(70)
HISTORIES = {
    name: (100 + 10 * place + 20 * np.sin(DAYS * 2 * np.pi / 7) + np.random.default_rng(place).normal(size=70)).tolist()
    for place, name in enumerate(("a", "b", "c"))
}
FORM: dict[str, Any] = {"horizon": 5, "season": 7}


@pytest.fixture(scope="module", autouse=True)
def workers_with_mlflow(spark: SparkSession) -> Iterator[None]:
    """MLflow's own function needs it in any worker."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(spark.sparkContext.environment, MORE, "mlflow.pyfunc")
        yield


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A registry with one model of all series, and one of each."""
    folder = tmp_path_factory.mktemp("series")
    with world.tracking(f"sqlite:///{folder}/mlflow.db"):
        mlflow.create_experiment("series", artifact_location=(folder / "artifacts").as_uri())
        mlflow.set_experiment("series")
        log_forecaster("model", HISTORIES, registered_model_name="all", **FORM)
        for name, history in HISTORIES.items():
            log_forecaster("model", {name: history}, registered_model_name=f"of-{name}", shared=False, **FORM)
    return f"sqlite:///{folder}/mlflow.db"


def run(spark: SparkSession, home: Path, registry: str, **model: Any) -> tuple[Settings, Any]:
    if not (home / "series").exists():
        rows = {
            "series": [*HISTORIES, "none"],
            "history": pa.array([*HISTORIES.values(), None], pa.list_(pa.float64())),
        }
        write_deltalake(str(home / "series"), pa.table(rows))
    settings: dict[str, Any] = {
        "job": "series",
        "home": str(home),
        "source": {"table": str(home / "series"), "keys": ["series"]},
        "model": {"tracking_uri": registry, **model},
        "output": {
            "table": "ahead",
            "columns": [{"name": "forecast", "of": "prediction"}],
            "explode": {"forecast": "ahead_steps"},
        },
        **UNWATCHED,
    }
    settings["scoring"] = {**UNWATCHED["scoring"], "max_reject_ratio": 0.5}
    made = Settings(**settings)
    return made, score(spark, made, as_of="2026-01-31")


def read_steps(home: Path) -> dict[str, Any]:
    rows = DeltaTable(str(home / "tables" / "ahead")).to_pyarrow_table().to_pylist()
    return {row["series"]: row["prediction"] for row in rows}


def test_one_model_forecasts_all_series_and_a_view_has_a_row_per_series_step_and_as_of(
    spark: SparkSession, registry: str, tmp_path: Path
) -> None:
    settings, report = run(spark, tmp_path, registry, uri="models:/all/1")
    assert (report.status, report.rows_scored, report.rows_rejected) == ("published", 3, 1)
    assert (report.model_counts or {})["forecast_series"] == 3
    register_tables(spark, settings)
    rows = spark.sql("SELECT series, step, forecast, lower, upper, as_of FROM ahead_steps").collect()
    assert sorted((row["series"], row["step"]) for row in rows) == [
        (name, step) for name in "abc" for step in range(1, 6)
    ]
    assert all(row["lower"] < row["forecast"] < row["upper"] for row in rows)


@pytest.mark.slow
def test_one_model_per_series_forecasts_what_the_one_of_all_does(
    spark: SparkSession, registry: str, tmp_path: Path
) -> None:
    rows = {"series": list(HISTORIES), "history": pa.array(list(HISTORIES.values()), pa.list_(pa.float64()))}
    for home in ("one", "each"):
        write_deltalake(str(tmp_path / home / "series"), pa.table(rows))
    run(spark, tmp_path / "one", registry, uri="models:/all/1")
    _, report = run(spark, tmp_path / "each", registry, uri="models:/of-{series}/1", by=["series"])
    assert report.rows_scored == 3
    assert read_steps(tmp_path / "each") == read_steps(tmp_path / "one")


@pytest.mark.slow
def test_the_example_runs_through_spark_submit_and_is_nearer_than_last_weeks_values(tmp_path: Path) -> None:
    home = tmp_path / "home"
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("SPARKSCORE_", "PYSPARK_"))}
    environ |= {"SPARKSCORE_HOME": str(home), "SPARKSCORE_PYTHON": sys.executable}
    told = [sys.executable, "-m", "sparkscore.demo.flight_forecasts", "--home", str(home)]
    subprocess.run(told, check=True, env=environ, cwd=ROOT, timeout=300)
    words = ["--config", "conf/examples/forecasts.yaml", "--home", str(home), "--as-of", "2013-11-30"]
    done = subprocess.run(
        ["./spark-submit.sh", "jobs/score.py", *words],
        cwd=ROOT,
        env=environ,
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    result: Mapping[str, Any] = json.loads(done.stdout)
    departures = count_departures(load_tables().flights)
    assert (result["status"], result["rows_scored"]) == ("published", departures.shape[1])
    table = DeltaTable(str(home / "tables" / "departures_forecast")).to_pyarrow_table().to_pylist()
    errors, naive = list[float](), list[float]()
    for row in table:
        comes = departures[row["series"]].to_numpy()[-HORIZON:]
        known = departures[row["series"]].to_numpy()[:-HORIZON]
        errors.append(float(np.abs([step["forecast"] for step in row["forecast"]] - comes).mean()))
        naive.append(float(np.abs(np.resize(known[-7:], HORIZON) - comes).mean()))
    assert np.mean(errors) < np.mean(naive)
