"""A job of sixty rows for schedulers to run, and what its tables say: by the Python of the suite, never a scheduler's.

small_job.py make FOLDER        a source, a registered model, suites and job.yaml, which is the home folder too
small_job.py show FOLDER        one line of JSON: rows and runs of each as_of, and the run events

While FOLDER/hold exists the model waits, and says so by FOLDER/reached: a run that something can happen to. While
FOLDER/exports is a file the export fails, which is exit code 75.
"""

import json
import os
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd
import pyarrow as pa
from deltalake import DeltaTable, write_deltalake
from mlflow.models import infer_signature
from mlflow.pyfunc import PythonModel

ROWS = 60
JOB = """\
job: late-flights
home: {home}
source: {{table: flights, keys: [id], passthrough: [carrier]}}
model: {{uri: "models:/late@champion", tracking_uri: "sqlite:///{home}/mlflow.db"}}
output:
  table: predictions
  threshold: 0.5
  exports: [{{name: files, format: csv, path: "{home}/exports/late"}}]
gate: {{input: flights.json, output: predictions.json}}
sla: {{every_hours: 24, published_within_hours: 48}}
profile: {{rows: none}}
monitor: {{report: false, mlflow: false}}
scoring: {{repeat_rows: 0}}
"""


class WaitingModel(PythonModel):
    """A logistic function of two columns that waits as long as somebody wants."""

    def __init__(self, folder: str) -> None:
        self.folder = folder

    def predict(self, context: object, model_input: pd.DataFrame) -> Any:
        """One number between 0 and 1 for each row."""
        hold = Path(self.folder, "hold")
        if hold.exists():
            Path(self.folder, "reached").touch()
            until = time.monotonic() + 300
            while hold.exists() and time.monotonic() < until:
                time.sleep(0.05)
        return 1 / (1 + np.exp(model_input["x2"].to_numpy() - model_input["x1"].to_numpy()))


def suite(column: str, low: float, high: float) -> str:
    """A suite with one critical rule: the column lies between two numbers."""
    rule = {
        "type": "expect_column_values_to_be_between",
        "kwargs": {"column": column, "min_value": low, "max_value": high},
        "severity": "critical",
    }
    return json.dumps({"name": column, "expectations": [rule], "meta": {}})


def make_job(folder: Path) -> None:
    """Everything that the job needs, in an empty folder."""
    ids = np.arange(ROWS)
    carriers = np.where(ids % 2 == 0, "AA", "UA").tolist()
    rows = pa.table({"id": ids, "carrier": carriers, "x1": np.sin(ids * 1.0), "x2": np.cos(ids * 1.7)})
    write_deltalake(folder / "tables" / "flights", rows)
    mlflow.set_tracking_uri(f"sqlite:///{folder}/mlflow.db")
    mlflow.create_experiment("flights", artifact_location=str(folder / "artifacts"))
    mlflow.set_experiment("flights")
    inputs = rows.select(["x1", "x2"]).to_pandas()
    model = WaitingModel(str(folder))
    mlflow.pyfunc.log_model(
        name="late",
        python_model=model,
        signature=infer_signature(inputs, model.predict(None, inputs)),
        registered_model_name="late",
        pip_requirements=[],
    )
    mlflow.MlflowClient().set_registered_model_alias("late", "champion", "1")
    (folder / "flights.json").write_text(suite("x1", -1, 1))
    (folder / "impossible.json").write_text(suite("x1", 5, 6))
    (folder / "predictions.json").write_text(suite("prediction", 0, 1))
    (folder / "job.yaml").write_text(JOB.format(home=folder))


def count_commits(log: Path) -> dict[str, int]:
    """How many commits of the prediction table have published each as_of, by the transactions in them."""
    actions = (json.loads(line) for file in log.glob("*.json") for line in file.read_text().splitlines())
    names = (action["txn"]["appId"] for action in actions if "txn" in action)
    return Counter(name.rpartition("/")[2][:10] for name in names)


def has_commits(table: Path) -> bool:
    """Whether it is a table by now: a run that makes it makes its folders first."""
    return any((table / "_delta_log").glob("*.json"))


def show_tables(folder: Path) -> dict[str, Any]:
    """Rows, different keys, runs and commits of each as_of; as_of and name of each run event."""
    shown: dict[str, Any] = {"as_ofs": {}, "events": []}
    if has_commits(folder / "tables" / "predictions"):
        frame = DeltaTable(folder / "tables" / "predictions").to_pandas()
        for as_of, part in frame.groupby(frame["as_of"].dt.strftime("%Y-%m-%d")):
            shown["as_ofs"][as_of] = {
                "rows": len(part),
                "keys": int(part["id"].nunique()),
                "runs": int(part["run_id"].nunique()),
            }
    if has_commits(folder / "tables" / "predictions_runs"):
        events = DeltaTable(folder / "tables" / "predictions_runs").to_pandas().sort_values("at")
        for as_of, event in zip(events["as_of"].dt.strftime("%Y-%m-%d"), events["event"], strict=True):
            shown["events"].append([as_of, event])
    for as_of, commits in count_commits(folder / "tables" / "predictions" / "_delta_log").items():
        shown["as_ofs"].setdefault(as_of, {})["publications"] = commits
    return shown


if __name__ == "__main__":
    os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
    command, place = sys.argv[1], Path(sys.argv[2]).resolve()
    if command == "make":
        make_job(place)
    else:
        sys.stdout.write(json.dumps(show_tables(place)) + "\n")
