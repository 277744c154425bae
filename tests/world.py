"""A small world for tests of whole jobs: a source, a registered model, a job's settings. Everything is real."""

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from deltalake import DeltaTable
from mlflow import MlflowClient
from mlflow.models import infer_signature
from pyspark.sql import DataFrame, SparkSession
from sklearn.linear_model import LogisticRegression

from sparkscore import score
from sparkscore.records import RunReport, TableRef
from sparkscore.settings import Settings
from sparkscore.store.table import Table
from tests.layers import Trail
from tests.workers import expect_model

MODEL = "late"
AS_OF = "2013-12-31"
UNWATCHED: dict[str, Any] = {
    "profile": {"rows": "none"},
    "monitor": {"report": False, "mlflow": False},
    "scoring": {"repeat_rows": 0},
}
"""Nothing beside the scoring and the publication: what tests of other things need not wait for, nor count."""
SOURCE = pa.schema([("id", pa.int64()), ("carrier", pa.string()), ("x1", pa.float64()), ("x2", pa.float64())])


def source_rows(rows: int = 60, *, first: int = 0) -> pa.Table:
    """Rows of the source, the same for the same ids."""
    ids = np.arange(first, first + rows)
    return pa.table(
        {"id": ids, "carrier": [["AA", "UA"][i % 2] for i in ids], "x1": np.sin(ids * 1.0), "x2": np.cos(ids * 1.7)},
        schema=SOURCE,
    )


def fitted(seed: int = 0) -> LogisticRegression:
    """A model over x1 and x2; other seeds give other coefficients."""
    frame = source_rows(200).to_pandas()
    noise = np.random.default_rng(seed).normal(0, 0.3, len(frame))
    return LogisticRegression().fit(
        frame[["x1", "x2"]], (frame["x1"] - (1 + seed) * frame["x2"] + noise > 0).astype(int)
    )


@dataclass(frozen=True)
class Registry:
    """An MLflow registry on sqlite with one model in two versions; the alias champion is on version 1."""

    uri: str
    models: tuple[LogisticRegression, LogisticRegression]

    def alias(self, version: int, *, alias: str = "champion") -> None:
        """Move an alias."""
        expect_model((self.uri, version))
        MlflowClient(self.uri, registry_uri=self.uri).set_registered_model_alias(MODEL, alias, str(version))

    def aliases(self) -> list[tuple[str, list[tuple[str, Any]]]]:
        """All aliases of all models."""
        models = MlflowClient(self.uri, registry_uri=self.uri).search_registered_models()
        return [(model.name, sorted(model.aliases.items())) for model in models]

    def expected(self, rows: pa.Table, *, version: int = 1) -> npt.NDArray[np.float64]:
        """The oracle: probabilities of the positive class, computed without Spark."""
        frame = rows.to_pandas()[["x1", "x2"]]
        return np.asarray(self.models[version - 1].predict_proba(frame)[:, 1])


def registry_in(folder: Path) -> Registry:
    """A new registry under a folder."""
    uri = f"sqlite:///{folder}/mlflow.db"
    models = (fitted(0), fitted(3))
    with tracking(uri):
        mlflow.create_experiment("tests", artifact_location=str(folder / "artifacts"))
        mlflow.set_experiment("tests")
        frame = source_rows(5).to_pandas()[["x1", "x2"]]
        for model in models:
            signature = infer_signature(frame, model.predict_proba(frame))
            mlflow.sklearn.log_model(
                model,
                name=MODEL,
                signature=signature,
                pyfunc_predict_fn="predict_proba",
                registered_model_name=MODEL,
                pip_requirements=[],
            )
    registry = Registry(uri, models)
    registry.alias(1)
    return registry


@contextmanager
def tracking(uri: str) -> Iterator[None]:
    """MLflow's global address for the block."""
    before = mlflow.get_tracking_uri()
    mlflow.set_tracking_uri(uri)
    try:
        yield
    finally:
        mlflow.set_tracking_uri(before)
        os.environ.pop("MLFLOW_TRACKING_URI", None)


