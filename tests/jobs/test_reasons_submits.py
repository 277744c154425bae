"""Reasons, queues and feature tables as their users run them: real spark-submits, on the quickstart's flights."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from deltalake import DeltaTable

from tests.jobs.test_submits import AUTUMN, Submitted, submit

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = tmp_path_factory.mktemp("reasons") / "home"
    done = submit(found, "jobs/quickstart.py")
    assert done.code == 0, done.stderr
    return found


def score_example(home: Path, name: str, as_of: str, *flags: str) -> Submitted:
    done = submit(home, "jobs/score.py", "--config", f"conf/examples/{name}.yaml", "--as-of", as_of, *flags)
    assert done.code == 0, done.stderr
    return done


def table(home: Path, name: str) -> pd.DataFrame:
    found: pd.DataFrame = DeltaTable(str(home / "tables" / name)).to_pyarrow_table().to_pandas()
    return found


def test_each_flight_has_the_reasons_of_its_prediction_and_a_hundred_are_queued(home: Path) -> None:
    done = score_example(home, "reasons", "2013-12-31")
    assert (done.result["status"], done.result["rows_scored"]) == ("published", AUTUMN)
    counts = done.result["model_counts"]
    print("explaining / predicting:", counts["explain_seconds"] / counts["predict_seconds"])  # noqa: T201
    rows, plain = table(home, "flight_delay_reasons"), table(home, "flight_delay_predictions")
    same = rows.merge(plain, on="flight_id", suffixes=("", "_plain"))
    np.testing.assert_allclose(same["late"], same["prediction_plain"], rtol=0, atol=1e-12)
    np.testing.assert_allclose(1 / (1 + np.exp(-rows["raw_score"])), rows["late"], rtol=0, atol=1e-9)
    assert {len(reasons) for reasons in rows["reasons"]} == {3}
    limits = np.where(rows["origin"] == "EWR", 0.4, 0.34)
    assert (rows["to_review"] == (rows["late"] >= limits)).all()
    loss = (rows["late"] * rows["distance"]).sort_values(ascending=False)
    queue = table(home, "flight_delay_reasons_queue").sort_values("queue_rank")
    np.testing.assert_allclose(queue["expected_loss"], loss.to_numpy()[:100], rtol=0, atol=1e-9)


def test_another_threshold_of_an_airport_publishes_without_a_prediction(home: Path) -> None:
    column = "{name: to_review, of: late, threshold: {default: 0.34, by: origin, values: {EWR: 0.5}}}"
    columns = f"[{{name: late, probability: 1}}, {column}]"
    done = score_example(home, "reasons", "2013-12-31", "--output.columns", columns, "--replace")
    assert (done.result["status"], done.result["model_loads"]) == ("published", 0)
    assert set(table(home, "flight_delay_reasons_queue")["run_id"]) == {done.result["run_id"]}


def test_predictions_are_a_feature_of_another_job_as_of_its_times(home: Path) -> None:
    for day in (1, 3, 2):  # the second day is filled in last
        where = f'[{{column: month, op: "=", value: 10}}, {{column: day, op: "=", value: {day}}}]'
        score_example(home, "feature-tables", f"2013-10-0{day}", "--source.where", where)
    keys = ["carrier", "flight", "origin", "dest", "hour"]
    risk = table(home, "flight_risk").sort_values([*keys, "valid_from"])
    ends = risk.groupby(keys)["valid_from"].shift(-1)
    assert (risk["valid_to"].isna() == ends.isna()).all()
    assert (risk["valid_to"].dropna() == ends.dropna()).all()

    done = score_example(home, "feature-tables-reader", "2013-10-03")
    scored = table(home, "flights_with_risk")
    flights = DeltaTable(str(home / "tables" / "flights")).to_pyarrow_table(columns=["flight_id", *keys]).to_pandas()
    rows = scored.merge(flights, on="flight_id").sort_values("time_hour")
    oracle = pd.merge_asof(
        rows,
        risk.sort_values("valid_from"),
        left_on="time_hour",
        right_on="valid_from",
        by=keys,
        suffixes=("", "_risk"),
    )
    assert done.result["features"][0]["rows_matched"] == int(oracle["valid_from"].notna().sum()) > 500
    pd.testing.assert_series_equal(oracle["risk_before"], oracle["prediction_risk"], check_names=False)
