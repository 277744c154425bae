"""Home folders that older versions have written: their runs are recognised, gone on with and superseded."""

import shutil
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient
from pyspark.sql import SparkSession

from sparkscore.errors import ForeignTable
from sparkscore.pipelines import migrate as migration
from sparkscore.pipelines.maintain import maintain
from sparkscore.pipelines.migrate import migrate
from sparkscore.pipelines.rejects import retry_rejects
from sparkscore.pipelines.rollback import rollback
from sparkscore.pipelines.score import score
from sparkscore.pipelines.scoring.plan_preview import preview_plan
from sparkscore.records import TableRef
from sparkscore.settings import Settings
from sparkscore.store.table import Table
from sparkscore.store.table_migration import migrate_table
from tests.world import MODEL, Registry, World, fitted

ARCHIVE = Path(__file__).with_name("home-0.1.0.tar.gz")
SCHEMA_1 = Path(__file__).with_name("home-schema-1.tar.gz")
SIDES = ("_rejects", "_profile", "_drift", "_runs")


@pytest.fixture
def former(spark: SparkSession, tmp_path: Path) -> World:
    """The home folder of the first version."""
    return unpack_home(spark, tmp_path, ARCHIVE)


@pytest.fixture
def schema_1(spark: SparkSession, tmp_path: Path) -> World:
    """The home folder of the last version whose tables have the schema version 1."""
    return unpack_home(spark, tmp_path, SCHEMA_1)


def unpack_home(spark: SparkSession, tmp_path: Path, archive: Path) -> World:
    """The home folder as it was left, and a registry that names its model's files by where they are now."""
    shutil.unpack_archive(archive, tmp_path)
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


def bare(world: World, *, rows: str = "none", **groups: Any) -> Settings:
    """The settings with which the home folder of schema 1 was made; it was profiled, too."""
    own = {"source": {"passthrough": []}, "output": {"threshold": None}, "profile": {"rows": rows}}
    return world.settings(**{**own, **groups})


def versions(world: World) -> list[int]:
    return [world.version(f"predictions{suffix}") for suffix in ("", *SIDES)]


def schemas(world: World) -> set[str]:
    refs = (TableRef(f"p{suffix}", world.path(f"predictions{suffix}")) for suffix in ("", *SIDES))
    return {Table(world.spark, ref).properties["sparkscore.schema"] for ref in refs}


def test_a_run_migrates_the_tables_that_it_writes_with_its_new_columns_in_one_commit_each(schema_1: World) -> None:
    before = versions(schema_1)
    grown = bare(schema_1, rows="all", source={"passthrough": ["carrier"]}, output={"threshold": 0.5})
    _, lines = preview_plan(schema_1.spark, grown, as_of="2014-01-01")
    assert ("adds columns", "label int, carrier string") in lines
    assert versions(schema_1) == before
    report = score(schema_1.spark, grown, as_of="2014-01-01")
    assert (report.status, schemas(schema_1)) == ("published", {"1", "2"})  # no row was rejected
    assert versions(schema_1)[0] == before[0] + 2
    events = schema_1.table("predictions_runs").where("verb = 'score'").count()
    assert versions(schema_1)[4] == before[4] + 1 + events - 1  # `staged` is committed with `published`
    older = schema_1.predictions(as_of="2013-12-29")
    assert (older["label"].isna().sum(), older["carrier"].isna().sum(), len(older)) == (60, 60, 60)
    newer = schema_1.predictions(as_of="2014-01-01")
    assert newer["label"].tolist() == (newer["prediction"] >= 0.5).astype(int).tolist()


def test_two_runs_at_once_both_migrate_and_both_publish(schema_1: World) -> None:
    before = versions(schema_1)
    grown = bare(schema_1, source={"passthrough": ["carrier"]})
    with ThreadPoolExecutor(2) as pool:
        reports = list(pool.map(lambda as_of: score(schema_1.spark, grown, as_of=as_of), ("2014-01-01", "2014-01-02")))
    assert [report.status for report in reports] == ["published", "published"]
    assert versions(schema_1)[0] == before[0] + 3
    assert [len(schema_1.predictions(as_of=as_of)) for as_of in ("2013-12-29", "2014-01-01", "2014-01-02")] == [60] * 3


def test_migrate_says_what_it_would_do_then_does_it_once(schema_1: World) -> None:
    before = versions(schema_1)
    planned = migrate(schema_1.spark, bare(schema_1), dry_run=True)
    assert (planned.status, versions(schema_1)) == ("dry_run", before)
    done = migrate(schema_1.spark, bare(schema_1))
    assert (done.status, done.tables) == ("migrated", planned.tables)
    assert (versions(schema_1), schemas(schema_1)) == ([version + 1 for version in before], {"2"})
    assert migrate(schema_1.spark, bare(schema_1)).status == "nothing_to_do"
    assert score(schema_1.spark, bare(schema_1), as_of="2013-12-29").status == "already_published"


def test_a_renamed_job_goes_on_with_its_runs_under_their_names(
    schema_1: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    spark, renamed = schema_1.spark, bare(schema_1, job="renamed")
    with pytest.raises(ForeignTable, match="--rename-from"):
        score(spark, renamed, as_of="2013-12-29")
    die_before_table(monkeypatch, 3)
    with pytest.raises(KeyboardInterrupt):
        migrate(spark, renamed, rename_from="late-flights")
    monkeypatch.undo()
    for half in (renamed, bare(schema_1)):  # neither name has all of the tables
        with pytest.raises(ForeignTable):
            score(spark, half, as_of="2013-12-30", replace=True)
    done = migrate(spark, renamed, rename_from="late-flights")
    assert [one.table for one in done.tables] == ["predictions_profile", "predictions_drift", "predictions"]
    published = set(schema_1.predictions(as_of="2013-12-29")["run_id"])
    assert {score(spark, renamed, as_of="2013-12-29").run_id} == published
    skipped = maintain(spark, renamed, dry_run=True, now=datetime.now(UTC) + timedelta(days=3000)).skipped
    assert "stages" in {one.step for one in skipped}  # the one of the run that died
    died = schema_1.table("predictions_runs").where("as_of = timestamp'2013-12-31 00:00:00Z'").toPandas()
    report = score(spark, renamed, as_of="2013-12-31")
    assert (report.status, report.attempt, report.model_loads, report.job) == ("published", 2, 0, "renamed")
    assert {report.run_id} == set(died["run_id"])
    with pytest.raises(ForeignTable, match="belongs to the job renamed"):
        score(spark, bare(schema_1), as_of="2013-12-31")
    forced = score(spark, renamed, as_of="2013-12-31", force=True)
    assert (forced.status, forced.revision) == ("published", 2)


def die_before_table(patch: pytest.MonkeyPatch, position: int) -> None:
    """A migration that dies before the table at a position is changed."""
    left = iter(range(1, position))

    def migrate_some(*given: Any) -> Any:
        if next(left, None) is None:
            raise KeyboardInterrupt
        return migrate_table(*given)

    patch.setattr(migration, "migrate_table", migrate_some)