@dataclass(frozen=True)
class World:
    """One test's home folder, with helpers that read as sentences."""

    spark: SparkSession
    home: Path
    registry: Registry
    trail: Trail = field(default_factory=Trail, compare=False)
    """What has led to the home folder as it is."""

    def path(self, name: str) -> str:
        """Where a plain name's table lies."""
        return str(self.home / "tables" / name)

    def write_source(self, rows: pa.Table, *, mode: str = "overwrite", name: str = "flights") -> None:
        """The source table holds these rows, as one more version."""
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, rows.schema) as stream:
            stream.write_table(rows)
        digest = hashlib.sha256(sink.getvalue()).hexdigest()

        def write() -> None:
            frame = self.spark.createDataFrame(rows)
            frame.coalesce(2).write.format("delta").mode(mode).option(
                "overwriteSchema", str(mode == "overwrite").lower()
            ).save(self.path(name))

        self.trail.follow(self.home, f"write {name} {mode} {digest}", write)

    def begin_with(self, settings: Settings | None = None, *, as_of: str = AS_OF, **flags: Any) -> RunReport:
        """A run that the test begins with: done once per process, then copied. What a test looks at is run by itself.

        Needs:   settings that name no file of the test's own, and a product that is as it is: nothing patched.
        """
        settings = settings or self.settings()
        told = settings.model_dump_json().replace(str(self.home), "<home>")
        step = f"score {as_of} {sorted(flags.items())} {told} {self.registry.aliases()}"
        return self.trail.follow(self.home, step, lambda: score(self.spark, settings, as_of=as_of, **flags))

    def settings(self, **groups: Any) -> Settings:
        """A job's settings; groups are merged over the defaults."""
        values: dict[str, Any] = {
            "job": "late-flights",
            "home": str(self.home),
            "source": {"table": "flights", "keys": ["id"], "passthrough": ["carrier"]},
            "model": {"uri": f"models:/{MODEL}@champion", "tracking_uri": self.registry.uri},
            "output": {"table": "predictions", "threshold": 0.5},
            **UNWATCHED,
        }
        for name, value in groups.items():
            values[name] = {**values.get(name, {}), **value} if isinstance(value, dict) else value
        return Settings(**values)

    def table(self, name: str = "predictions") -> DataFrame:
        """A table of the home folder."""
        return Table(self.spark, TableRef(name, self.path(name))).load_rows()

    def predictions(self, *, as_of: str = AS_OF, name: str = "predictions") -> pd.DataFrame:
        """What a reader without Spark sees for an as_of, by key; times as Spark gives them to pandas."""
        rows = DeltaTable(self.path(name)).to_pyarrow_table()
        moment = pa.scalar(datetime.fromisoformat(as_of).replace(tzinfo=UTC), rows["as_of"].type)
        frame: pd.DataFrame = rows.filter(pc.equal(rows["as_of"], moment)).sort_by("id").to_pandas()
        zoned = frame.select_dtypes("datetimetz").columns
        return frame.assign(**{column: frame[column].dt.tz_convert(None) for column in zoned})

    def version(self, name: str = "predictions") -> int:
        """The table's newest version; -1 where there is none."""
        log = Path(self.path(name)) / "_delta_log"
        return max((int(file.stem) for file in log.glob("*.json")), default=-1)

    def events(self) -> list[str]:
        """The run events, oldest first."""
        runs = DeltaTable(self.path("predictions_runs")).to_pyarrow_table(columns=["at", "event"])
        return [str(event) for event in runs.sort_by("at")["event"].to_pylist()]


def assert_published(world: World, report: RunReport, rows: pa.Table, *, version: int = 1, as_of: str = AS_OF) -> None:
    """One row per key of the source, each prediction the oracle's, every row of this run."""
    assert_predicted(world, report, rows, world.predictions(as_of=as_of), version=version)


def assert_predicted(world: World, report: RunReport, rows: pa.Table, seen: pd.DataFrame, *, version: int = 1) -> None:
    """The same of rows that a reader has read, by key."""
    assert seen["id"].tolist() == sorted(rows["id"].to_pylist())
    np.testing.assert_allclose(seen["prediction"], world.registry.expected(rows, version=version), rtol=0, atol=1e-12)
    assert seen["label"].tolist() == (seen["prediction"] >= 0.5).astype(int).tolist()
    assert set(seen["run_id"]) == {report.run_id}
    assert set(seen["model_version"]) == {str(version)}
