# ruff: noqa: S101 - a check that does not hold is an AssertionError, and the script ends with 1
"""A small but whole set of runs, by the versions of the environment that it is run in; `ci/matrix.sh` calls it.

    python ci/matrix_check.py HOME

Prints one row of a table, the versions; each check is a line on stderr. Exit 1, with the reason, at the first that
fails.
"""

import json
import sys
from collections.abc import Callable
from contextlib import redirect_stdout
from importlib.metadata import version
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd
from pyspark.sql import SparkSession
from pyspark.sql import functions as F
from sklearn.linear_model import LogisticRegression

import sparkscore
from sparkscore import Settings, SparkscoreError, rollback, score, score_udf
from sparkscore.scoring import frame_writer, task_sizing
from sparkscore.spark.delta_jars import DELTA_EXCLUDES, name_delta_package

ROWS, AS_OF = 240, "2026-01-31"
PACKAGES = ("pyspark", "pandas", "delta-spark", "pyarrow", "mlflow")


class Job:
    """A home folder with a source, a model, and the job's settings."""

    def __init__(self, spark: SparkSession, home: Path) -> None:
        self.spark, self.home = spark, home
        self.registry = f"sqlite:///{home}/mlflow.db"
        ids = np.arange(ROWS)
        self.frame = pd.DataFrame({"id": ids, "x1": np.sin(ids * 1.0), "x2": np.cos(ids * 1.7)})
        self.model = LogisticRegression().fit(self.frame[["x1", "x2"]], self.frame["x1"] > self.frame["x2"])

    def write_source(self) -> None:
        """Four files; the last row lacks an input."""
        rows = self.spark.createDataFrame(self.frame).withColumn("x1", F.when(F.col("id") < ROWS - 1, F.col("x1")))
        rows.repartitionByRange(4, "id").write.format("delta").mode("overwrite").save(str(self.home / "source"))

    def log_model(self) -> None:
        """Version 1, by the alias champion."""
        mlflow.set_tracking_uri(self.registry)
        mlflow.create_experiment("matrix", artifact_location=(self.home / "artifacts").as_uri())
        mlflow.set_experiment("matrix")
        inputs = self.frame[["x1", "x2"]]
        signature = mlflow.models.infer_signature(inputs, self.model.predict_proba(inputs))
        mlflow.sklearn.log_model(
            self.model,
            name="m",
            signature=signature,
            pyfunc_predict_fn="predict_proba",
            registered_model_name="m",
            pip_requirements=[],
        )
        mlflow.MlflowClient(self.registry).set_registered_model_alias("m", "champion", "1")

    def settings(self, table: str, **groups: Any) -> Settings:
        """Of the job that owns the table."""
        values: dict[str, Any] = {
            "job": table,
            "home": str(self.home),
            "source": {"table": str(self.home / "source"), "keys": ["id"]},
            "model": {
                "uri": "models:/m@champion",
                "tracking_uri": self.registry,
                "missing": {"x1": "reject"},
            },
            "output": {"table": table, "threshold": 0.5},
            "monitor": {"mlflow": False},
            "scoring": {"max_reject_ratio": 0.1},
        }
        for name, group in groups.items():
            values[name] = {**values.get(name, {}), **group}
        return Settings(**values)

    def published(self, table: str) -> pd.DataFrame:
        """What readers see."""
        rows = self.spark.read.format("delta").load(str(self.home / "tables" / table)).orderBy("id")
        frame: pd.DataFrame = rows.select("id", "prediction", "label", "run_id").toPandas()
        return frame

    def expected(self) -> Any:
        """Without Spark."""
        return self.model.predict_proba(self.frame[["x1", "x2"]])[:, 1]


def check_score(job: Job) -> str:
    """Published once, each row predicted, the row without an input rejected; a second call does nothing."""
    report = score(job.spark, job.settings("scored"), as_of=AS_OF)
    seen = job.published("scored")
    assert (report.status, report.rows_scored, report.rows_rejected) == ("published", ROWS - 1, 1), report
    np.testing.assert_allclose(seen["prediction"], job.expected()[:-1], rtol=0, atol=1e-12)
    again = score(job.spark, job.settings("scored"), as_of=AS_OF)
    assert (again.status, again.run_id) == ("already_published", report.run_id), again
    return f"{report.rows_scored} rows, 1 reject, by the transport {report.transport}"


def check_replace(job: Job) -> str:
    """Another threshold is another publication of the same as_of."""
    before = job.published("scored")
    report = score(job.spark, job.settings("scored", output={"threshold": 0.9}), as_of=AS_OF, replace=True)
    after = job.published("scored")
    assert report.revision == 2, report
    assert after["label"].sum() < before["label"].sum()
    return f"revision {report.revision}, {before['label'].sum()} labels became {after['label'].sum()}"


