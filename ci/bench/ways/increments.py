"""A job that scores what has changed: all rows, one of a hundred, and one alone, in turn, in one warm session."""

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

import mlflow
import numpy as np
import pandas as pd
import pyarrow as pa
from deltalake import DeltaTable, write_deltalake
from mlflow.models import infer_signature
from pyspark.sql import SparkSession
from sklearn.linear_model import LogisticRegression

from bench.ways.serve import Answer, Turn, Way, serve
from bench.ways.session import session
from sparkscore import RunReport, Settings, score

FEATURES = tuple(f"x{number}" for number in range(8))
SHARE = 100
"""One row of so many has changed."""
_FILE_ROWS = 500_000
_FIRST_DAY = date(2020, 1, 1)


def start() -> Mapping[str, Way]:
    """One session for all turns."""
    spark = session("bench increments")
    return {"changes": lambda turn: _measure(spark, turn)}


def _measure(spark: SparkSession, turn: Turn) -> Answer:
    parts = measure_turn(spark, turn["options"]["rows"], turn["options"]["change"])
    return {"seconds": parts["increment"], "rows": None, "output": {"kind": "none"}, "parts": parts}


def measure_turn(spark: SparkSession, rows: int, change: str) -> dict[str, float]:
    """Seconds of a full run, of an increment of one of a hundred rows, and of one of a single row."""
    job = _prepare_job(spark, rows, change)
    full = job.run(spark, full=True)
    job.change(max(1, rows // SHARE))
    increment = job.run(spark)
    job.change(1)
    fixed = job.run(spark)
    above = {"full above": full - fixed, "increment above": increment - fixed}
    return {"full": full, "increment": increment, "fixed": fixed, **above}


@dataclass
class _Job:
    settings: Settings
    source: str
    change_kind: str
    rows: int
    days: Iterator[date]

    def change(self, count: int) -> None:
        """Rows are inserted, or some of those that are there get other values."""
        first = self.rows if self.change_kind == "inserts" else int(np.random.default_rng().integers(self.rows - count))
        made = _make_rows(first, count, seed=time.time_ns())
        if self.change_kind == "inserts":
            write_deltalake(self.source, made, mode="append")
            self.rows += count
            return
        merge = DeltaTable(self.source).merge(made, "t.id = s.id", source_alias="s", target_alias="t")
        merge.when_matched_update_all().execute()

    def run(self, spark: SparkSession, *, full: bool = False) -> float:
        """Seconds of one run, under a new as_of."""
        started = time.monotonic()
        report = score(spark, self.settings, as_of=next(self.days).isoformat(), full=full)
        _require_published(report, full=full)
        return time.monotonic() - started


def _require_published(report: RunReport, *, full: bool) -> None:
    told = report.increment
    if report.status != "published" or told is None or (told.since is None) != full:
        raise RuntimeError(f"the job ended as {report.status}, with {told}")


@cache
def _prepare_job(spark: SparkSession, rows: int, change: str) -> _Job:
    """A home for the process's life, with a first full run."""
    home = mkdtemp(prefix=f"bench-increments-{rows}-{change}-")
    source = str(Path(home, "tables", "source"))
    for first in range(0, rows, _FILE_ROWS):
        feed = {"delta.enableChangeDataFeed": str(change == "updates").lower()} if not first else None
        part = _make_rows(first, min(_FILE_ROWS, rows - first), seed=first)
        write_deltalake(source, part, mode="append", configuration=feed)
    settings = Settings(
        job="increments",
        home=home,
        source={"table": "source", "keys": ["id"], "read": "changes"},
        model={"uri": "models:/linear/1", "tracking_uri": _register_model(home)},
        output={"table": "predictions", "threshold": 0.5},
        monitor={"report": False, "mlflow": False},
    )
    job = _Job(settings, source, change, rows, (_FIRST_DAY + timedelta(days=day) for day in range(10_000)))
    score(spark, settings, as_of=next(job.days).isoformat())
    return job


def _make_rows(first: int, count: int, *, seed: int) -> pa.Table:
    random = np.random.default_rng(seed)
    return pa.table({"id": np.arange(first, first + count), **{name: random.normal(size=count) for name in FEATURES}})


def _register_model(home: str) -> str:
    uri = f"sqlite:///{home}/registry.db"
    mlflow.set_tracking_uri(uri)
    mlflow.create_experiment("increments", artifact_location=str(Path(home, "artifacts")))
    mlflow.set_experiment("increments")
    frame = pd.DataFrame(_make_rows(0, 1_000, seed=0).drop_columns(["id"]).to_pandas())
    model = LogisticRegression().fit(frame, (frame["x0"] > 0).astype(int))
    mlflow.sklearn.log_model(
        model,
        name="linear",
        signature=infer_signature(frame, model.predict_proba(frame)),
        pyfunc_predict_fn="predict_proba",
        registered_model_name="linear",
        pip_requirements=[],
    )
    return uri


if __name__ == "__main__":
    serve(start)
