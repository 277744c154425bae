"""A home folder that an older version has written: its runs are recognised, gone on with and superseded."""

import shutil
from pathlib import Path

import pytest
from mlflow import MlflowClient
from pyspark.sql import SparkSession

from sparkscore.pipelines.rejects import retry_rejects
from sparkscore.pipelines.rollback import rollback
from sparkscore.pipelines.score import score
from tests.world import MODEL, Registry, World, fitted

ARCHIVE = Path(__file__).with_name("home-0.1.0.tar.gz")


@pytest.fixture
def former(spark: SparkSession, tmp_path: Path) -> World:
    """The home folder as it was left, and a registry that names its model's files by where they are now."""
    shutil.unpack_archive(ARCHIVE, tmp_path)
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    client = MlflowClient(uri, registry_uri=uri)
    client.create_registered_model(MODEL)
    client.create_model_version(MODEL, source=str(tmp_path / "model"))
    registry = Registry(uri, (fitted(0), fitted(3)))
    registry.alias(1)
    return World(spark, tmp_path / "home", registry)


def test_a_published_run_stays_published(former: World) -> None:
    before = former.predictions(as_of="2013-12-29")
    report = score(former.spark, former.settings(), as_of="2013-12-29")
    assert (report.status, {report.run_id}) == ("already_published", set(before["run_id"]))


def test_a_run_that_died_is_gone_on_with_from_its_stage_under_its_name(former: World) -> None:
    died = former.table("predictions_runs").where("as_of = timestamp'2013-12-31 00:00:00Z'").toPandas()
    report = score(former.spark, former.settings(), as_of="2013-12-31")
    assert (report.status, report.attempt, report.model_loads) == ("published", 2, 0)
    assert {report.run_id} == set(died["run_id"]) == set(former.predictions(as_of="2013-12-31")["run_id"])


def test_another_threshold_supersedes_it_and_a_rollback_brings_it_back(former: World) -> None:
    before = former.predictions(as_of="2013-12-29")
    other = former.settings(output={"threshold": 0.3})
    report = score(former.spark, other, as_of="2013-12-29", replace=True)
    assert report.revision == 2
    seen = former.predictions(as_of="2013-12-29")
    assert seen["label"].tolist() == (seen["prediction"] >= 0.3).astype(int).tolist()
    rollback(former.spark, former.settings(), as_of="2013-12-29", to="1")
    columns = ["id", "prediction", "label", "carrier"]
    assert former.predictions(as_of="2013-12-29")[columns].equals(before[columns])


def test_its_rejects_are_retried_with_its_pins(former: World) -> None:
    run = former.predictions(as_of="2013-12-30")["run_id"][0]
    report = retry_rejects(former.spark, former.settings(), run=run)
    assert (report.status, report.rows_rejected) == ("nothing_to_score", 1)