def check_rollback(job: Job) -> str:
    """The first publication's rows are back."""
    report, _ = rollback(job.spark, job.settings("scored", output={"threshold": 0.9}), as_of=AS_OF)
    seen = job.published("scored")
    assert seen["label"].tolist() == (job.expected()[:-1] >= 0.5).astype(int).tolist()
    return f"revision {report.revision}"


def check_gate(job: Job) -> str:
    """A broken expectation stops the run with 3, and nothing is visible."""
    suite = job.home / "suite.json"
    rule = {"type": "expect_column_values_to_be_between", "kwargs": {"column": "prediction", "max_value": 0.0001}}
    suite.write_text(json.dumps({"name": "low", "expectations": [{**rule, "severity": "critical"}]}))
    code, found = expect_failure(
        lambda: score(job.spark, job.settings("gated", gate={"output": str(suite)}), as_of=AS_OF)
    )
    assert code == 3, found
    table = job.home / "tables" / "gated"
    assert not table.exists() or job.published("gated").empty
    return "exit 3, nothing visible"


def check_resume(job: Job) -> str:
    """An attempt that stops keeps its chunks, and the next one goes on."""
    stops = job.settings(
        "resumed", scoring={"budgets": {"rows": 100}, "batch_rows": 30, "transport": "arrow", "max_reject_ratio": 0.1}
    )
    for module, name in ((frame_writer, "LONGEST_TASK_S"), (task_sizing, "TASK_S")):
        setattr(module, name, 1e-9)  # each task keeps one batch, as that of a slow model does
    code, found = expect_failure(lambda: score(job.spark, stops, as_of=AS_OF))
    assert code == 75, found
    attempts = 1
    while attempts < 10:
        attempts += 1
        try:
            report = score(job.spark, stops, as_of=AS_OF)
        except SparkscoreError as error:
            assert error.exit_code == 75, error  # noqa: PT017
        else:
            break
    assert report.status == "published"
    assert len(job.published("resumed")) == ROWS - 1
    return f"published by attempt {attempts}"


def check_score_udf(job: Job) -> str:
    """The model as a column, over rows that are no job's."""
    if version("pyspark") < "4.1":  # no Arrow UDFs
        code, told = expect_failure(lambda: score_udf(job.spark, "models:/m@champion", tracking_uri=job.registry))
        assert code == 2, told
        assert "Spark 4.1 or newer" in told, told
        return "refused, which Spark 4.1 would not"
    rows = job.spark.createDataFrame(job.frame)
    predict = score_udf(job.spark, "models:/m@champion", tracking_uri=job.registry)
    found = rows.select("id", predict("x1", "x2").alias("p")).orderBy("id").toPandas()["p"]
    np.testing.assert_allclose([row[1] for row in found], job.expected(), rtol=0, atol=1e-12)
    return f"{len(found)} rows"


def expect_failure(call: Callable[[], Any]) -> tuple[int, str]:
    """The exit code and the text of the error."""
    try:
        return 0, repr(call())
    except SparkscoreError as error:
        return error.exit_code, str(error)


def run_checks(home: Path) -> None:
    """All of them, in order."""
    home.mkdir(parents=True)
    assert "site-packages" in sparkscore.__file__, f"{sparkscore.__file__} is not the installed wheel"
    spark = (
        SparkSession.builder.master("local[2,4]")
        .config("spark.jars.packages", name_delta_package(version("pyspark")))
        .config("spark.jars.excludes", DELTA_EXCLUDES)
        .config("spark.sql.extensions", "io.delta.sql.DeltaSparkSessionExtension")
        .config("spark.sql.catalog.spark_catalog", "org.apache.spark.sql.delta.catalog.DeltaCatalog")
        .config("spark.sql.session.timeZone", "UTC")
        .config("spark.sql.shuffle.partitions", "4")
        .config("spark.ui.enabled", "false")
        .config("spark.sql.warehouse.dir", str(home / "warehouse"))
        .getOrCreate()
    )
    job = Job(spark, home)
    job.write_source()
    job.log_model()
    for check in (check_score, check_replace, check_rollback, check_gate, check_resume, check_score_udf):
        sys.stderr.write(f"{check.__name__.removeprefix('check_')}: {check(job)}\n")
    spark.stop()


if __name__ == "__main__":
    pythons = ".".join(map(str, sys.version_info[:2]))
    sys.stdout.write(f"| {' | '.join(map(version, PACKAGES))} | {pythons} |\n")
    sys.stdout.flush()
    with redirect_stdout(sys.stderr):  # the log of a library that nobody has configured
        run_checks(Path(sys.argv[1]).resolve())
